"""What drills have proven: the newest one of a target and a strategy decides."""

import re
from datetime import datetime

from backups.options.words import duration
from backups.runbook.values import Facts, Proof

NOT_PROVEN = Proof(words="not proven by a drill", is_proven=False)
# A drill goes through Highwater: what is typed without it was never tried by one.
_PLAN = re.compile(r"-t(?P<target>\d+)-(?P<strategy>[a-z]+)$")


def proof_of(facts: Facts, *, target_id: int, strategy: str) -> Proof:
    """Say whether a restore to this target in this way was proven by the last drill of it."""
    for drill in facts.drills:
        if not drill.engine_fits or drill.target_id != target_id:
            continue
        if drill.strategy.upper() != strategy.upper():
            continue
        ago = ago_of(drill.ended_at, facts.at)
        if drill.has_passed:
            return Proof(words=f"proven by drill {drill.number}, {ago}", is_proven=True)
        return Proof(
            words=f"not proven by a drill: drill {drill.number} failed {ago}", is_proven=False
        )
    return NOT_PROVEN


def any_proof(facts: Facts) -> Proof:
    """Say whether a restore of this database was proven at all, by the newest drill of its kind."""
    fitting = [drill for drill in facts.drills if drill.engine_fits]
    if not fitting:
        return NOT_PROVEN
    newest = fitting[0]
    return proof_of(facts, target_id=newest.target_id, strategy=newest.strategy)


def planned(facts: Facts) -> tuple[int, str] | None:
    """Return the target and the strategy of the plan that would be taken now; None without one."""
    found = _PLAN.search(facts.loss.plan_code) if facts.loss is not None else None
    return (int(found["target"]), found["strategy"].upper()) if found else None


def ago_of(moment: datetime, at: datetime) -> str:
    """Say how long ago something was: 3 days ago."""
    span = at - moment
    if span.days >= 1:
        return f"{span.days} day{'s' if span.days > 1 else ''} ago"
    return f"{duration(span)} ago"
