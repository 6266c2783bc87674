"""When schedules fall: across changes of the clock, forwards and backwards, and in words."""

import bisect
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from backups import schedules
from backups.schedules import BadSchedule

AMSTERDAM = "Europe/Amsterdam"
# On 29 March 2026 at 02:00 the clocks go to 03:00; on 25 October at 03:00 back to 02:00.
SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def on_the_wall(expression: str, tz: str, after: datetime, count: int) -> list[str]:
    found = islice(schedules.moments(expression, tz, after=after), count)
    return [f"{moment.astimezone(ZoneInfo(tz)):%d %H:%M%z}" for moment in found]


class TestChangesOfTheClock:
    def test_an_hour_that_is_left_out_is_met_once_after_the_gap(self) -> None:
        assert on_the_wall("30 2 * * *", AMSTERDAM, SPRING, 2) == ["29 03:00+0200", "30 02:30+0200"]

    def test_several_times_in_the_gap_are_met_once_together(self) -> None:
        found = on_the_wall("*/15 2 * * *", AMSTERDAM, SPRING, 2)

        assert found == ["29 03:00+0200", "30 02:00+0200"]

    def test_an_hour_that_comes_twice_is_met_the_first_time_only(self) -> None:
        found = on_the_wall("30 2 * * *", AMSTERDAM, AUTUMN, 2)

        assert found == ["25 02:30+0200", "26 02:30+0100"]

    def test_seen_from_the_second_of_two_hours_the_first_is_over(self) -> None:
        second = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)

        later = schedules.next_after("30 2 * * *", AMSTERDAM, second)

        assert later == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)

    @pytest.mark.parametrize("after", [SPRING, AUTUMN])
    def test_every_hour_is_an_hour_that_passes(self, after: datetime) -> None:
        found = list(islice(schedules.moments("0 * * * *", AMSTERDAM, after=after), 30))

        assert {later - earlier for earlier, later in pairwise(found)} == {HOUR}

    @pytest.mark.parametrize("after", [SPRING, AUTUMN])
    def test_every_second_hour_is_met_by_the_wall_and_once_each(self, after: datetime) -> None:
        found = on_the_wall("0 */2 * * *", AMSTERDAM, after, 24)

        assert len({each[:8] for each in found}) == 24

    def test_half_an_hour_and_midnight_change_as_well(self) -> None:
        lord_howe = on_the_wall(
            "15 2 * * *", "Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC), 1
        )
        cairo = on_the_wall("0 0 * * *", "Africa/Cairo", datetime(2026, 4, 23, 12, tzinfo=UTC), 2)

        assert lord_howe == ["04 02:30+1100"]
        assert cairo == ["24 01:00+0300", "25 00:00+0300"]

    @pytest.mark.parametrize("tz", [AMSTERDAM, "America/New_York", "Australia/Lord_Howe", "UTC"])
    @pytest.mark.parametrize(
        "expression",
        ["30 2 * * *", "*/30 1-3 * * *", "0 * * * *", "*/7 * * * *", "0 1,2,3 * * SUN"],
    )
    def test_forwards_and_backwards_agree_at_every_minute_of_the_change(
        self, expression: str, tz: str
    ) -> None:
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        every = list(schedules.moments(expression, tz, after=begin, before=begin + 370 * DAY))
        assert every == sorted(set(every))
        offsets = [(begin + n * HOUR).astimezone(ZoneInfo(tz)).utcoffset() for n in range(24 * 360)]
        changes = [n for n, (a, b) in enumerate(pairwise(offsets)) if a != b] or [24 * 90]

        for change in changes:
            for minutes in range(-130, 190, 5):
                at = begin + change * HOUR + timedelta(minutes=minutes)
                place = bisect.bisect_right(every, at)
                assert schedules.next_after(expression, tz, at) == every[place]
                assert schedules.last_before(expression, tz, at) == every[place - 1]


class TestMoments:
    def test_lie_after_one_moment_and_before_another(self) -> None:
        noon = datetime(2026, 1, 12, 12, tzinfo=UTC)

        found = list(schedules.moments("0 12 * * *", "UTC", after=noon, before=noon + 3 * DAY))

        assert found == [noon + DAY, noon + 2 * DAY]

    def test_the_last_one_may_be_the_moment_itself(self) -> None:
        noon = datetime(2026, 1, 12, 12, tzinfo=UTC)

        assert schedules.last_before("0 12 * * *", "UTC", noon) == noon
        assert schedules.last_before("0 12 * * *", "UTC", noon - timedelta(microseconds=1)) == (
            noon - DAY
        )

    def test_lie_apart_at_most(self) -> None:
        at = datetime(2026, 1, 12, tzinfo=UTC)

        assert schedules.longest_between("0 2 * * SUN", "UTC", at) == 7 * DAY
        assert schedules.longest_between("0 8-18 * * MON-FRI", "UTC", at) == timedelta(hours=62)
        assert schedules.longest_between("0 2 * * SUN", "UTC", at, beside="0 2 * * *") == DAY
        assert schedules.longest_between("", "UTC", at) is None
        # However many there are in a day, the weekend is seen.
        assert schedules.longest_between("* 8-18 * * MON-FRI", "UTC", at) == timedelta(
            hours=61, minutes=1
        )


class TestWords:
    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("", "never"),
            ("0 2 * * *", "every day at 02:00"),
            ("0 2 * * SUN", "Sundays at 02:00"),
            ("0 2 * * 7", "Sundays at 02:00"),
            ("0 2 * * 6,0", "Saturdays and Sundays at 02:00"),
            ("15 3 * * 1-5", "Monday to Friday at 03:15"),
            ("0 */6 * * *", "every 6 hours"),
            ("30 1,7,13,19 * * *", "every 6 hours from 01:30"),
            ("0 1,13 * * *", "every day at 01:00 and 13:00"),
            ("0 * * * *", "every hour"),
            ("20 * * * *", "every hour at 20 minutes past"),
            ("*/15 * * * *", "every 15 minutes"),
            ("0 2 1,15 * *", "on the 1st and 15th of the month at 02:00"),
            # Where both days are named, cron takes either: that is every day.
            ("0 2 1-31 * MON", "every day at 02:00"),
        ],
    )
    def test_are_those_of_people(self, expression: str, words: str) -> None:
        assert schedules.in_words(expression) == words

    @pytest.mark.parametrize(
        ("expression", "word"),
        [("0 2 * 1 *", "January"), ("0 2 * * MON#2", "second Monday"), ("0 2 L * *", "last day")],
    )
    def test_leave_nothing_out(self, expression: str, word: str) -> None:
        assert word in schedules.in_words(expression)


class TestCheck:
    @pytest.mark.parametrize(
        ("expression", "advice"),
        [
            ("* * * *", "five fields"),
            ("0 0 2 * * *", "five fields"),
            ("@daily", "five fields"),
            ("60 2 * * *", "0 to 59"),
            ("0 25 * * *", "0 to 23"),
            ("0 2 31 2 *", "a day that some month has"),
            ("0 2 * 13 *", "1 to 12"),
            ("0 2 * * 8", "0 and 7 are Sunday"),
            ("0 2 * * *" + " " * 100, "at most 100"),
        ],
    )
    def test_refuses_what_cannot_be_read_and_says_what_to_write(
        self, expression: str, advice: str
    ) -> None:
        with pytest.raises(BadSchedule) as refused:
            schedules.check(expression)

        assert advice in refused.value.advice

    def test_refuses_a_zone_that_is_none(self) -> None:
        for tz in ("Mars/Olympus", "", "../etc/passwd", "Europe"):
            with pytest.raises(BadSchedule, match="no time zone"):
                schedules.check_zone(tz)
