"""From a time as stated to the moment that is meant: dates, years, rollovers, zones."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from incidents.importer.calendar import Day
from incidents.importer.candidates import Candidate, Mark, Step
from incidents.importer.moments import Moment, counted_back
from incidents.importer.order import counts_to_twelve, is_newest_first
from incidents.importer.relative import Relative
from incidents.importer.sections import Section
from incidents.importer.stated import Point, Stated
from incidents.importer.year import nearest_year
from incidents.importer.zoning import Zoning

# A clock that goes back by more than this has passed midnight; by less, the list is not in
# order, which is for the lint to say.
_ROLLOVER = timedelta(hours=6)
_DAY = timedelta(days=1)
_NOON = 12


@dataclass(slots=True, kw_only=True)
class Resolved:
    """A candidate and the moment that its words mean."""

    candidate: Candidate
    start: Moment | None = None
    end: Moment | None = None
    approx: bool = False
    source: str = "none"
    before: Moment | None = None
    part: int = 1
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """What is known of the dates as a whole.

    ``anchor`` is a date of the right year, ``document`` the day that the document as a whole is
    about, ``day_first`` how its ambiguous numeric dates are read, ``zero`` the time that "T+5 min"
    counts from, where the document names it.
    """

    anchor: date | None
    document: date | None
    inferred: bool = False
    day_first: bool = False
    zero: Point | None = None


def resolve(steps: list[Step], *, calendar: Calendar, zoning: Zoning) -> list[Resolved]:
    """Give every candidate its moment. The order is that of the document."""
    resolved: dict[int, Resolved] = {}
    for part, group in enumerate(_groups(steps), 1):
        _Walk(calendar, zoning, part).through(group, resolved)
    return [resolved[n] for n in sorted(resolved)]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A candidate with its number, and the date that stands over it."""

    n: int
    candidate: Candidate
    mark: Mark | None


def _groups(steps: list[Step]) -> list[list[_Placed]]:
    """Return the candidates list by list, each list in the order of time."""
    groups: list[list[_Placed]] = []
    marks: list[Mark] = []
    section: Section | None = None
    for n, step in enumerate(steps):
        if isinstance(step, Mark):
            marks.append(step)
            continue
        root = _root(step.section)
        if section is None or root is not section:
            groups.append([])
            section = root
        groups[-1].append(_Placed(n, step, _mark_over(step, marks)))
    return [_in_order(group) for group in groups]


def _root(section: Section) -> Section:
    """Return the chapter a section is in: what stands right below the title."""
    while section.parent is not None and section.parent.level and not section.parent.is_title:
        section = section.parent
    return section


def _mark_over(candidate: Candidate, marks: list[Mark]) -> Mark | None:
    for mark in reversed(marks[-200:]):
        if mark.title:
            continue
        section: Section | None = candidate.section
        while section is not None:
            if section is mark.item.section:
                return mark
            section = section.parent
    return None


def _in_order(group: list[_Placed]) -> list[_Placed]:
    """Turn round a list that has the newest first."""
    return group[::-1] if is_newest_first(_stated(group)) else group


def _stated(group: list[_Placed]) -> list[Stated]:
    return [p.candidate.stated for p in group if p.candidate.stated is not None]


@dataclass(slots=True)
class _Walk:
    """Goes through one list and carries the date along."""

    calendar: Calendar
    zoning: Zoning
    part: int = 1
    last: Moment | None = None
    first: Moment | None = None
    source: str = "none"
    mark: Mark | None = None
    afternoon: bool = False
    anchor: date | None = None
    begin: date | None = None
    twelve: bool = False

    def through(self, group: list[_Placed], resolved: dict[int, Resolved]) -> None:
        self.begin = self._begin(group)
        self.twelve = counts_to_twelve(_stated(group))
        for placed in group:
            result = Resolved(
                candidate=placed.candidate, part=self.part, flags=list(placed.candidate.flags)
            )
            if placed.mark is not self.mark:
                self.mark, self.source = placed.mark, "mark"
            self._one(placed.candidate, result)
            resolved[placed.n] = result

    def _begin(self, group: list[_Placed]) -> date | None:
        for placed in group:
            stated = placed.candidate.stated
            if stated is not None and stated.has_clock and placed.candidate.relative is None:
                over = placed.mark.stated.start.day if placed.mark else None
                return self.place(stated.start.day or over) or self.calendar.document
        return None

    def _one(self, candidate: Candidate, result: Resolved) -> None:
        stated = candidate.stated
        if candidate.relative is not None:
            self._lean(candidate, result)
        elif stated is None:
            result.approx = True
        else:
            result.approx = stated.approx
            result.flags += [flag for flag in stated.flags if flag != "date_above"]
            if stated.is_blank and not stated.has_clock and not stated.has_day:
                return
            self._dated(candidate, stated.start, result)
            if stated.end is not None and result.start is not None:
                self._end(candidate, stated.end, result)
        ago = candidate.relative is not None and candidate.relative.ago
        if result.start is not None and not ago:
            self.last = result.start
            self.first = self.first or result.start

    def _dated(self, candidate: Candidate, point: Point, result: Resolved) -> None:
        clock = self._clock(candidate, point)
        day, result.source = self._day(candidate, point, clock)
        if day is None:
            result.source = "none"
            exists = point.day is None or point.day.year is None or point.day.on(point.day.year)
            result.flags.append("undated" if exists else "impossible_date")
            return
        if result.source == "rollover":
            result.flags.append("day_rollover")
        if point.next_day:
            day += _DAY
        if point.day is not None and point.day.year is None and self.calendar.inferred:
            result.flags.append("year_inferred")
        zone = self.zoning.zone_for(candidate, point) if clock is not None else None
        result.start = Moment(day=day, clock=clock, precision=_precision(point), zone=zone)

    def _day(
        self, candidate: Candidate, point: Point, clock: time | None
    ) -> tuple[date | None, str]:
        if point.day is not None:
            above = candidate.stated is not None and "date_above" in candidate.stated.flags
            day = self.place(point.day)
            if above and self._passes_midnight(day, clock):
                return (day + _DAY if day else None), "rollover"
            if above and self.source == "rollover" and self.last and day and self.last.day > day:
                return self.last.day, "inherited"
            self.source = "inline"
            return day, "inherited" if above else "inline"
        day, source = self._carried()
        if point.weekday is not None and day is not None and day.weekday() != point.weekday:
            # "Tuesday 09:00" after a Monday is the next Tuesday.
            self.source = "inline"
            return day + _DAY * ((point.weekday - day.weekday()) % 7), "inline"
        if source != "mark" and self._passes_midnight(day, clock):
            assert day is not None
            self.source = "rollover"
            return day + _DAY, "rollover"
        self.source = {"mark": "section"}.get(source, source)
        return day, self.source

    def _carried(self) -> tuple[date | None, str]:
        """Return the date of an entry that states none."""
        marked = self.place(self.mark.stated.start.day) if self.mark is not None else None
        if self.source == "mark" and marked is not None:
            return marked, "mark"
        if self.source == "inline" and marked is not None and self.last is not None:
            # An aside about an earlier day ends with its line; a later day goes on.
            later = self.last.day > marked
            return (self.last.day, "inherited") if later else (marked, "mark")
        if self.last is not None:
            if self.source in ("section", "document"):
                return self.last.day, self.source
            return self.last.day, "inherited"
        if marked is not None:
            return marked, "mark"
        return self.calendar.document, "document" if self.calendar.document else "none"

    def _passes_midnight(self, day: date | None, clock: time | None) -> bool:
        if day is None or clock is None or self.last is None or self.last.clock is None:
            return False
        back = self.last.wall - datetime.combine(day, clock)
        return self.last.day == day and back > _ROLLOVER

    def _clock(self, candidate: Candidate, point: Point) -> time | None:
        """Return the clock; "1:05" after "12:50 PM" is an afternoon's as well."""
        clock = point.clock
        if clock is None:
            return None
        said = candidate.stated.said if candidate.stated else ""
        bare = not point.meridiem and clock.hour <= _NOON and f"0{clock.hour}" not in said[:4]
        last = self.last.clock if self.last else None
        carried = point.day is None and self.source != "mark"
        if bare and carried and last and clock < last and self._turns_at_noon(clock, last):
            later = clock.replace(hour=clock.hour % 12 + 12)
            return later if later >= last else clock
        self.afternoon = point.meridiem and clock.hour >= _NOON
        return clock

    def _turns_at_noon(self, clock: time, last: time) -> bool:
        """Whether a clock that goes back may be an afternoon's instead of the next day's."""
        if self.afternoon or not self.twelve:
            return self.afternoon
        return last.hour >= _NOON or last.hour - clock.hour > _ROLLOVER // timedelta(hours=1)

    def _end(self, candidate: Candidate, point: Point, result: Resolved) -> None:
        assert result.start is not None
        day = self.place(point.day) if point.day is not None else result.start.day
        if day is None:
            return
        if point.next_day:
            day += _DAY
        clock = point.clock
        starts = result.start.clock
        if point.day is None and clock is not None and starts is not None and clock < starts:
            day += _DAY
            result.flags.append("day_rollover")
        zone = self.zoning.zone_for(candidate, point) if clock is not None else None
        precision = "minute" if clock is not None else _precision(point)
        if precision != result.start.precision:
            return
        result.end = Moment(day=day, clock=clock, precision=precision, zone=zone)
        result.flags.append("range")

    def _lean(self, candidate: Candidate, result: Resolved) -> None:
        relative = candidate.relative
        assert relative is not None
        result.source = "relative"
        result.flags.append(f"relative:{relative.words.strip()}")
        result.approx = not relative.exact
        if relative.before:
            self._place_before(candidate, result)
        elif relative.count is not None:
            self._shift(self._zero(candidate) or self.first, relative.count, candidate, result)
        elif relative.ago:
            result.start = counted_back(self.begin, relative.ago) if self.begin else None
        elif relative.stated is not None and (self.last or relative.stated.has_day):
            self._lean_on_day(candidate, relative, relative.stated, result)
        elif relative.exact:
            self._shift(self.last, relative.shift or timedelta(), candidate, result)
        elif self.last is not None:
            day = self.last.day + (relative.shift or timedelta())
            result.start = Moment(day=day, precision="day")

    def _lean_on_day(
        self, candidate: Candidate, relative: Relative, stated: Stated, result: Resolved
    ) -> None:
        point = stated.start
        day = self.place(point.day)
        if day is None and self.last is not None:
            day = self.last.day + (relative.shift or timedelta())
        if day is not None:
            zone = self.zoning.zone_for(candidate, point) if point.clock is not None else None
            result.start = Moment(
                day=day, clock=point.clock, precision=_precision(point), zone=zone
            )
        result.approx = stated.approx

    def _zero(self, candidate: Candidate) -> Moment | None:
        """Return the moment that the document counts from, if it names one."""
        zero = self.calendar.zero
        if zero is None or zero.clock is None:
            return None
        day = self.place(zero.day) if zero.day else self.calendar.document
        if day is None:
            return None
        return Moment(day=day, clock=zero.clock, zone=self.zoning.zone_for(candidate, zero))

    def _place_before(self, candidate: Candidate, result: Resolved) -> None:
        assert candidate.relative is not None
        assert candidate.relative.stated is not None
        point = candidate.relative.stated.start
        day = self.place(point.day) if point.day else self._carried()[0]
        if day is not None:
            result.before = Moment(
                day=day,
                clock=point.clock,
                precision=_precision(point),
                zone=self.zoning.zone_for(candidate, point),
            )

    def _shift(
        self, base: Moment | None, by: timedelta, candidate: Candidate, result: Resolved
    ) -> None:
        if base is None or base.clock is None:
            result.approx = True
            return
        moment = base.wall + by
        zone = base.zone or self.zoning.zone_for(candidate, Point())
        result.start = Moment(day=moment.date(), clock=moment.time(), zone=zone)

    def place(self, day: Day | None) -> date | None:
        """Return the calendar date that a stated one means."""
        if day is None:
            return None
        if day.swapped is not None and self.calendar.day_first:
            day = day.swapped
        if day.year is not None:
            placed = day.on(day.year)
        elif self.anchor or self.calendar.anchor:
            anchor = self.anchor or self.calendar.anchor
            assert anchor is not None
            placed = day.on(nearest_year(day.month, day.day or 1, anchor))
        else:
            return None
        self.anchor = placed or self.anchor
        return placed


def _precision(point: Point) -> str:
    if point.clock is not None:
        return "minute"
    if point.day is None or point.day.day is not None:
        return "day"
    return "month" if point.day.month else "year"
