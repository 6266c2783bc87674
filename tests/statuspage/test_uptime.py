"""Uptime: days as the zone has them, figures that never flatter, groups as their members."""

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from incidents.values import ComponentStatus
from statuspage.documents import bars
from statuspage.documents.uptime import (
    DRAWN,
    SPANS,
    Calendar,
    Day,
    History,
    Stretch,
    calendar,
    hundredths,
    midnight,
    pack,
    together,
    unpack,
    uptime,
)
from tests.factories import HOUR, MINUTE, NOON

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
LONG_AGO = NOON - 800 * DAY
TODAY = SPANS[-1] - 1
NONE = timedelta(0)

OPERATIONAL = ComponentStatus.OPERATIONAL
MAINTENANCE = ComponentStatus.UNDER_MAINTENANCE
DEGRADED = ComponentStatus.DEGRADED_PERFORMANCE
PARTIAL = ComponentStatus.PARTIAL_OUTAGE
MAJOR = ComponentStatus.MAJOR_OUTAGE


def _stretches(*changes: tuple[str, datetime], since: datetime = LONG_AGO) -> list[Stretch]:
    """Return the stretches of a component that was operational since then, and changed so."""
    moments = [(OPERATIONAL, since), *changes]
    ends = [began for _status, began in moments[1:]]
    return [
        (status, began, ended)
        for (status, began), ended in zip(moments, [*ends, None], strict=True)
    ]


def _down(at: datetime, length: timedelta, status: str = MAJOR) -> list[tuple[str, datetime]]:
    return [(status, at), (OPERATIONAL, at + length)]


def _history(
    stretches: Sequence[Stretch],
    *,
    at: datetime = NOON,
    zone: tzinfo = UTC,
    start: datetime | None = None,
) -> History:
    days = calendar(at, zone)
    return unpack(pack(stretches, days, start=start), days, at=at)


def _day(history: History, on: date) -> Day:
    (found,) = (day for day in history.odd.values() if day.on == on)
    return found


def _length(day: Day) -> timedelta:
    return sum(day.spent, NONE)


class TestTheCalendar:
    def test_ends_with_today_as_the_zone_has_it(self) -> None:
        late = datetime(2026, 1, 12, 23, 30, tzinfo=UTC)

        assert calendar(late, UTC).today == date(2026, 1, 12)
        assert calendar(late, BERLIN).today == date(2026, 1, 13)

    @pytest.mark.parametrize(
        ("on", "hours"), [(date(2026, 3, 29), 23), (date(2025, 10, 26), 25), (date(2026, 1, 1), 24)]
    )
    def test_has_days_as_long_as_the_clocks_make_them(self, on: date, hours: int) -> None:
        days = calendar(datetime(2026, 5, 1, tzinfo=UTC), BERLIN)

        assert days.length(TODAY - (days.today - on).days) == hours * HOUR

    @pytest.mark.parametrize(
        "name", ["America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Pacific/Apia", "Asia/Gaza"]
    )
    def test_leaves_no_gap_where_clocks_change_at_midnight(self, name: str) -> None:
        for year in (2012, 2018, 2024):
            days = calendar(datetime(year, 1, 31, tzinfo=UTC), ZoneInfo(name))

            assert all(earlier <= later for earlier, later in pairwise(days.edges))
            assert sum((days.length(index) for index in range(SPANS[-1])), NONE) == (
                days.edges[-1] - days.edges[0]
            )


class TestADay:
    def test_has_the_time_by_status(self) -> None:
        noon = NOON - 3 * DAY
        history = _history(
            _stretches((PARTIAL, noon), (MAJOR, noon + HOUR), (OPERATIONAL, noon + 3 * HOUR))
        )

        day = _day(history, noon.date())

        assert day.spent == (21 * HOUR, NONE, NONE, HOUR, 2 * HOUR)
        assert day.worst == MAJOR

    def test_is_cut_at_the_zones_midnight(self) -> None:
        evening = datetime(2026, 1, 5, 22, tzinfo=UTC)
        history = _history(_stretches(*_down(evening, 2 * HOUR)), zone=BERLIN)

        assert [(day.on, day.spent[MAJOR.rank]) for day in history.odd.values()] == [
            (date(2026, 1, 5), HOUR),
            (date(2026, 1, 6), HOUR),
        ]

    def test_today_counts_what_has_passed(self) -> None:
        history = _history(_stretches((MAJOR, NOON - HOUR)))

        today = _day(history, NOON.date())

        assert today.spent == (11 * HOUR, NONE, NONE, NONE, HOUR)

    def test_a_whole_day_down_has_its_own_length(self) -> None:
        at = datetime(2026, 4, 2, 12, tzinfo=UTC)
        down = _stretches(*_down(midnight(date(2026, 3, 28), BERLIN), 3 * DAY))

        history = _history(down, at=at, zone=BERLIN)

        assert _day(history, date(2026, 3, 29)).spent == (NONE, NONE, NONE, NONE, 23 * HOUR)

    def test_before_the_record_is_unknown(self) -> None:
        history = _history(_stretches(since=NOON - 10 * DAY))

        assert history.calendar.day(history.first) == date(2026, 1, 2)
        assert history.worst == {}

    def test_before_the_start_date_is_unknown_whatever_the_record_says(self) -> None:
        start = midnight(date(2026, 1, 2), UTC)
        history = _history(_stretches(*_down(start - HOUR, 2 * HOUR)), start=start)

        assert history.calendar.day(history.first) == date(2026, 1, 2)
        assert _day(history, date(2026, 1, 2)).spent[MAJOR.rank] == HOUR
        assert len(history.odd) == 1

    def test_a_gap_in_the_record_is_unknown(self) -> None:
        gap = midnight(date(2026, 1, 5), UTC)
        rows: list[Stretch] = [(OPERATIONAL, LONG_AGO, gap), (OPERATIONAL, gap + 2 * DAY, None)]

        history = _history(rows)

        assert history.worst == {TODAY - 7: None, TODAY - 6: None}

    def test_what_begins_tomorrow_has_no_history(self) -> None:
        history = _history(_stretches(), start=NOON + DAY)

        assert history.is_empty
        assert set(history.uptime.values()) == {None}


def _random_stretches(dice: random.Random, at: datetime) -> list[Stretch]:
    moment = at - dice.randint(1, 500) * DAY
    changes: list[tuple[str, datetime]] = []
    since = moment
    while (moment := moment + dice.randint(1, 90 * 24 * 3600) * timedelta(seconds=1)) < at:
        changes.append((dice.choice(list(ComponentStatus)), moment))
    return _stretches(*changes, since=since)


def _samples() -> Iterator[tuple[list[Stretch], datetime, ZoneInfo]]:
    dice = random.Random(5)
    for name in ("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "Asia/Gaza"):
        for _round in range(12):
            at = datetime(2026, 5, 1, tzinfo=UTC) + dice.randint(0, 300 * 24 * 60) * MINUTE
            yield _random_stretches(dice, at), at, ZoneInfo(name)


class TestAnyHistory:
    def test_has_days_whose_parts_make_the_whole(self) -> None:
        for stretches, at, zone in _samples():
            history = _history(stretches, at=at, zone=zone)
            days: Calendar = history.calendar

            for index, day in history.odd.items():
                whole = min(days.edges[index + 1], at) - max(days.edges[index], stretches[0][1])
                assert _length(day) == whole

    def test_has_in_each_span_what_the_stretches_have(self) -> None:
        for stretches, at, zone in _samples():
            history = _history(stretches, at=at, zone=zone)

            for span in SPANS:
                begin = history.calendar.edges[SPANS[-1] - span]
                spent = [NONE] * len(ComponentStatus)
                for status, began, ended in stretches:
                    length = min(ended or at, at) - max(began, begin)
                    spent[ComponentStatus(status).rank] += max(length, NONE)
                assert history.uptime[span] == uptime(tuple(spent))


class TestUptime:
    def _after(self, length: timedelta, status: str) -> Fraction | None:
        at = datetime(2026, 1, 13, tzinfo=UTC) - timedelta(microseconds=1)
        return _history(_stretches(*_down(NOON - 5 * DAY, length, status)), at=at).uptime[30]

    def test_loses_a_major_outage_wholly_and_a_partial_one_by_three_tenths(self) -> None:
        day = (12 * HOUR, NONE, NONE, NONE, 12 * HOUR)
        part = (12 * HOUR, NONE, NONE, 12 * HOUR, NONE)

        assert uptime(day) == Fraction(1, 2)
        assert uptime(part) == Fraction(85, 100)

    def test_loses_nothing_by_degraded_performance(self) -> None:
        assert self._after(HOUR, DEGRADED) == 1

    def test_leaves_maintenance_out_of_both_sides(self) -> None:
        assert uptime((12 * HOUR, 11 * HOUR, NONE, NONE, 1 * HOUR)) == Fraction(12, 13)

    def test_is_not_known_where_nothing_can_be_counted(self) -> None:
        assert uptime((NONE, 24 * HOUR, NONE, NONE, NONE)) is None

    def test_counts_only_its_span(self) -> None:
        history = _history(_stretches(*_down(NOON - 40 * DAY, HOUR)))

        assert history.uptime[30] == 1
        assert history.uptime[90] == 1 - Fraction(2, 89 * 48 + 24)
        assert history.uptime[365] == 1 - Fraction(2, 364 * 48 + 24)

    def test_counts_only_what_is_known(self) -> None:
        history = _history(_stretches(*_down(NOON - 5 * HOUR, HOUR), since=NOON - 10 * HOUR))

        assert set(history.uptime.values()) == {Fraction(9, 10)}


class TestFigures:
    @pytest.mark.parametrize(
        ("lost", "of", "words"),
        [
            (0, 1, "100.00 %"),
            (4, 100_000, "99.99 %"),
            (1, 10**12, "99.99 %"),
            (1, 10_000, "99.99 %"),
            (101, 1_000_000, "99.98 %"),
            (1, 2, "50.00 %"),
            (1, 1, "0.00 %"),
        ],
    )
    def test_are_never_rounded_up(self, lost: int, of: int, words: str) -> None:
        assert bars.percent(1 - Fraction(lost, of)) == words

    def test_a_millionth_of_a_second_lost_is_no_whole(self) -> None:
        history = _history(_stretches(*_down(NOON - DAY, timedelta(microseconds=1))))

        assert bars.percent(history.uptime[365]) == "99.99 %"

    def test_say_that_there_are_none(self) -> None:
        assert bars.percent(None) == "no data"

    def test_are_written_as_the_language_writes_numbers(self) -> None:
        with translation.override("de"):
            assert bars.percent(Fraction(9995, 10_000)) == "99,95\u00a0%"


class TestAGroup:
    def _members(self) -> list[History]:
        noon = NOON - 2 * DAY
        return [
            _history(_stretches(*_down(noon, 2 * HOUR, PARTIAL))),
            _history(_stretches(*_down(noon, HOUR, MAJOR), *_down(noon + DAY, HOUR, DEGRADED))),
            _history(_stretches()),
        ]

    def test_is_as_bad_as_its_worst_member_each_day(self) -> None:
        members = self._members()

        group = together(members, members[0].calendar)

        assert group.worst == {TODAY - 2: MAJOR, TODAY - 1: DEGRADED}

    def test_is_up_as_its_members_are_on_average(self) -> None:
        members = self._members()

        group = together(members, members[0].calendar)

        figures = [member.uptime[30] or Fraction(0) for member in members]
        assert group.uptime[30] == sum(figures, Fraction(0)) / 3

    def test_does_not_count_members_of_which_nothing_is_known(self) -> None:
        down, empty = _history(_stretches(*_down(NOON - DAY, HOUR))), _history([])

        group = together([down, empty], down.calendar)

        assert group.uptime == down.uptime
        assert group.first == down.first

    def test_has_no_data_only_where_no_member_has(self) -> None:
        gap: list[Stretch] = [
            (OPERATIONAL, LONG_AGO, NOON - 9 * DAY),
            (OPERATIONAL, NOON - 3 * DAY, None),
        ]
        silent = _history(gap)

        assert together([silent, _history(_stretches())], silent.calendar).worst == {}
        assert None in together([silent, silent], silent.calendar).worst.values()

    def test_without_members_has_no_history(self) -> None:
        assert together([], calendar(NOON, UTC)).is_empty

    def test_is_exact_where_its_members_are_thirds(self) -> None:
        days = calendar(NOON, UTC)
        one, other = (
            History(
                calendar=days, first=0, worst={}, uptime=dict.fromkeys(SPANS, 1 - Fraction(n, 3000))
            )
            for n in (1, 2)
        )

        assert hundredths(together([one, other], days).uptime[30] or Fraction(0)) == 9995


def _drawn(svg: str) -> dict[str, list[int]]:
    """Return the days that each line covers, counted from the left."""
    found: dict[str, list[int]] = {}
    for status, line in re.findall(r'<path class="is-(\w+)" d="([^"]+)"', svg):
        place = 0
        days: list[int] = []
        for pen, number in re.findall(r"([Mmh])(\d+)", line):
            if pen == "h":
                days.extend(range(place, place + int(number)))
            place = int(number) if pen == "M" else place + int(number)
        found[status] = days
    return found


class TestBars:
    def test_a_quiet_history_is_one_line(self) -> None:
        svg = bars.bars(_history(_stretches()))

        assert svg.count("<path") == 1
        assert _drawn(svg) == {OPERATIONAL: list(range(DRAWN))}
        assert 'aria-label="Uptime over 90 days: 100.00 %. No day with trouble."' in svg

    def test_each_day_is_drawn_once(self) -> None:
        for stretches, at, zone in _samples():
            drawn = _drawn(bars.bars(_history(stretches, at=at, zone=zone)))

            assert sorted(day for days in drawn.values() for day in days) == list(range(DRAWN))

    def test_trouble_is_drawn_on_its_day(self) -> None:
        history = _history(
            _stretches(*_down(NOON - 5 * DAY, 30 * HOUR), *_down(NOON - HOUR, MINUTE, PARTIAL))
        )

        drawn = _drawn(bars.bars(history))

        assert drawn[MAJOR] == [84, 85]
        assert drawn[PARTIAL] == [89]
        assert bars.sentence(history).endswith("3 days with trouble.")

    def test_maintenance_is_drawn_and_is_no_trouble(self) -> None:
        history = _history(_stretches(*_down(NOON - DAY, HOUR, MAINTENANCE)))

        assert _drawn(bars.bars(history))[MAINTENANCE] == [88]
        assert bars.sentence(history) == "Uptime over 90 days: 100.00 %. No day with trouble."

    def test_a_young_component_says_since_when(self) -> None:
        history = _history(_stretches(since=NOON - 9 * DAY))

        assert _drawn(bars.bars(history))["unknown"] == list(range(80))
        assert bars.sentence(history).startswith("Uptime since 3 January 2026: 100.00 %.")

    def test_nothing_to_show_says_so(self) -> None:
        svg = bars.bars(_history([]))

        assert _drawn(svg) == {"unknown": list(range(DRAWN))}
        assert "There is no history yet." in svg
