"""The hours of the day at which a storage gives far less than it can, as measurements show them."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOURS = 24
# An hour is busy if it gives less than this share of a good hour's speed, or refuses so many.
_SLOW_SHARE = 0.5
_REFUSED_SHARE = 0.2
# What happened on one day only is weather, not a habit.
_DAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a storage gave at one moment: bytes a second, and the share of requests it refused."""

    at: datetime
    rate: float
    refused: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A stretch of the day in UTC: from ``begins`` o'clock to ``ends`` o'clock.

    ``share`` is its speed against that of a good hour; ``days`` is on how many days it was seen.
    """

    begins: int
    ends: int
    share: float
    days: int

    @property
    def words(self) -> str:
        return f"{self.begins:02}:00 to {self.ends:02}:00 UTC"

    def meets(self, begins_at: datetime, seconds: float) -> bool:
        """Say whether a stretch of time that begins there falls into it."""
        hours = (self.ends - self.begins) % HOURS or HOURS
        first = begins_at.replace(hour=self.begins, minute=0, second=0, microsecond=0)
        ends_at = begins_at + timedelta(seconds=seconds)
        windows = (first + timedelta(days=day) for day in (-1, 0, 1))
        return any(
            window < ends_at and begins_at < window + timedelta(hours=hours) for window in windows
        )


def busy_hours(measured: Sequence[Measured]) -> list[Busy]:
    """Return the stretches of the day in which the storage was far slower, or refused much."""
    by_hour: dict[int, list[Measured]] = defaultdict(list)
    for each in measured:
        by_hour[each.at.hour].append(each)
    rates = {hour: statistics.median(e.rate for e in seen) for hour, seen in by_hour.items()}
    if not rates:
        return []
    # The upper quarter is what it can give; a mean would sink with the night.
    good = sorted(rates.values())[-max(1, len(rates) // 4)]
    busy = {
        hour
        for hour, seen in by_hour.items()
        if len({each.at.date() for each in seen}) >= _DAYS
        and (
            rates[hour] < _SLOW_SHARE * good
            or statistics.fmean(each.refused for each in seen) > _REFUSED_SHARE
        )
    }
    return [
        Busy(
            begins=hours[0],
            ends=(hours[-1] + 1) % HOURS,
            share=statistics.fmean(rates[hour] for hour in hours) / good if good else 0.0,
            days=max(len({each.at.date() for each in by_hour[hour]}) for hour in hours),
        )
        for hours in _stretches(busy)
    ]


def _stretches(hours: set[int]) -> list[list[int]]:
    """Return runs of hours, one over midnight in one piece."""
    if len(hours) == HOURS:
        return [list(range(HOURS))]
    runs = []
    for first in sorted(hours):
        if (first - 1) % HOURS in hours:
            continue
        run = [first]
        while (run[-1] + 1) % HOURS in hours:
            run.append((run[-1] + 1) % HOURS)
        runs.append(run)
    return runs
