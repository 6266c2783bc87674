"""Dates as people plan: what is understood, to which precision, and what is answered otherwise."""

from datetime import UTC, datetime, timedelta

import pytest

from incidents.forms.fuzzy import read_fuzzy
from incidents.values import Precision


class TestReadFuzzy:
    @pytest.mark.parametrize(
        ("words", "day", "precision"),
        [
            ("2026-02-14", (2026, 2, 14), Precision.DAY),
            ("14 February 2026", (2026, 2, 14), Precision.DAY),
            ("14 Feb 2026", (2026, 2, 14), Precision.DAY),
            ("February 14, 2026", (2026, 2, 14), Precision.DAY),
            ("February 2026", (2026, 2, 1), Precision.MONTH),
            ("feb 2026", (2026, 2, 1), Precision.MONTH),
            ("2026-02", (2026, 2, 1), Precision.MONTH),
            ("Q1 2026", (2026, 1, 1), Precision.QUARTER),
            ("2026 Q3", (2026, 7, 1), Precision.QUARTER),
            ("2026", (2026, 1, 1), Precision.YEAR),
        ],
    )
    def test_reads_as_exact_as_it_is_said(
        self, words: str, day: tuple[int, int, int], precision: str
    ) -> None:
        when = read_fuzzy(words, tz="UTC")

        assert when.at == datetime(*day, tzinfo=UTC)
        assert when.precision == precision
        assert when.said == words
        assert not when.approx

    def test_the_day_begins_in_the_zone_and_the_month_ends_there(self) -> None:
        when = read_fuzzy("February 2026", tz="Europe/Amsterdam")

        assert when.at == datetime(2026, 1, 31, 23, tzinfo=UTC)
        assert when.latest == datetime(2026, 2, 28, 23, tzinfo=UTC)

    @pytest.mark.parametrize("joiner", [" to ", " – ", " - ", " until "])
    def test_reads_a_range(self, joiner: str) -> None:
        when = read_fuzzy(f"2026-01-15{joiner}2026-01-17", tz="UTC")

        assert when.until == datetime(2026, 1, 17, tzinfo=UTC)
        assert when.latest == datetime(2026, 1, 17, tzinfo=UTC) + timedelta(days=1)

    def test_reads_about(self) -> None:
        assert read_fuzzy("~ February 2026", tz="UTC").approx

    @pytest.mark.parametrize(
        "words",
        ["next friday", "soon", "February", "Q5 2026", "2026-02-30", "31 Foo 2026",
         "2026-02 to 2026-02-14", "2026-02-14 to 2026-02-10", "a – b – c", "Fe 2026",
         "0001-01-01", "Q1 0202", "0000", "December 9999"],
    )  # fmt: skip
    def test_answers_what_it_cannot_read_with_a_sentence(self, words: str) -> None:
        with pytest.raises(ValueError, match=r"\.$"):
            read_fuzzy(words, tz="Asia/Tokyo")
