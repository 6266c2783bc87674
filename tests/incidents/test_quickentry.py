"""The line of an entry: every way of saying a time, every mark, every answer to a bad one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.quickentry import Reading, Unreadable, read_line
from incidents.values import Precision

# Half past one in the afternoon in Amsterdam, in winter.
NOW = datetime(2026, 1, 13, 12, 30, 20, tzinfo=UTC)
AMSTERDAM = "Europe/Amsterdam"


def _read(line: str, *, tz: str = AMSTERDAM, now: datetime = NOW, over: bool = False) -> Reading:
    return read_line(line, tz=tz, now=now, needs_day=over)


def _utc(day: int, hour: int, minute: int = 0, *, month: int = 1) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


class TestTimes:
    def test_plain_words_are_now(self) -> None:
        reading = _read("restarted the proxy")

        assert reading.when.at == NOW
        assert reading.when.said == ""
        assert reading.text == "restarted the proxy"

    @pytest.mark.parametrize(
        ("line", "at"),
        [
            ("12:14 it broke", _utc(13, 11, 14)),
            ("9:05 it broke", _utc(13, 8, 5)),
            ("12:14: it broke", _utc(13, 11, 14)),
            ("12:14 - it broke", _utc(13, 11, 14)),
            ("12:14 – it broke", _utc(13, 11, 14)),
            ("today 12:14 it broke", _utc(13, 11, 14)),
            ("yesterday 23:50 it broke", _utc(12, 22, 50)),
            ("2026-01-12 00:14 it broke", _utc(11, 23, 14)),
            ("2026-01-12T00:14 it broke", _utc(11, 23, 14)),
            ("12:14:33 it broke", _utc(13, 11, 14).replace(second=33)),
            ("12:14 UTC it broke", _utc(13, 12, 14)),
            ("12:14Z it broke", _utc(13, 12, 14)),
            ("12:14+05:30 it broke", _utc(13, 6, 44)),
            ("1:15 pm it broke", _utc(13, 12, 15)),
            ("12:30am it broke", _utc(12, 23, 30)),
            ("-15m it broke", _utc(13, 12, 15)),
            ("-2h it broke", _utc(13, 10, 30)),
            ("-1h30m it broke", _utc(13, 11, 0)),
            ("-1d it broke", _utc(12, 12, 30)),
            ("- 5min it broke", _utc(13, 12, 25)),
            ("-3w it broke", _utc(23, 12, 30, month=12).replace(year=2025)),
            ("-1w2d it broke", _utc(4, 12, 30)),
            ("-15 minutes it broke", _utc(13, 12, 15)),
            ("-30s it broke", _utc(13, 12, 29).replace(second=50)),
        ],
    )
    def test_a_time_is_read_in_the_incidents_zone(self, line: str, at: datetime) -> None:
        reading = _read(line)

        assert reading.when.at == at
        assert reading.when.until is None
        assert reading.text == "it broke"

    def test_a_time_that_has_not_come_is_yesterdays(self) -> None:
        reading = _read("23:50 it broke")

        assert reading.when.at == _utc(12, 22, 50)
        assert reading.remarks == ("Read as yesterday, since that time of today has not come yet.",)

    def test_a_clock_that_is_a_little_ahead_means_today(self) -> None:
        assert _read("13:33 it broke").when.at == _utc(13, 12, 33)

    @pytest.mark.parametrize("sign", ["~", "±", "≈", "about ", "around ", "~ "])
    def test_approximate_times_are_marked(self, sign: str) -> None:
        reading = _read(f"{sign}09:00 first tenants are back")

        assert reading.when.approx
        assert reading.when.at == _utc(13, 8)
        assert reading.text == "first tenants are back"

    def test_a_day_alone_is_known_to_the_day(self) -> None:
        reading = _read("2026-01-09 the last full backup")

        assert reading.when.precision == Precision.DAY
        assert reading.when.at == _utc(8, 23)
        assert reading.text == "the last full backup"

    def test_keeps_the_words_and_the_zone(self) -> None:
        assert _read("~09:00 back").when.said == "~09:00"
        assert _read("~09:00 back").when.tz == AMSTERDAM
        assert _read("09:00 UTC back").when.tz == "UTC"
        assert _read("09:00 back", tz="+01:00").when.at == _utc(13, 8)

    @pytest.mark.parametrize(
        "line",
        [
            "now it is back",
            "12 tenants are back",
            "1:1 with the vendor",
            "+3 replicas",
            "-3 servers",
            "-5 degrees in the hall",
        ],
    )
    def test_words_that_only_look_like_times_are_words(self, line: str) -> None:
        reading = _read(line)

        assert reading.when.at == NOW
        assert reading.text == line


class TestRanges:
    @pytest.mark.parametrize(
        "line",
        ["00:30-06:00 attempts", "00:30 – 06:00 attempts", "00:30 to 06:00 attempts",
         "00:30 until 06:00: attempts"],
    )  # fmt: skip
    def test_a_range_has_both_ends(self, line: str) -> None:
        reading = _read(line)

        assert (reading.when.at, reading.when.until) == (_utc(12, 23, 30), _utc(13, 5))
        assert reading.text == "attempts"

    def test_a_range_over_midnight_ends_on_the_next_day(self) -> None:
        reading = _read("23:50-00:20 short outage")

        assert (reading.when.at, reading.when.until) == (_utc(12, 22, 50), _utc(12, 23, 20))

    def test_a_dated_range_over_midnight_ends_on_the_next_day(self) -> None:
        reading = _read("2026-01-10 23:50-00:20 short outage")

        assert (reading.when.at, reading.when.until) == (_utc(10, 22, 50), _utc(10, 23, 20))

    def test_both_ends_may_name_their_day(self) -> None:
        reading = _read("2026-01-10 23:50 - 2026-01-12 00:20 long outage")

        assert reading.when.until == _utc(11, 23, 20)

    def test_an_end_before_the_start_is_refused(self) -> None:
        with pytest.raises(Unreadable, match="end is before the start"):
            _read("2026-01-10 23:50 - 2026-01-09 00:20 outage")

    def test_a_range_of_a_year_is_taken_and_pointed_out(self) -> None:
        reading = _read("2025-01-12 00:30 - 2026-01-12 06:00 attempts")

        assert reading.when.until == _utc(12, 5)
        assert "This range lasts 365 days. Are both its days right?" in reading.remarks

    def test_a_day_long_ago_is_pointed_out(self) -> None:
        assert _read("2025-01-12 00:30 it broke").remarks == (
            "This is 366 days ago. Is the year right?",
        )
        assert _read("2025-12-12 00:30 it broke").remarks == ()

    def test_an_end_still_to_come_is_pointed_out(self) -> None:
        assert "ends in the future" in _read("13:00-15:00 session").remarks[0]


@pytest.mark.parametrize("tz", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    "line",
    ["0001-01-01 00:30 built", "0202-01-01: built", "9999-12-31 23:59 gone", "-999999999d built"],
)
def test_a_year_that_cannot_be_meant_is_refused(line: str, tz: str) -> None:
    with pytest.raises(Unreadable, match="Correct the year"):
        _read(line, tz=tz)


class TestClocksThatChange:
    def test_an_hour_that_was_skipped_is_refused_with_a_way_out(self) -> None:
        with pytest.raises(Unreadable, match=r"no 02:30 on 2026-03-29.*2026-03-29 01:30 UTC"):
            _read("2026-03-29 02:30 it broke", now=_utc(30, 12, month=3))

    def test_an_hour_that_came_twice_is_refused_with_both_ways_out(self) -> None:
        with pytest.raises(Unreadable) as refusal:
            _read("2026-10-25 02:30 it broke", now=_utc(25, 12, month=10))

        assert "2026-10-25 00:30 UTC" in str(refusal.value)
        assert "2026-10-25 01:30 UTC" in str(refusal.value)

    def test_each_way_of_meaning_it_is_a_line_that_can_be_sent(self) -> None:
        now = _utc(25, 12, month=10)
        with pytest.raises(Unreadable, match="Which do you mean") as twice:
            _read("~2026-10-25 02:30 it broke #db", now=now)
        with pytest.raises(Unreadable, match="Which do you mean") as never:
            _read("2026-03-29 02:30: it broke", now=now)

        assert twice.value.ways == (
            "~2026-10-25 00:30 UTC it broke #db",
            "~2026-10-25 01:30 UTC it broke #db",
        )
        assert [_read(way, now=now).when.at for way in never.value.ways] == [
            _utc(29, 0, 30, month=3),
            _utc(29, 1, 30, month=3),
        ]

    def test_within_the_double_hour_only_what_has_passed_is_meant(self) -> None:
        reading = _read("02:30 it broke", now=_utc(25, 0, 40, month=10))

        assert reading.when.at == _utc(25, 0, 30, month=10)

    def test_a_range_over_the_change_keeps_its_wall_clock(self) -> None:
        reading = _read("2026-03-29 01:30-03:30 work", now=_utc(30, 12, month=3))

        assert reading.when.at == _utc(29, 0, 30, month=3)
        assert reading.when.until == _utc(29, 1, 30, month=3)


class TestMarks:
    def test_marks_are_taken_out_of_the_text(self) -> None:
        reading = _read("00:30-06:00 recovery attempts failed #attempt !failed")

        assert reading.text == "recovery attempts failed"
        assert reading.tags == ("attempt",)
        assert reading.outcome == "failed"

    @pytest.mark.parametrize(
        "line",
        [
            "*detected 00:30-06:00 #attempt it failed",
            "#attempt *detected 00:30-06:00 it failed",
            "#attempt*detected 00:30-06:00 it failed",
            "00:30-06:00*detected it failed #attempt",
            "00:30-06:00 it failed #attempt*detected",
            "*detected00:30-06:00 it failed #attempt",
            "#attempt *Detected00:30-06:00 it failed",
        ],
    )
    def test_a_mark_before_a_time_or_against_it_hides_neither(self, line: str) -> None:
        reading = _read(line)

        assert (reading.when.at, reading.when.until) == (_utc(12, 23, 30), _utc(13, 5))
        assert (reading.text, reading.tags) == ("it failed", ("attempt",))
        assert reading.milestone == "detected"

    def test_what_was_taken_apart_is_said(self) -> None:
        assert _read("*detected~09:00 it failed").remarks == (
            "*detected~09:00 is read as *detected and ~09:00.",
        )
        assert _read("*detected ~09:00 it failed").remarks == ()

    @pytest.mark.parametrize(
        ("line", "way"),
        [
            ("#web100:30 it failed", "#web1 00:30 it failed"),
            ("*nothing00:30 it failed", "*nothing 00:30 it failed"),
            ("it failed #db09:00", "it failed #db 09:00"),
        ],
    )
    def test_a_tag_against_a_time_is_asked_about(self, line: str, way: str) -> None:
        with pytest.raises(Unreadable, match="without a blank between them") as refusal:
            _read(line)

        assert refusal.value.ways == (way,)

    def test_a_mark_within_a_word_is_said_to_be_left(self) -> None:
        reading = _read("alarm*detected by C# users")

        assert (reading.text, reading.milestone) == ("alarm*detected by C# users", "")
        assert reading.remarks == ("*detected is left in the text: a mark has a blank before it.",)
        assert _read(r"\*detected00:30 is no mark").text == "*detected00:30 is no mark"

    def test_a_line_to_send_instead_keeps_the_marks_before_the_time(self) -> None:
        with pytest.raises(Unreadable) as refusal:
            _read("*detected 2025-10-26 02:30 it failed")

        assert refusal.value.ways == (
            "2025-10-26 00:30 UTC it failed *detected",
            "2025-10-26 01:30 UTC it failed *detected",
        )

    def test_marks_may_stand_anywhere_and_tags_are_told_once(self) -> None:
        reading = _read("#Storage proxy *mitigated restarted #vendor, #storage !worked")

        assert reading.text == "proxy restarted,"
        assert reading.tags == ("storage", "vendor")
        assert (reading.outcome, reading.milestone) == ("worked", "mitigated")

    @pytest.mark.parametrize("text", ["see issue #5", "this is *important*", "a!b c#d", "50 % !"])
    def test_signs_within_words_are_text(self, text: str) -> None:
        reading = _read(text)

        assert reading.text == text
        assert (reading.tags, reading.outcome, reading.milestone) == ((), "", "")

    def test_a_backslash_makes_a_mark_plain_text(self) -> None:
        reading = _read(r"typed \#hashtag and \!failed")

        assert reading.text == "typed #hashtag and !failed"
        assert reading.tags == ()


class TestAnswers:
    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("", "Say what happened"),
            ("00:30", "Say what happened"),
            ("-15m #attempt !failed", "Say what happened"),
            ("25:00 it broke", "25:00 is no time of day"),
            ("12:14:99 it broke", "12:14:99 is no time of day"),
            ("12:75 it broke", "12:75 is no time of day"),
            ("13:00pm it broke", "13:00pm is no time of day"),
            ("2026-02-30 12:00 it broke", "no day 2026-02-30"),
            ("2026-13-01 it broke", "no day 2026-13-01"),
            ("2027-01-12 00:14 it broke", "still to come"),
            ("-0m it broke", "How long ago"),
            ("+5m it broke", "+5m is still to come"),
            ("+ 2 hours it breaks", "+ 2 hours is still to come"),
            ("-3y it broke", "How long ago is -3y?"),
            ("-1.5h it broke", "How long ago is -1.5h?"),
            ("-1h30 it broke", "How long ago is -1h30?"),
            ("it broke !broken", "!broken is not known"),
            ("it broke *resolved", "There are *started"),
            ("it broke !failed !worked", "Only one of"),
            (f"it broke #{'x' * 41}", "too long"),
        ],
    )
    def test_a_bad_line_is_answered_with_what_to_write(self, line: str, sentence: str) -> None:
        with pytest.raises(Unreadable) as refusal:
            _read(line)

        assert sentence in str(refusal.value)

    @pytest.mark.parametrize("line", ["00:30 it broke", "it broke"])
    def test_for_an_incident_that_is_over_the_day_is_not_guessed(self, line: str) -> None:
        with pytest.raises(Unreadable, match="This incident is over"):
            _read(line, over=True)

    @pytest.mark.parametrize(
        "line",
        ["2026-01-12 00:30 it broke", "now: it broke", "-5m it broke", "2026-01-12 it broke"],
    )
    def test_for_an_incident_that_is_over_a_day_is_enough(self, line: str) -> None:
        assert _read(line, over=True).text == "it broke"


@given(
    line=st.text(max_size=80), zone=st.sampled_from(["UTC", AMSTERDAM, "+05:30", "America/Lima"])
)
def test_any_line_is_read_or_refused(line: str, zone: str) -> None:
    try:
        reading = _read(line, tz=zone)
    except Unreadable:
        return

    assert reading.text
    assert reading.when.at is not None
    assert reading.when.until is None or reading.when.until >= reading.when.at


@given(
    stem=st.sampled_from(["12:30", "2026-01-12 00:14", "-15m", "yesterday 3:00pm", "~9:00"]),
    noise=st.text(alphabet="0123456789:-–~#!*\\ UTCzapm", max_size=14),
    shape=st.sampled_from(["{0}{1} words", "{1}{0} words", "{0} - {1} words"]),
)
def test_what_nearly_is_a_time_is_read_or_refused(stem: str, noise: str, shape: str) -> None:
    try:
        reading = _read(shape.format(stem, noise))
    except Unreadable:
        return

    assert reading.text


class TestRangesOfDays:
    @pytest.mark.parametrize(
        "line",
        [
            "2025-01-01 - 2026-01-01 slow exports",
            "2025-01-01 to 2026-01-01: slow exports",
            "2025-01-01–2026-01-01 slow exports",
        ],
    )
    def test_from_one_day_to_another(self, line: str) -> None:
        reading = _read(line, tz="UTC")

        assert reading.text == "slow exports"
        assert (reading.when.at, reading.when.precision) == (
            datetime(2025, 1, 1, tzinfo=UTC),
            Precision.DAY,
        )
        assert reading.when.until == datetime(2026, 1, 1, tzinfo=UTC)
        assert "This range lasts 365 days. Are both its days right?" in reading.remarks

    def test_a_day_before_the_first_one_is_refused(self) -> None:
        with pytest.raises(Unreadable, match="The end is before the start"):
            _read("2025-01-05 - 2025-01-03 slow exports")

    def test_from_a_day_to_a_time_is_asked_about(self) -> None:
        with pytest.raises(Unreadable, match="Does this begin at 00:00") as refusal:
            _read("2025-01-01 - 2025-01-03 10:00 slow")

        (way,) = refusal.value.ways
        assert _read(way, tz="UTC").when.until == datetime(2025, 1, 3, 10, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("line", "ranges"),
        [
            ("2026-10-25 02:15-02:45 slow", [(0.25, 0.75), (0.25, 1.75), (1.25, 1.75)]),
            ("2026-10-25 02:30-04:00 slow", [(0.5, 3), (1.5, 3)]),
            ("02:30 - 04:00 slow", [(0.5, 3), (1.5, 3)]),
            ("2026-10-25 00:30 - 2026-10-25 02:30 slow", [(-1.5, 0.5), (-1.5, 1.5)]),
        ],
    )
    def test_into_the_hour_that_came_twice_each_meaning_is_a_line(
        self, line: str, ranges: list[tuple[float, float]]
    ) -> None:
        now, midnight = _utc(25, 12, month=10), _utc(25, 0, month=10)
        with pytest.raises(Unreadable, match="came twice") as twice:
            _read(line, now=now)

        meant = [_read(way, now=now) for way in twice.value.ways]
        assert {reading.text for reading in meant} == {"slow"}
        assert [(reading.when.at, reading.when.until) for reading in meant] == [
            tuple(midnight + timedelta(hours=hours) for hours in ends) for ends in ranges
        ]
