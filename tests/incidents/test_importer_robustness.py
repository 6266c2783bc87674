"""Whatever is pasted in, the importer answers: with a reading or with a named refusal."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.errors import Refused
from incidents.importer import (
    LARGEST_FILE,
    DocumentTooLong,
    NothingToRead,
    NotText,
    Reading,
    UnknownZone,
    YearOutOfRange,
    as_json,
    decode,
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
        "Mon Tue Wed", "from 1 to 2 pm", "10:00 UTC (11:00 CET) / 12:00 EET",
        "<table><tr><td>10:00</td>", "</table>", "1468380240: a", "T = 10:00", "T+0", "T+1h30m",
        "31 juin 2020 10:00", "10:00-11:00", "2020-06-31 10:00: a", "30. Februar 2021", "24:XX",
        "\t- 10:00 \x0b a",
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

    def test_of_a_document_that_is_too_long(self) -> None:
        with pytest.raises(DocumentTooLong, match="without logs"):
            read_postmortem("10:00 a\n" * 300_000)


class TestBytes:
    @given(st.binary(max_size=400))
    @settings(max_examples=200, deadline=None)
    def test_are_text_or_refused(self, content: bytes) -> None:
        try:
            decoded = decode(content)
        except NotText:
            return
        assert isinstance(decoded.text, str)

    @pytest.mark.parametrize(
        ("encoding", "name", "guessed"),
        [
            ("utf-8", "UTF-8", False),
            ("utf-8-sig", "UTF-8", False),
            ("utf-16", "UTF-16", False),
            ("utf-16-le", "UTF-16", True),
            ("utf-16-be", "UTF-16", True),
            ("cp1252", "Windows-1252", True),
        ],
    )
    def test_are_read_in_the_encodings_that_occur(
        self, encoding: str, name: str, *, guessed: bool
    ) -> None:
        text = "Zeitleiste\n- 10:00 Uhr: Gerät fällt aus\n"

        decoded = decode(text.encode(encoding))

        assert (decoded.text, decoded.encoding, decoded.guessed) == (text, name, guessed)

    @pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\x00\x00", bytes(range(32)) * 20])
    def test_of_a_picture_or_a_program_are_refused(self, content: bytes) -> None:
        with pytest.raises(NotText, match="is no text"):
            decode(content)

    def test_of_a_file_that_is_too_long_are_refused(self) -> None:
        with pytest.raises(DocumentTooLong):
            decode(b"a" * (LARGEST_FILE + 1))


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
            "<table>\n" * 60_000,
            "<table><tr>\n" * 30_000 + "</table>",
            "T+1 januar 10:00-" * 12_000,
        ],
        ids=[
            "list",
            "table",
            "prose",
            "images",
            "brackets",
            "digits",
            "stars",
            "comments",
            "open tables",
            "nested tables",
            "pieces of times",
        ],
    )
    def test_a_long_document_takes_seconds(self, text: str) -> None:
        began = time.monotonic()

        read_postmortem(text)

        assert time.monotonic() - began < 15
