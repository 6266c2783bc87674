"""Whatever is pasted in, the importer answers: with a reading or with a named refusal."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.errors import Refused
from incidents.importer import (
    NothingToRead,
    Reading,
    UnknownZone,
    YearOutOfRange,
    as_json,
    read_postmortem,
)
from incidents.lint import lint

FRAGMENTS = st.sampled_from(
    [
        "# Timeline", "## 2020-02-30", "- 10:00", "| 10:00 | a |", "|--|--|", "10:00 - 09:00: x",
        "Feb 29th", "31/31/2020", "99:99", "24:00 end", "T+5m", "the next day", "```", "---",
        "<!--", "-->", "> 10:01 quote", "✅ done (completed January 15-17)", "Primary cause: x",
        "UTC", "12 January: 14:05 - 15:00 ~ 16:00", "In the days before January 12th,", "??:??",
        "[a](b", "**", "`10:00", "+99:99", "UTC+25", "US/Nowhere", "midnight", "0000-00-00",
        "20:15 Jan 20 2015 UTC", "2 days later", "9999 days later", "1970-01-01 00:00",
        "Mon Tue Wed", "from 1 to 2 pm", "10:00 UTC (11:00 CET) / 12:00 EET", "\t- 10:00 \x0b a",
    ]
)  # fmt: skip
LINES = st.one_of(st.text(max_size=80), FRAGMENTS, st.tuples(FRAGMENTS, st.text()).map(" ".join))


class TestAnyText:
    @given(st.lists(LINES, max_size=30), st.sampled_from([None, 2020, 2024]))
    @settings(max_examples=250, deadline=None)
    def test_is_read_or_refused(self, lines: list[str], year: int | None) -> None:
        text = "\n".join(lines)
        try:
            reading = read_postmortem(text, year=year)
        except Refused:
            return

        assert_sane(reading, text)
        lint(reading)
        as_json(reading)


def assert_sane(reading: Reading, text: str) -> None:
    last = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert reading.line_count == last
    lines = [entry.line for entry in reading.entries]
    lines += [update.line for update in reading.updates]
    lines += [cause.line for cause in reading.causes]
    lines += [action.line for action in reading.actions]
    assert all(1 <= line <= last for line in lines)
    assert [entry.n for entry in reading.entries] == list(range(1, len(reading.entries) + 1))
    for entry in reading.entries:
        assert (entry.start is None) == (entry.precision == "unknown")
        assert entry.at is None or entry.start is not None
        assert len(entry.text60) <= 60


class TestRefusals:
    @pytest.mark.parametrize("text", ["", "  \n\t\n"])
    def test_of_an_empty_document(self, text: str) -> None:
        with pytest.raises(NothingToRead):
            read_postmortem(text)

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "+25:00", "no such"])
    def test_of_a_zone_that_does_not_exist(self, zone: str) -> None:
        with pytest.raises(UnknownZone, match="no time zone"):
            read_postmortem("10:00 a", timezone=zone)

    @pytest.mark.parametrize("year", [0, 1969, 2200, 99999])
    def test_of_a_year_that_cannot_be(self, year: int) -> None:
        with pytest.raises(YearOutOfRange):
            read_postmortem("10:00 a", year=year)


class TestSpeed:
    @pytest.mark.parametrize(
        "text",
        [
            "# 2020-01-01\n\n" + "- 10:00 UTC all [went](x) `well`\n" * 12_000,
            "| 2020-01-01 10:00 | one | two |\n" * 12_000,
            "At 10:00 on 1 January 2020 it fell over, and more was said. " * 6_000,
            "![" * 150_000,
            "[" * 150_000 + "](",
            "1" * 400_000,
            "**a" * 120_000,
            "<!--" * 80_000,
        ],
        ids=["list", "table", "prose", "images", "brackets", "digits", "stars", "comments"],
    )
    def test_a_long_document_takes_seconds(self, text: str) -> None:
        began = time.monotonic()

        read_postmortem(text)

        assert time.monotonic() - began < 15
