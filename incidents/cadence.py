"""How often customers hear: the usual table, and the nights of a long incident."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

from incidents.values import Phase, Severity

# The phases of an incident that is not over, in the order of the table.
PHASES = (Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MONITORING)
# In place of a phase: a long incident, whatever its phase.
LONG: Literal[""] = ""

# Minutes by severity and phase: GitLab's public handbook.
_USUAL = {
    Phase.INVESTIGATING: {Severity.SEV1: 10, Severity.SEV2: 15},
    Phase.IDENTIFIED: {Severity.SEV1: 10, Severity.SEV2: 30},
    Phase.MONITORING: {Severity.SEV1: 30, Severity.SEV2: 60},
}
_USUAL_OF_OTHERS = {Phase.INVESTIGATING: 15, Phase.IDENTIFIED: 30, Phase.MONITORING: 60}
# Four hours: long enough to work in, short enough to be believed.
_USUAL_OF_LONG = 240
# Behind the end nobody is promised anything; this is what a form that is open then begins with.
_USUAL_OF_THE_REST = 60


def usual_minutes(severity: Severity, phase: Phase | Literal[""]) -> int:
    """Return how soon customers hear next, where staff have not agreed on another figure.

    ``LONG`` in place of the phase: of a long incident.
    """
    if phase == LONG:
        return _USUAL_OF_LONG
    others = _USUAL_OF_OTHERS.get(phase, _USUAL_OF_THE_REST)
    return _USUAL.get(phase, {}).get(severity, others)


def morning_after(at: datetime, *, begins: time, ends: time, zone: tzinfo) -> datetime | None:
    """Return when the night ends in which a moment lies; None by day.

    The night goes by the clocks of the zone, whatever they are set to meanwhile. One that ends
    when it begins is none.
    """
    here = at.astimezone(zone)
    clock = here.time()
    if begins <= ends:
        is_night, is_eve = begins <= clock < ends, False
    else:
        is_eve = clock >= begins
        is_night = is_eve or clock < ends
    if not is_night:
        return None
    last = datetime.combine(here.date() + timedelta(days=is_eve), ends, tzinfo=zone)
    # Where the clocks go back, they show that time twice, and the first may have passed.
    first, second = (last.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if first >= at else second
