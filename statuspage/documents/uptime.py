"""How much of the time components were there: by day, and as figures that never flatter.

A day is a day of the page's zone, so it has 23 or 25 hours when the clocks change. What nobody
has on record is unknown: it is neither up nor down. What is packed here of a component's past
does not change until midnight, so that a publish has to look at today only.
"""

import functools
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from fractions import Fraction

from incidents.values import ComponentStatus, local

# The spans for which there are figures, in days; today is the last of them.
SPANS = (30, 90, 365)
# How many days are drawn.
DRAWN = 90
_DAYS = SPANS[-1]
# The places of days in a calendar: the first that is drawn, and the last of all.
FIRST_DRAWN = _DAYS - DRAWN
TODAY = _DAYS - 1

_STATUSES = tuple(ComponentStatus)
# By the bare word too, as it comes from the database.
_RANK: Mapping[str, int] = {status: rank for rank, status in enumerate(_STATUSES)}
_OPERATIONAL = ComponentStatus.OPERATIONAL
_MAINTENANCE = ComponentStatus.UNDER_MAINTENANCE
_NONE = timedelta(0)
# What an hour of each takes from an hour of uptime, in tenths. The rest takes nothing.
_LOSS = {ComponentStatus.MAJOR_OUTAGE: 10, ComponentStatus.PARTIAL_OUTAGE: 3}
_WHOLE: Fraction | None = Fraction(1)

# Time by status, in the order of the vocabulary: from operational to major outage.
Spent = tuple[timedelta, ...]
# A status, when it began, and when it ended; the last may have no end.
Stretch = tuple[str, datetime, datetime | None]
_Closed = tuple[str, datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days that the figures look back on, as a zone has them. The last one is today."""

    today: date
    # One moment more than days: a day lasts from its own to the next.
    edges: Sequence[datetime]

    def day(self, index: int) -> date:
        return self.today - timedelta(days=TODAY - index)

    def length(self, index: int) -> timedelta:
        return self.edges[index + 1] - self.edges[index]

    def index(self, moment: datetime) -> int:
        """Return the day into which a moment falls; the moment is in none before the first."""
        return bisect_right(self.edges, moment) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a component was on one day. Of today, what has passed."""

    on: date
    spent: Spent

    @property
    def worst(self) -> ComponentStatus | None:
        """The worst status that it had; None if nothing is on record."""
        pairs = zip(reversed(_STATUSES), reversed(self.spent), strict=True)
        return next((status for status, spent in pairs if spent), None)

    @property
    def known(self) -> timedelta:
        return sum(self.spent, _NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What there is of a component's history before today, packed."""

    # The first day of which anything is on record.
    first: int
    # The days that were not operational all through, oldest first.
    odd: Mapping[int, Day]
    # Time by status in each span, without today.
    spent: Mapping[int, Spent]
    # What reaches into today, oldest first.
    recent: tuple[Stretch, ...]
    start: datetime | None
    # Nothing was lost in any span, and nothing has changed since today began.
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a component or a group was on each of the days of a calendar."""

    calendar: Calendar
    # The first day of which anything is on record; one behind the last, if none is.
    first: int
    # The worst of each day that was not operational all through; None: nothing on record.
    worst: Mapping[int, ComponentStatus | None]
    # How much of each span it was up, 0 to 1; None: there is nothing to count.
    uptime: Mapping[int, Fraction | None]
    # A component's own: how long it was how on those days, what it is now, and since when.
    odd: Mapping[int, Day] = field(default_factory=dict)
    now: ComponentStatus | None = None
    since: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return self.first > TODAY


def calendar(at: datetime, zone: tzinfo) -> Calendar:
    """Return the days of which the one that holds the moment is the last."""
    return _calendar(local(at, zone).date(), zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins in a zone; the first moment of it, where the clocks change then."""
    return local(datetime.combine(day, time.min, tzinfo=zone), UTC)


def pack(stretches: Sequence[Stretch], calendar: Calendar, *, start: datetime | None) -> Past:
    """Return the past of a component, from its stretches in order. What is before is unknown.

    ``start`` is the moment before which nothing is shown and counted, if there is one.
    """
    begin, today = calendar.edges[0], calendar.edges[TODAY]
    floor = max(begin, start) if start else begin
    shown = [clipped for stretch in stretches if (clipped := _clip(stretch, floor, today))]
    first = calendar.index(shown[0][1]) if shown else TODAY
    found: dict[int, list[timedelta]] = {}
    for number, begins, ends in _numbered(shown, calendar.edges[first], today):
        if number:
            _spread(found, number, begins, ends, calendar)
    days = {
        index: Day(on=calendar.day(index), spent=_with_rest(spent, calendar.length(index)))
        for index, spent in sorted(found.items())
    }
    spent = {span: _sum(days, calendar, max(_DAYS - span, first)) for span in SPANS}
    recent = tuple(row for row in stretches if row[2] is None or row[2] > today)
    return Past(
        first=first,
        odd={index: day for index, day in days.items() if day.worst != _OPERATIONAL},
        spent=spent,
        recent=recent,
        start=start,
        is_whole=first < TODAY
        and [row[0] for row in recent] == [_OPERATIONAL]
        and all(uptime(part) is _WHOLE for part in spent.values()),
    )


def unpack(past: Past, calendar: Calendar, *, at: datetime) -> History:
    """Return the whole history at a moment of the calendar's last day."""
    odd, first, figures = past.odd, past.first, dict.fromkeys(SPANS, _WHOLE)
    if not past.is_whole:
        today = Day(on=calendar.today, spent=_spent_today(past, calendar, at=at))
        figures = {span: uptime(_added(past.spent[span], today.spent)) for span in SPANS}
        if not today.known and first == TODAY:
            # Nothing has ever been on record.
            first = _DAYS
        elif today.worst != _OPERATIONAL and at > calendar.edges[TODAY]:
            odd = {**odd, TODAY: today}
    last = past.recent[-1] if past.recent and past.recent[-1][2] is None else None
    return History(
        calendar=calendar,
        first=first,
        worst={index: day.worst for index, day in odd.items()},
        uptime=figures,
        odd=odd,
        now=ComponentStatus(last[0]) if last else None,
        since=last[1] if last else None,
    )


def together(members: Sequence[History], calendar: Calendar) -> History:
    """Return the history of a group: the mean of its members, and the worst of them each day."""
    worst: dict[int, ComponentStatus | None] = {}
    silent: set[int] = set()
    for member in members:
        for index, status in member.worst.items():
            if status is None:
                silent.add(index)
            elif _RANK[status] > _RANK[worst.get(index) or _OPERATIONAL]:
                worst[index] = status
    for index in silent - worst.keys():
        if all(index < member.first or index in member.worst for member in members):
            worst[index] = None
    return History(
        calendar=calendar,
        first=min((member.first for member in members), default=_DAYS),
        worst=dict(sorted(worst.items())),
        uptime={span: _mean(member.uptime[span] for member in members) for span in SPANS},
    )


def uptime(spent: Spent) -> Fraction | None:
    """Return the part of the time that was not lost; None if there is nothing to count.

    Maintenance is left out altogether. A major outage loses its whole length, a partial one
    three tenths of it, degraded performance nothing.
    """
    counted = sum(spent, _NONE) - spent[_RANK[_MAINTENANCE]]
    if not counted:
        return None
    lost = sum((spent[_RANK[status]] * tenths for status, tenths in _LOSS.items()), _NONE)
    if not lost:
        return _WHOLE
    unit = timedelta(microseconds=1)
    whole = 10 * (counted // unit)
    return Fraction(whole - lost // unit, whole)


def hundredths(figure: Fraction) -> int:
    """Return a figure in hundredths of a percent, rounded down: 10,000 if nothing was lost."""
    # The product as a fraction would be brought to its lowest terms first: some thousand a publish.
    return figure.numerator * 10_000 // figure.denominator


@functools.lru_cache(maxsize=16)
def _calendar(today: date, zone: tzinfo) -> Calendar:
    first = today - timedelta(days=TODAY)
    edges = tuple(midnight(first + timedelta(days=count), zone) for count in range(_DAYS + 1))
    return Calendar(today=today, edges=edges)


def _clip(stretch: Stretch, floor: datetime, end: datetime) -> _Closed | None:
    status, begins, ends = stretch
    begins, ends = max(begins, floor), min(ends or end, end)
    return (status, begins, ends) if begins < ends else None


def _numbered(
    shown: Sequence[_Closed], begin: datetime, end: datetime
) -> Iterable[tuple[int, datetime, datetime]]:
    """Return the stretches by rank, with what is unknown between them as rank -1."""
    for status, begins, ends in shown:
        if begin < begins:
            yield -1, begin, begins
        yield _RANK[status], begins, ends
        begin = ends
    if begin < end:
        yield -1, begin, end


def _spread(
    found: dict[int, list[timedelta]],
    number: int,
    begins: datetime,
    ends: datetime,
    calendar: Calendar,
) -> None:
    """Add a stretch to each of the days over which it goes. The last place is the unknown's."""
    index = calendar.index(begins)
    while begins < ends:
        upto = min(ends, calendar.edges[index + 1])
        spent = found.setdefault(index, [_NONE] * (len(_STATUSES) + 1))
        spent[number] += upto - begins
        begins, index = upto, index + 1


def _with_rest(spent: list[timedelta], length: timedelta) -> Spent:
    """Return a day's time by status: what is nothing else and not unknown was operational."""
    return (length - sum(spent, _NONE), *spent[1:-1])


def _sum(days: Mapping[int, Day], calendar: Calendar, first: int) -> Spent:
    """Return the time by status from a day on until today begins."""
    length = calendar.edges[TODAY] - calendar.edges[min(first, TODAY)]
    total = [length, *[_NONE] * (len(_STATUSES) - 1)]
    for index, day in days.items():
        if index >= first:
            # It is in the length as if it had been operational all through.
            total[0] += day.spent[0] - calendar.length(index)
            for number, spent in enumerate(day.spent[1:], start=1):
                total[number] += spent
    return tuple(total)


def _added(one: Spent, other: Spent) -> Spent:
    return tuple(map(timedelta.__add__, one, other))


def _spent_today(past: Past, calendar: Calendar, *, at: datetime) -> Spent:
    begin = calendar.edges[TODAY]
    floor = max(begin, past.start) if past.start else begin
    spent = [_NONE] * len(_STATUSES)
    for stretch in past.recent:
        if clipped := _clip(stretch, floor, at):
            status, begins, ends = clipped
            spent[_RANK[status]] += ends - begins
    return tuple(spent)


def _mean(figures: Iterable[Fraction | None]) -> Fraction | None:
    known = [figure for figure in figures if figure is not None]
    if not known:
        return None
    # Most are whole: those need no long division.
    return 1 - sum((1 - figure for figure in known if figure != 1), Fraction(0)) / len(known)
