"""The steps while Highwater is there: from "is it lost?" to what comes after."""

import shlex
from collections.abc import Iterator, Sequence

from backups.runbook.proving import NOT_PROVEN, any_proof, planned, proof_of
from backups.runbook.values import PG_DUMP, Command, Facts, Step, Target

MANAGE = ".venv/bin/python manage.py"
_USUAL = "STAGE"


def steps_at_the_desk(facts: Facts) -> Sequence[Step]:
    """Return the steps in their order. Their codes stay what they are: ticks go by them."""
    return [
        _see(facts),
        _declare(facts),
        _choose(facts),
        _restore(facts),
        _watch(facts),
        _check(facts),
        _open(facts),
        *_tenants(facts),
        _tell(facts),
        _care(facts),
    ]


def _see(facts: Facts) -> Step:
    return Step(
        code="see",
        title="See that it is lost",
        words=[
            (
                "Ask it from two machines. A network that is down is no loss, and a restore does "
                "not mend it."
            ),
            (
                "Keep applications from writing to what is left. Delete nothing there: it may be "
                "needed yet."
            ),
        ],
        commands=[
            _plain(f"pg_isready --host {shlex.quote(facts.host)} --port {facts.port}"),
            _plain(f"{MANAGE} check_backups {shlex.quote(facts.name)}"),
        ],
    )


def _declare(facts: Facts) -> Step:
    if facts.incident is not None:
        return Step(
            code="declare",
            title="Declare an incident",
            words=[
                f"Incident {facts.incident} is open: {facts.incident_url}",
                "Name who commands, who restores and who tells customers.",
            ],
        )
    return Step(
        code="declare",
        title="Declare an incident",
        words=[
            (
                f"At {facts.incident_url}. Its number goes where NUMBER stands below, and this "
                "runbook is ticked in it."
            ),
            "Name who commands, who restores and who tells customers.",
        ],
    )


def _choose(facts: Facts) -> Step:
    words = ["The one on top is recommended; read what speaks against it before you take it."]
    if facts.loss is not None:
        words.append(f"Of late this was: {facts.loss.words}")
    return Step(
        code="choose",
        title="Look at the ways back and choose one",
        words=words,
        commands=[_plain(f"{MANAGE} recovery_options {shlex.quote(facts.name)}")],
    )


def _restore(facts: Facts) -> Step:
    return Step(
        code="restore",
        title="Restore",
        words=[
            (
                "A worker beside the recovery target carries it. With --wait it is carried right "
                "there, on the target's machine, without a worker."
            ),
        ],
        commands=list(_restores(facts)),
    )


def _restores(facts: Facts) -> Iterator[Command]:
    incident = "NUMBER" if facts.incident is None else str(facts.incident)
    name, plan = shlex.quote(facts.name), planned(facts)
    loss = facts.loss
    rest = f'--why "…" --incident {incident}'
    if plan is not None and loss is not None:
        target_id, strategy = plan
        yield Command(
            text=f"{MANAGE} restore_database {name} --option {loss.plan_code} {rest}",
            proof=proof_of(facts, target_id=target_id, strategy=strategy),
            when="The way that was best when it was last forecast. If it is not offered any more, "
            "take the code that recovery_options shows",
        )
    else:
        yield Command(
            text=f"{MANAGE} restore_database {name} --option CODE {rest}",
            proof=NOT_PROVEN,
            when="With the code that recovery_options shows",
        )
    for target in facts.targets:
        if target.is_warm:
            yield Command(
                text=f"{MANAGE} restore_database {name} {shlex.quote(target.name)} --standby "
                f"{rest}",
                proof=NOT_PROVEN,
                when=f"To the latest, by the standby that is warm at {target.name}",
            )
            continue
        strategy = _strategy_at(facts, target)
        yield Command(
            text=f"{MANAGE} restore_database {name} {shlex.quote(target.name)} "
            f"--strategy {strategy.lower()} {rest}",
            proof=proof_of(facts, target_id=target.id, strategy=strategy),
            when=f"To the latest, at {target.name}"
            + (f", which is not ready: {target.trouble}" if target.trouble else ""),
        )


def _strategy_at(facts: Facts, target: Target) -> str:
    """Return the strategy of the newest drill that passed there; else the usual one."""
    return next(
        (
            drill.strategy
            for drill in facts.drills
            if drill.has_passed and drill.engine_fits and drill.target_id == target.id
        ),
        _USUAL,
    )


def _watch(facts: Facts) -> Step:
    proof = any_proof(facts)
    return Step(
        code="watch",
        title="Watch it",
        words=[
            (
                "RESTORE is the number that restore_database printed. One that has stopped says "
                "what to do; mend that and resume it: it goes on where it was."
            ),
        ],
        commands=[
            Command(text=f"{MANAGE} restore_status RESTORE", proof=proof),
            Command(
                text=f"{MANAGE} resume_restore RESTORE",
                proof=NOT_PROVEN,
                when="If it has stopped",
            ),
        ],
    )


def _check(facts: Facts) -> Step:
    return Step(
        code="check",
        title="Look at what the checks found",
        words=[
            (
                "Highwater looks at what came back before it opens the cluster. What it found "
                "stands in the status; what failed keeps it closed."
            ),
        ],
        commands=[
            Command(text=f"{MANAGE} restore_status RESTORE", proof=any_proof(facts)),
            Command(
                text=f'{MANAGE} accept_findings RESTORE --because "…"',
                proof=NOT_PROVEN,
                when="Only if what failed can be lived with, and the one who commands says so",
            ),
        ],
    )


def _open(facts: Facts) -> Step:
    ready = [target for target in facts.targets if not target.trouble] or facts.targets
    words = ["Point applications at the restored cluster, first for reading, then for writing."]
    words += [f"On {each.name} it answers at {each.host}:{each.port}." for each in ready]
    return Step(
        code="open",
        title="Open it",
        words=words,
        commands=[
            _plain(
                f"pg_isready --host {shlex.quote(each.host)} --port {each.port}",
                when=f"On {each.name}" if len(ready) > 1 else "",
            )
            for each in ready
        ],
    )


def _tenants(facts: Facts) -> Iterator[Step]:
    if not facts.tenants:
        return
    yield Step(
        code="tenants",
        title=f"See that all {facts.tenants} tenants are back",
        words=["Each tenant's own page says the same to them."],
        commands=[_plain(f"{MANAGE} tenant_restores RESTORE")],
    )


def _tell(facts: Facts) -> Step:
    incident = "its page" if facts.incident is None else f"the page of incident {facts.incident}"
    return Step(
        code="tell",
        title="Tell customers",
        words=[
            (
                "Begin as soon as the incident is declared, and say when they hear next. The "
                f"restore tells how far it is by itself; what is lost and what they have to do, "
                f"you say, on {incident} at the desk."
            ),
        ],
    )


def _care(facts: Facts) -> Step:
    words = [
        (
            "The restored cluster archives nothing yet. Until a backup of it is taken, a second "
            "loss takes everything since."
        ),
        "Resolve the incident, write down what was learned, and hold a drill of what went wrong.",
    ]
    commands = [_plain(f"{MANAGE} take_backup {shlex.quote(facts.name)}")]
    if facts.engine != PG_DUMP:
        reset = _plain(
            "alter system reset archive_mode;  -- then restart",
            when="In psql on the restored cluster, once it is in its place",
        )
        commands.insert(0, reset)
    return Step(code="care", title="Protect it again", words=words, commands=commands)


def _plain(text: str, *, when: str = "") -> Command:
    return Command(text=text, proof=NOT_PROVEN, when=when)
