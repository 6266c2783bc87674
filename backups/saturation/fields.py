"""Hours laid out as a field, days by hours of the day in one zone, and rectangles in it."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from backups.saturation.grid import Grid, Hour
from backups.saturation.values import EVERY_DAY

HOURS = 24
# Days that may have hours of their own, and how much better they must explain than every day.
LENSES: tuple[tuple[tuple[int, ...], float], ...] = (
    (EVERY_DAY, 0.0),
    ((1, 2, 3, 4, 5), 5.0),
    ((6, 7), 5.0),
    *(((day,), 8.0) for day in EVERY_DAY),
)
# Views of what is wrong: "so much slower", and "so many fail".
_SLOWER = (math.log(2), math.log(4))
_FAILING = (0.12, 0.3)
_VIEWS = len(_SLOWER) + len(_FAILING)
# One hour says no more than this, however bad: a habit is many of them. Hours that follow each
# other are alike, and count half.
_MOST = 5.0
_ALIKE = 0.5
_MOST_ASKED = 16
# A night on which it does not come speaks against a window, but less than others speak for it.
_STAYS_AWAY = 0.6
# So often a weekday was looked at before it is believed to be a good one.
_TELLING = 3


def least_seen(weekdays: Sequence[int]) -> int:
    """Return on how many days a window has to have been bad."""
    return 4 if len(weekdays) == 2 else 3  # noqa: PLR2004 - two weekends


@dataclass(frozen=True, slots=True)
class Patch:
    """A rectangle: the hours from ``begins`` on, on the days of a lens, from one to the last."""

    score: float
    weekdays: tuple[int, ...]
    begins: int
    hours: int
    days: Sequence[int]
    # Which of the views it was seen in: slower by so much, or the last, failing.
    view: int

    @property
    def by_errors(self) -> bool:
        return self.view >= len(_SLOWER)


class Field:
    """The hours of a grid as one zone counts them."""

    def __init__(self, grid: Grid, tz: str) -> None:
        self.tz = tz
        zone = ZoneInfo(tz)
        by_cell: dict[tuple[date, int], list[Hour]] = {}
        for number, hour in grid.hours.items():
            here = grid.begin_of(number).astimezone(zone)
            by_cell.setdefault((here.date(), here.hour), []).append(hour)
        first = min(day for day, _hour in by_cell)
        count = (max(day for day, _hour in by_cell) - first).days + 1
        self.days = [first + timedelta(days=number) for number in range(count)]
        self._grid = grid
        # With a day behind the last: a window may end on the next day.
        self._cells: list[list[Hour | None]] = [[None] * HOURS for _day in range(count + 1)]
        for (day, clock), hours in by_cell.items():
            self._cells[(day - first).days][clock] = _as_one(hours)
        self._free = [[True] * HOURS for _day in range(count + 1)]
        self._worth = [
            [[self._worth_of(cell, view) for cell in row] for row in self._cells]
            for view in range(_VIEWS)
        ]

    def best(self) -> Patch | None:
        """Return the rectangle that speaks most for a window; None if nothing does."""
        best: Patch | None = None
        for view, worth in enumerate(self._worth):
            sums = [_sums([*worth[day], *worth[day + 1]]) for day in range(len(self.days))]
            for weekdays, costs in LENSES:
                days = [n for n, day in enumerate(self.days) if day.isoweekday() in weekdays]
                least = max(best.score if best else 0.0, 0.0) + costs
                found = _greatest([sums[day] for day in days], least, least_seen(weekdays))
                if found is not None:
                    score, begins, hours, first, last = found
                    best = Patch(
                        score - costs, weekdays, begins, hours, days[first : last + 1], view
                    )
        return self._narrowed(best) if best is not None else None

    def _narrowed(self, patch: Patch) -> Patch:
        """Return the heaviest part of a patch without good hours in its middle or good weekdays."""
        columns = [
            sum(self._worth_at(patch.view, day, hour) for day in patch.days)
            for hour in range(patch.begins, patch.begins + patch.hours)
        ]
        best = run = 0.0
        begins, hours, since = 0, patch.hours, 0
        for place, column in enumerate(columns):
            run += column
            if column < 0:
                run, since = 0.0, place + 1
            elif run > best:
                best, begins, hours = run, since, place + 1 - since
        more, clock = divmod(patch.begins + begins, HOURS)
        days = [day + more for day in patch.days if day + more < len(self.days)]
        weekdays = tuple(sorted((day + more - 1) % 7 + 1 for day in patch.weekdays))
        return self._on_its_days(
            Patch(patch.score - sum(columns) + best, weekdays, clock, hours, days, patch.view)
        )

    def _on_its_days(self, patch: Patch) -> Patch:
        """Return a patch without the weekdays on which it never comes."""
        by_weekday: dict[int, list[int]] = {}
        for day in patch.days:
            by_weekday.setdefault(self.days[day].isoweekday(), []).append(day)
        lens, lost = set(patch.weekdays), 0.0
        for weekday, days in by_weekday.items():
            sums = [self._worth_of_day(patch, day) for day in days]
            looked = sum(worth != 0 for worth in sums)
            if looked >= _TELLING and sum(sums) < 0:
                lens.discard(weekday)
                lost += sum(sums)
        # Other sets of days are chance more often than not; true ones are found day by day.
        if not any(lens == set(weekdays) for weekdays, _costs in LENSES):
            return patch
        days = [day for day in patch.days if self.days[day].isoweekday() in lens]
        return replace(patch, score=patch.score - lost, weekdays=tuple(sorted(lens)), days=days)

    def _worth_of_day(self, patch: Patch, day: int) -> float:
        hours = range(patch.begins, patch.begins + patch.hours)
        return sum(self._worth_at(patch.view, day, hour) for hour in hours)

    def _worth_at(self, view: int, day: int, hour: int) -> float:
        more, clock = divmod(hour, HOURS)
        return self._worth[view][day + more][clock]

    def inside(self, patch: Patch, day: int) -> list[Hour]:
        """Return what was measured of a patch on one of its days."""
        cells = [*self._cells[day], *self._cells[day + 1]]
        span = cells[patch.begins : patch.begins + patch.hours]
        return [cell for cell in span if cell is not None]

    def outside(self, patch: Patch) -> list[Hour]:
        """Return the hours of the same days that are in no window."""
        taken = {
            divmod(day * HOURS + patch.begins + hour, HOURS)
            for day in patch.days
            for hour in range(patch.hours)
        }
        return [
            cell
            for day in patch.days
            for clock, cell in enumerate(self._cells[day])
            if cell is not None and self._free[day][clock] and (day, clock) not in taken
        ]

    def lens_days(self, patch: Patch) -> list[int]:
        """Return all days of a patch's lens, those before and after it included."""
        return [n for n, day in enumerate(self.days) if day.isoweekday() in patch.weekdays]

    def take(self, patch: Patch) -> None:
        """Look at these hours no more; those beside them may not become a window of their own."""
        for day in patch.days:
            for hour in range(-1, patch.hours + 1):
                row, clock = divmod(day * HOURS + patch.begins + hour, HOURS)
                if not 0 <= row < len(self._cells):
                    continue
                is_edge = hour in (-1, patch.hours)
                self._free[row][clock] &= is_edge
                for worth in self._worth:
                    worth[row][clock] = min(worth[row][clock], 0.0) if is_edge else 0.0

    def _worth_of(self, cell: Hour | None, view: int) -> float:
        if cell is None:
            return 0.0
        if view >= len(_SLOWER):
            share = min(1.0, _MOST_ASKED / cell.asked) if cell.asked else 0.0
            worth = share * _likelier(cell, self._grid.errors, _FAILING[view - len(_SLOWER)])
        elif cell.off is None:
            return 0.0
        else:
            slow = _SLOWER[view]
            worth = (-slow * cell.off - slow * slow / 2) / self._grid.noise**2
        return _ALIKE * max(-_MOST, min(worth, _MOST))


def _likelier(cell: Hour, usual: float, failing: float) -> float:
    failing = max(failing, 4 * usual)
    if failing >= 1:
        return 0.0
    good = cell.asked - cell.failed
    return cell.failed * math.log(failing / usual) + good * math.log((1 - failing) / (1 - usual))


def _as_one(hours: Sequence[Hour]) -> Hour:
    """Return an hour that came twice as one."""
    offs = [hour.off for hour in hours if hour.off is not None]
    return Hour(
        statistics.fmean(offs) if offs else None,
        sum(hour.asked for hour in hours),
        sum(hour.failed for hour in hours),
    )


def _sums(values: Sequence[float]) -> list[float]:
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums


def _greatest(
    rows: Sequence[Sequence[float]], least: float, seen: int
) -> tuple[float, int, int, int, int] | None:
    """Return the greatest rectangle above ``least``: its sum, first hour, hours, first, last row.

    The rows are running sums over two days; on ``seen`` of them at least it has to be bad.
    """
    found = None
    for begins, hours in _intervals(rows, least):
        score = run = 0.0
        first = since = last = bad = 0
        ends = begins + hours
        for place, row in enumerate(rows):
            worth = row[ends] - row[begins]
            run += worth if worth > 0 else worth * _STAYS_AWAY
            if run <= 0:
                run, since, bad = 0.0, place + 1, 0
                continue
            bad += worth > 0
            if run > score and bad >= seen:
                score, first, last = run, since, place
        if score > least:
            least, found = score, (score, begins, hours, first, last)
    return found


def _intervals(rows: Sequence[Sequence[float]], least: float) -> Iterator[tuple[int, int]]:
    """Return the stretches of the day, without those in which no rectangle can be that great."""
    most = _sums(
        [
            sum(max(row[hour + 1] - row[hour], 0.0) for row in rows)
            for hour in range(2 * HOURS if rows else 0)
        ]
    )
    for hours in range(HOURS if rows else 0, 0, -1):
        # All day is from midnight to midnight.
        for begins in range(HOURS if hours < HOURS else 1):
            if most[begins + hours] - most[begins] > least:
                yield begins, hours
