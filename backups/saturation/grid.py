"""Readings hour by hour, against the level at which the storage stood on that day.

The level is the running median of the days' good hours: it follows a change of the line on the day
on which it came, and no bad night or weekend moves it.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from backups.saturation.values import Reading

HOUR_SECONDS = 3600
QUARTER = 15
QUARTER_SECONDS = QUARTER * 60
# So many measures an hour tell its quarters apart.
_FINE = 2.5
# Of a day the quarter of its best hours; of these the median of a week.
_GOOD_SHARE = 0.7
_WEEK = 3
_FEW_HOURS = 4
_COMMON_HOURS = 5
# What is further below than this belongs to no even storage, and what all requests failed in.
_SLOW = math.log(1.4)
NOTHING_CAME = -math.log(4)
_LEAST_NOISE = 0.12
_SPREAD_OF_MEDIAN = 1.4826
_LEAST_ERRORS = 0.01


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour: its speed as a logarithm against the day's level, and how many requests failed."""

    off: float | None
    asked: int
    failed: int


@dataclass(frozen=True, slots=True)
class Grid:
    """Hours by their number since 1970, each so many seconds (``shift``) before a full one of UTC.

    ``noise`` is how far a good hour strays; ``quarters`` are the speeds of quarters of hours, where
    the readings are as fine as that.
    """

    hours: Mapping[int, Hour]
    noise: float
    errors: float
    quarters: Mapping[int, float]
    shift: int = 0

    def begin_of(self, hour: int) -> datetime:
        return datetime.fromtimestamp(hour * HOUR_SECONDS - self.shift, tz=UTC)

    def middle_of(self, hour: int) -> datetime:
        return self.begin_of(hour) + timedelta(minutes=30)


def hour_of(at: datetime, shift: int = 0) -> int:
    return int((at.timestamp() + shift) // HOUR_SECONDS)


def quarter_of(number: int, tz: str) -> datetime:
    """Return when a quarter of an hour begins, as a zone's clocks show it."""
    return datetime.fromtimestamp(number * QUARTER_SECONDS, tz=ZoneInfo(tz))


def make_grid(readings: Sequence[Reading], *, shift: int = 0, apart: Collection[int] = ()) -> Grid:
    """Put readings into hours; those ``apart`` say nothing of the level.

    ``shift`` is for zones whose hours begin between those of UTC.
    """
    speeds = _speeds(readings, shift)
    levels = _levels({hour: speed for hour, speed in speeds.items() if hour not in apart})
    offs = {hour: speed - levels[_day(hour)] for hour, speed in speeds.items()}
    good = [off for hour, off in offs.items() if hour not in apart]
    # The good hours lie a little below the best ones.
    middle = 0.0
    for _round in range(3):
        near = [off for off in good if abs(off - middle) < _SLOW]
        middle = statistics.median(near) if near else middle
    near = [abs(off - middle) for off in good if abs(off - middle) < 2 * _SLOW]
    noise = _SPREAD_OF_MEDIAN * statistics.median(near) if near else _LEAST_NOISE
    hours = {
        hour: Hour(_off(offs[hour] - middle if hour in offs else None, *counts), *counts)
        for hour, counts in _counts(readings, shift).items()
    }
    return Grid(
        hours=hours,
        noise=max(noise, _LEAST_NOISE),
        errors=_usual_errors(hours, apart),
        shift=shift,
        quarters={
            number: speed
            - levels[_day((number * QUARTER_SECONDS + shift) // HOUR_SECONDS)]
            - middle
            for number, speed in _quarters(readings).items()
        },
    )


def _counts(readings: Sequence[Reading], shift: int) -> Mapping[int, tuple[int, int]]:
    """Return, by hours, how many requests were made and how many failed."""
    counts: dict[int, tuple[int, int]] = {}
    for each in readings:
        hour = hour_of(each.at, shift)
        asked, failed = counts.get(hour, (0, 0))
        counts[hour] = asked + each.asked, failed + each.failed
    return counts


def _quarters(readings: Sequence[Reading]) -> Mapping[int, float]:
    """Return the speed by quarters of hours; nothing where most hours have fewer measures."""
    kinds: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in readings:
        if each.speed is not None and each.speed > 0:
            number = int(each.at.timestamp() // QUARTER_SECONDS)
            kinds[each.kind][number].append(math.log(each.speed))
    main = max(kinds.values(), key=len, default={})
    hours = {number // 4 for number in main}
    if not hours or len(main) < _FINE * len(hours):
        return {}
    return {number: statistics.median(values) for number, values in main.items()}


def _off(off: float | None, asked: int, failed: int) -> float | None:
    if off is None and asked and failed == asked:
        return NOTHING_CAME
    return off


def _speeds(readings: Sequence[Reading], shift: int) -> dict[int, float]:
    """Return one speed an hour, as a logarithm; kinds are put on one scale where they overlap."""
    kinds: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in readings:
        if each.speed is not None and each.speed > 0:
            kinds[each.kind][hour_of(each.at, shift)].append(math.log(each.speed))
    series = [
        {hour: statistics.median(values) for hour, values in hours.items()}
        for hours in kinds.values()
    ]
    if not series:
        return {}
    series.sort(key=len, reverse=True)
    main, *others = series
    found = {hour: [speed] for hour, speed in main.items()}
    for other in others:
        common = [other[hour] - main[hour] for hour in other.keys() & main.keys()]
        if len(common) >= _COMMON_HOURS:
            apart = statistics.median(common)
            for hour, speed in other.items():
                found.setdefault(hour, []).append(speed - apart)
    return {hour: statistics.fmean(speeds) for hour, speeds in found.items()}


def _levels(speeds: Mapping[int, float]) -> "_Levels":
    days: dict[date, list[float]] = defaultdict(list)
    for hour, speed in speeds.items():
        days[_day(hour)].append(speed)
    good = {
        day: _share(sorted(values), _GOOD_SHARE)
        for day, values in days.items()
        if len(values) >= _FEW_HOURS
    }
    everything = sorted(speeds.values())
    return _Levels(good, _share(everything, _GOOD_SHARE) if everything else 0.0)


class _Levels:
    """The level of each day."""

    def __init__(self, good: Mapping[date, float], usual: float) -> None:
        self._good = good
        self._usual = usual
        self._found: dict[date, float] = {}

    def __getitem__(self, day: date) -> float:
        if day not in self._found:
            near = (day + timedelta(days=off) for off in range(-_WEEK, _WEEK + 1))
            values = [self._good[each] for each in near if each in self._good]
            self._found[day] = statistics.median(values) if values else self._usual
        return self._found[day]


def _day(hour: int) -> date:
    return datetime.fromtimestamp(hour * HOUR_SECONDS, tz=UTC).date()


def _share(values: Sequence[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


def _usual_errors(hours: Mapping[int, Hour], apart: Collection[int]) -> float:
    """Return which share of requests fails at good hours: those of the better half."""
    shares = sorted(
        (each.failed / each.asked, each.asked, each.failed)
        for hour, each in hours.items()
        if each.asked and hour not in apart
    )
    better = shares[: max(1, len(shares) * 3 // 4)]
    asked = sum(each[1] for each in better)
    return max(sum(each[2] for each in better) / asked if asked else 0.0, _LEAST_ERRORS)
