"""A runbook, from its facts: what is so now, then the steps with Highwater and without it."""

from collections.abc import Iterator
from datetime import timedelta

from backups.options.words import PHASES, brief_range, duration, span, to_the_second
from backups.runbook.byhand import steps_by_hand
from backups.runbook.leading import steps_at_the_desk
from backups.runbook.proving import ago_of
from backups.runbook.values import Drilled, Facts, Place, Runbook, Target

_SHOWN_DRILLS = 5


def make_runbook(facts: Facts) -> Runbook:
    """Make the runbook of one database. The same facts make the same one."""
    return Runbook(
        at=facts.at,
        name=facts.name,
        now=list(_now(facts)),
        expected=list(_expected(facts)),
        drills=[_drilled(facts, drill) for drill in facts.drills[:_SHOWN_DRILLS]],
        contacts=facts.contacts,
        places=[(place.name, _place(place)) for place in facts.places],
        targets=[(target.name, _target(target)) for target in facts.targets],
        secrets=list(_secrets(facts)),
        steps=steps_at_the_desk(facts),
        by_hand=steps_by_hand(facts),
        sections=facts.sections,
    )


def _now(facts: Facts) -> Iterator[tuple[str, str]]:
    yield "Cluster", f"{facts.host}:{facts.port}, superuser {facts.superuser}"
    yield "Backed up by", facts.engine_words
    if facts.newest is not None:
        ago = ago_of(facts.newest.ended_at, facts.at)
        yield "Newest backup", f"{facts.newest.name} ({facts.newest.engine_id}), {ago}"
    else:
        yield "Newest backup", "none: nothing can be brought back until one is taken"
    if facts.restorable_until is not None:
        yield "Can be restored up to", to_the_second(facts.restorable_until)
    yield "If it were lost now", _lost(facts)
    if facts.may_lose is not None:
        yield "May lose at most", span(facts.may_lose)
    if facts.back_within is not None:
        yield "Has to be back within", span(facts.back_within)
    if facts.tenants:
        yield "Tenants in it", str(facts.tenants)


def _lost(facts: Facts) -> str:
    loss = facts.loss
    if loss is None:
        return "not forecast so far"
    said = f"{loss.words} (forecast {ago_of(loss.at, facts.at)})"
    if loss.lost is None or loss.back is None:
        return said
    return f"{duration(loss.lost)} of data lost, back in {brief_range(loss.back)}. {said}"


def _expected(facts: Facts) -> Iterator[tuple[str, str]]:
    """Say how long it takes: by the forecast, and by the last drill that was timed."""
    if facts.loss is not None and facts.loss.back is not None:
        basis = f", from {facts.loss.basis}" if facts.loss.basis else ""
        yield "By the forecast", f"{brief_range(facts.loss.back)}{basis}"
    timed = next(
        (drill for drill in facts.drills if drill.has_passed and drill.measured is not None), None
    )
    if timed is None or timed.measured is None:
        yield "By the last drill", "no drill that passed was timed"
        return
    yield (
        "By the last drill",
        f"{duration(timed.measured)} (drill {timed.number}, {ago_of(timed.ended_at, facts.at)})",
    )
    for phase, seconds in timed.phases.items():
        label = PHASES.get(phase)
        if label is not None:
            yield f"  of that, {label}", duration(timedelta(seconds=seconds))


def _drilled(facts: Facts, drill: Drilled) -> str:
    took = f", took {duration(drill.measured)}" if drill.measured is not None else ""
    forecast = f" (forecast {drill.forecast_words})" if took and drill.forecast_words else ""
    verdict = "passed" if drill.has_passed else f"failed: {drill.words}"
    return (
        f"Drill {drill.number}, {ago_of(drill.ended_at, facts.at)}, to {drill.target} by "
        f"{drill.strategy.lower()}{took}{forecast}: {verdict}"
    )


def _place(place: Place) -> str:
    provider = f" ({place.provider})" if place.provider else ""
    prefix = f", prefix {place.prefix}" if place.prefix else ""
    return f"{place.url}{provider}, bucket {place.bucket}{prefix}, region {place.region}"


def _target(target: Target) -> str:
    version = f", PostgreSQL {target.major}" if target.major is not None else ""
    state = f"not ready: {target.trouble}" if target.trouble else "ready"
    warm = f"; {target.warm_words}" if target.warm_words else ""
    return (
        f"{target.host}:{target.port}, directory {target.data_dir}, work in {target.work_dir}"
        f"{version}, worker of the queue {target.queue}: {state}{warm}"
    )


def _secrets(facts: Facts) -> Iterator[tuple[str, str]]:
    yield f"Password of {facts.superuser}", facts.password_reference
    for place in facts.places:
        until = f", valid until {to_the_second(place.expires_at)}" if place.expires_at else ""
        yield f"Keys of {place.name}", f"{place.reference}{until}"
