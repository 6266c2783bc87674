"""How long somebody has been on duty: periods merged, so that no hour counts twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Whoever pauses for less than this has not rested.
REST = timedelta(hours=1)
_NONE = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From when until when somebody held a role; ``until`` is None while they do."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """How long somebody held one role or several.

    ``total`` is all of it, ``stretch`` the part since the last rest, which began at ``since``.
    Who is not on duty has no stretch.
    """

    total: timedelta
    stretch: timedelta
    since: datetime | None


def merged(periods: Iterable[Period], *, at: datetime) -> list[tuple[datetime, datetime]]:
    """Return the periods up to ``at``, oldest first, as stretches that share no moment.

    Periods that overlap or touch are one stretch; an open one lasts until ``at``.
    """
    found: list[tuple[datetime, datetime]] = []
    for period in sorted(periods, key=lambda period: period.since):
        if period.since > at:
            break
        until = at if period.until is None else min(period.until, at)
        if found and period.since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((period.since, until))
    return found


def duty(periods: Iterable[Period], *, at: datetime) -> Duty:
    """Return how long these periods are together, and the stretch that lasts at ``at``."""
    known = list(periods)
    stretches = merged(known, at=at)
    total = sum((until - since for since, until in stretches), _NONE)
    if not any(period.until is None and period.since <= at for period in known):
        return Duty(total=total, stretch=_NONE, since=None)
    since = stretches[-1][0]
    for earlier, until in reversed(stretches[:-1]):
        if since - until >= REST:
            break
        since = earlier
    return Duty(total=total, stretch=at - since, since=since)
