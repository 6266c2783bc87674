"""Finding the windows in what was measured over days and weeks.

In each zone that may explain them, the hours lie in a field of days by hours of the day; what every
cell says for "so much slower" or "so many fail", against "as good as ever", is the logarithm of a
likelihood. A window with its first and its last day is the rectangle with the greatest sum
(Bentley, Programming Pearls, 1986, column 8), over all days, those of the week, the weekend, or one
weekday. It is kept if it was seen often enough and the other hours of its days are better; then the
next is looked for in what is left. The zone whose windows explain most is the one they keep to.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from backups.saturation.edges import joined, refined
from backups.saturation.fields import Field, Patch, least_seen
from backups.saturation.grid import HOUR_SECONDS, Grid, Hour, hour_of, make_grid
from backups.saturation.values import LEAST_SLOWER, Reading, Window

# With fewer days than this nothing can be called a habit.
LEAST_DAYS = 3
# What a rectangle has to weigh.
_LEAST_SCORE = 10.0
_LEAST_SCORE_OF_PAST = 20.0
# On so many of its days it has to have been bad, by so much of its usual badness.
_RECURS = 0.6
_FEW = 3
_GRAVE = 2.2
_GRAVE_ERRORS = 0.2
# A weekday or two have to differ by more: there are many of them to choose from.
_LEAST_SLOWER_OF_FEW = 1.8
_HALF = 0.5
# Errors that are called a window: this share, and so many times the usual one.
_LEAST_ERRORS = 0.07
_MORE_ERRORS = 4.0
# It is over once as many of its days went by well.
_OVER_AFTER = 3
_OVER_AFTER_WEEKS = 2
# A window of nearly all day is held against the level: its days have no other hours.
_NEARLY_ALL_DAY = 20
_MOST_TRIES = 10
# So much better another zone than the first has to fit; no hour counts more than that.
_BETTER = 5.0
_MOST_MISFIT = 6.0
_WEEK = timedelta(days=7)


def find_windows(
    readings: Sequence[Reading], *, at: datetime, zones: Sequence[str] = ("UTC",)
) -> list[Window]:
    """Return the windows that the readings up to this moment show, those that are over included.

    Their hours are counted in the zone that explains them best; of those that do alike, in the
    first. A window that was there from the first day on is since then at the latest.
    """
    readings = [each for each in readings if each.at <= at]
    if len({each.at.date() for each in readings}) < LEAST_DAYS:
        return []
    grids: dict[int, Grid] = {}
    best: _Fit | None = None
    for tz in dict.fromkeys(zones):
        shift = _shift_of(tz, at)
        grid = grids.setdefault(shift, make_grid(readings, shift=shift))
        windows = _windows_in(grid, tz)
        fit = _Fit(tz, windows, _misfit(grid, windows) * len(grid.hours))
        if windows and (best is None or fit.misfit < best.misfit - _BETTER):
            best = fit
    if best is None:
        return []
    # Once more, with a level that the windows do not pull down.
    grid = grids[_shift_of(best.tz, at)]
    apart = {
        hour
        for hour in grid.hours
        if any(window.covers(grid.middle_of(hour)) for window in best.windows)
    }
    grid = make_grid(readings, shift=grid.shift, apart=apart)
    return [refined(window, grid) for window in joined(_windows_in(grid, best.tz))]


@dataclass(frozen=True, slots=True)
class _Fit:
    """The windows of one zone, and how much of what was measured they leave unexplained."""

    tz: str
    windows: Sequence[Window]
    misfit: float


def _misfit(grid: Grid, windows: Sequence[Window]) -> float:
    """Return how unlikely an hour is under the windows, on the average: half its log-likelihood.

    Hours that fit nothing count no more than those that fit badly.
    """
    total = 0.0
    for number, hour in grid.hours.items():
        now = [window for window in windows if window.covers(grid.middle_of(number))]
        if hour.off is not None:
            slower = max((math.log(each.factor) for each in now), default=0.0)
            total += min(((hour.off + slower) / grid.noise) ** 2 / 2, _MOST_MISFIT)
        share = max([grid.errors, *(each.error_share or 0.0 for each in now)])
        share = min(share, 0.95)
        fails = hour.failed * math.log(share) + (hour.asked - hour.failed) * math.log(1 - share)
        total += min(-fails, _MOST_MISFIT)
    return total / len(grid.hours) / 2


def _shift_of(tz: str, at: datetime) -> int:
    """Return by how many seconds the hours of a zone begin before those of UTC."""
    offset = at.astimezone(ZoneInfo(tz)).utcoffset() or timedelta()
    return int(offset.total_seconds()) % HOUR_SECONDS


def was_looked_at(readings: Sequence[Reading], window: Window, *, at: datetime) -> bool:
    """Say whether at least half of a window's hours of the last week were measured."""
    measured = {hour_of(each.at) for each in readings}
    hours = {
        number
        for begins, ends in window.stretches(at - _WEEK, at)
        for number in range(hour_of(begins), hour_of(min(ends, at)))
    }
    return bool(hours) and len(hours & measured) >= _HALF * len(hours)


def _windows_in(grid: Grid, tz: str) -> list[Window]:
    """Return the windows as one zone counts the hours."""
    field = Field(grid, tz)
    windows = []
    for _try in range(_MOST_TRIES):
        patch = field.best()
        if patch is None or patch.score < _LEAST_SCORE:
            break
        window = _judged(field, patch, grid)
        field.take(patch)
        if window is not None:
            windows.append(window)
    return windows


def _judged(field: Field, patch: Patch, grid: Grid) -> Window | None:
    """Return the window that a patch is, or None if it is only weather."""
    by_day = {day: field.inside(patch, day) for day in patch.days}
    seen = [day for day, cells in by_day.items() if len(cells) >= _HALF * patch.hours]
    if len(seen) < least_seen(patch.weekdays):
        return None
    inside = [cell for cells in by_day.values() for cell in cells]
    slower, errors = _slower(field, patch, inside), _error_share(inside)
    if patch.by_errors:
        if errors < max(_LEAST_ERRORS, _MORE_ERRORS * grid.errors):
            return None
        bad = [day for day in seen if _error_share(by_day[day]) > _HALF * errors]
    else:
        if slower < (LEAST_SLOWER if len(patch.weekdays) > _FEW else _LEAST_SLOWER_OF_FEW):
            return None
        bad = [day for day in seen if _middle_off(by_day[day]) < -_HALF * math.log(slower)]
    if len(bad) < max(least_seen(patch.weekdays), _RECURS * len(seen)):
        return None
    # Three very bad nights in a row are a habit; others may be chance.
    is_grave = slower >= _GRAVE or errors >= _GRAVE_ERRORS
    if len(bad) <= _FEW and not (is_grave and (len(bad) == len(seen) or len(patch.weekdays) == 1)):
        return None
    window = _window(field, patch, slower=slower, errors=errors)
    # What is over serves as history only: there is no hurry to tell of it.
    is_faint = patch.score < _LEAST_SCORE_OF_PAST or not is_grave
    return None if window.until_at is not None and is_faint else window


def _window(field: Field, patch: Patch, *, slower: float, errors: float) -> Window:
    begins, minutes = patch.begins * 60, patch.hours * 60
    zone = ZoneInfo(field.tz)
    first, last = (
        datetime.combine(field.days[day], datetime.min.time(), tzinfo=zone)
        for day in (patch.days[0], patch.days[-1])
    )
    return Window(
        weekdays=patch.weekdays,
        from_minute=begins,
        until_minute=(begins + minutes - 1) % 1440 + 1,
        tz=field.tz,
        slower=round(max(slower, 1.0), 2),
        error_share=round(errors, 3),
        since_at=(first + timedelta(minutes=begins)).astimezone(UTC),
        until_at=(last + timedelta(minutes=begins + minutes)).astimezone(UTC)
        if _is_over(field, patch)
        else None,
    )


def _is_over(field: Field, patch: Patch) -> bool:
    """Say whether it was looked for on enough days after its last, and was not there."""
    after = [day for day in field.lens_days(patch) if day > patch.days[-1]]
    looked = [day for day in after if len(field.inside(patch, day)) >= _HALF * patch.hours]
    return len(looked) >= (_OVER_AFTER_WEEKS if len(patch.weekdays) == 1 else _OVER_AFTER)


def _slower(field: Field, patch: Patch, inside: Sequence[Hour]) -> float:
    middle = _middle_off(inside)
    outside = field.outside(patch)
    good = 0.0
    if patch.hours < _NEARLY_ALL_DAY and len(outside) >= len(patch.days):
        good = _middle_off(outside)
    return math.exp(min(good - middle, 5.0))


def _middle_off(hours: Sequence[Hour]) -> float:
    offs = [hour.off for hour in hours if hour.off is not None]
    return statistics.median(offs) if offs else 0.0


def _error_share(hours: Sequence[Hour]) -> float:
    asked = sum(hour.asked for hour in hours)
    return sum(hour.failed for hour in hours) / asked if asked else 0.0
