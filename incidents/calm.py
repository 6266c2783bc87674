"""When an ETA that people read may move: rarely, and for a reason.

A forecast changes with every breath of a job. Who reads "between 14:00 and 15:30" plans by it, and
is told something else only if that is worth planning anew.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

# It may be off by this share of the time that is left before it is given anew.
MOVED = 0.2
# So long it stands, even if it became narrower meanwhile.
STANDS_FOR = timedelta(minutes=30)
# How exactly a time is told: the less is left, the finer. Never finer than people are shown it, so
# that what they read is rounded outward and not cut.
_MINUTE = timedelta(minutes=1)
_STEPS = (
    (timedelta(minutes=15), _MINUTE),
    (timedelta(hours=2), timedelta(minutes=5)),
    (timedelta(hours=12), timedelta(minutes=15)),
)
_LONGEST_STEP = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The range that was given: when, and in which phase of the work."""

    low_at: datetime
    high_at: datetime
    given_at: datetime
    phase: str


def allowance(high_at: datetime, *, at: datetime, least: timedelta) -> timedelta:
    """Return how far the truth may be from what was told before that is told anew."""
    return max(MOVED * (high_at - at), least)


def outward(low_at: datetime, high_at: datetime) -> tuple[datetime, datetime]:
    """Return the range in whole minutes, as it is shown: the low end down, the high end up."""
    return _down(low_at, _MINUTE), _up(high_at, _MINUTE)


def calmed(
    given: Given | None, *, low_at: datetime, high_at: datetime, phase: str, at: datetime
) -> Given:
    """Return the range to give for a forecast: the one that was given, as long as it serves.

    It is given anew, rounded outward, when it has passed, when the forecast leaves it by more than
    the allowance, and, at another phase or after half an hour, also when the forecast leaves it at
    all or has become narrower by more than that. It never begins before the minute that runs: of
    a range that stands, the part that has passed is left out, and the minute that runs with it
    unless the forecast begins there.
    """
    low_at = max(low_at, at)
    step = _step(high_at - at)
    begins_at = _down(low_at, step)
    if begins_at < _down(at, _MINUTE):
        begins_at = _down(low_at, _step(low_at - at))
    fresh = Given(low_at=begins_at, high_at=_up(high_at, step), given_at=at, phase=phase)
    if given is None or at > given.high_at:
        return fresh
    if given.low_at <= _down(at, _MINUTE):
        given = replace(given, low_at=min(begins_at, given.high_at))
    outside = max(given.low_at - low_at, high_at - given.high_at)
    allowed = allowance(given.high_at, at=at, least=step)
    if outside > allowed:
        return fresh
    if phase == given.phase and at - given.given_at < STANDS_FOR:
        return given
    inside = max(fresh.low_at - max(given.low_at, at), given.high_at - fresh.high_at)
    return fresh if outside > timedelta(0) or inside > allowed else given


def _step(left: timedelta) -> timedelta:
    return next((step for most, step in _STEPS if left < most), _LONGEST_STEP)


def _down(at: datetime, step: timedelta) -> datetime:
    return _EPOCH + (at - _EPOCH) // step * step


def _up(at: datetime, step: timedelta) -> datetime:
    return _EPOCH - (_EPOCH - at) // step * step
