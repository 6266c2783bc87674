"""Dates, times and amounts as each language writes them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from incidents import spoken, wording
from incidents.values import ProgressPhase

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 9, 12, 4, 5, tzinfo=UTC)
THIN, FIXED = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("9 March 2026", "1 March", "March 2026")),
        ("nl", ("9 maart 2026", "1 maart", "maart 2026")),
        ("de", ("9. März 2026", "1. März", "März 2026")),
        ("fr", ("9 mars 2026", "1er mars", "mars 2026")),
    ],
)
def test_dates(language: str, words: tuple[str, str, str]) -> None:
    with translation.override(language):
        assert words == (
            spoken.day(NOON),
            spoken.day(date(2026, 3, 1), year=False),
            spoken.month(NOON),
        )


@pytest.mark.parametrize(
    ("language", "alone", "within"),
    [
        ("en", "9 March, 13:04 CET", "9 March 13:04 CET"),
        ("nl", "9 maart, 13:04 CET", "9 maart om 13:04 CET"),
        ("de", "9. März, 13:04 CET", "9. März, 13:04 CET"),
        ("fr", "9 mars, 13:04 CET", "9 mars à 13:04 CET"),
    ],
)
def test_a_moment_by_itself_and_within_a_sentence(language: str, alone: str, within: str) -> None:
    with translation.override(language):
        assert spoken.moment(NOON, BERLIN) == alone
        assert spoken.moment_within(NOON, BERLIN) == within
        assert spoken.clock(NOON, BERLIN, seconds=True) == "13:04:05 CET"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("1.5 GB", "12,345", "64 %")),
        ("nl", (f"1,5{FIXED}GB", "12.345", "64%")),
        ("de", (f"1,5{FIXED}GB", "12.345", f"64{FIXED}%")),
        ("fr", (f"1,5{FIXED}Go", f"12{FIXED}345", f"64{FIXED}%")),
    ],
)
def test_figures(language: str, words: tuple[str, str, str]) -> None:
    with translation.override(language):
        assert words == (
            spoken.amount(1_540_000_000, "bytes"),
            spoken.number(12_345),
            spoken.share(64),
        )


HOURS_OF_A_DAY = "the storage's speed by the hour over 1 day"


class TestWording:
    def test_says_what_an_estimate_rests_on(self) -> None:
        assert wording.basis_words("last:60") == "the speed of the last 60 s"
        assert wording.basis_words("usual:") == "usual speeds"
        with translation.override("nl"):
            assert wording.basis_words("last:60") == f"de snelheid van de laatste 60{FIXED}s"

    @pytest.mark.parametrize(
        ("basis", "words"),
        [
            ("last:119", "the speed of the last 119 s"),
            ("last:600", "the speed of the last 10 min"),
            ("last:36000", "the speed of the last 10 h"),
            ("past:1", "1 earlier restore"),
            ("past:5,last:60", "5 earlier restores and the speed of the last 60 s"),
            (
                "past:5,hours:14",
                "5 earlier restores and the storage's speed by the hour over 14 days",
            ),
            (
                "past:2,hours:1,last:60",
                f"2 earlier restores, {HOURS_OF_A_DAY} and the speed of the last 60 s",
            ),
        ],
    )
    def test_says_all_that_an_estimate_rests_on(self, basis: str, words: str) -> None:
        assert wording.basis_words(basis) == words

    @pytest.mark.parametrize("language", ["nl", "de", "fr"])
    def test_says_it_in_every_language(self, language: str) -> None:
        with translation.override(language):
            words = wording.basis_words("past:5,hours:14,last:600")

        assert all(figure in words for figure in ("5", "14", "10"))
        assert "storage" not in words

    @pytest.mark.parametrize("basis", ["", "usual", "the last 60 s", "last: 60", "last:60 or so"])
    def test_leaves_what_a_person_wrote(self, basis: str) -> None:
        assert wording.basis_words(basis) == basis

    def test_writes_a_phase_within_a_sentence(self) -> None:
        assert wording.progress_words(ProgressPhase.FETCHING, None) == "copying the backup"
        with translation.override("de"):
            # Nouns keep their capitals.
            found = wording.progress_words(ProgressPhase.FETCHING, 64)
            assert found == f"Kopieren der Sicherung, 64{FIXED}%"

    def test_counts_items(self) -> None:
        assert wording.amount_words(1, "items") == "1 item"
        assert wording.amount_words(1_200, "items") == "1,200 items"
        assert wording.amount_words(253_100_000, "bytes") == "253 MB"
        assert wording.amount_words(3, "") == ""
        with translation.override("fr"):
            assert wording.amount_words(0, "items") == "0 élément"

    def test_says_up_to_when_data_comes_back(self) -> None:
        assert wording.horizon_words(NOON, BERLIN) == "9 March 13:04 CET"
        assert wording.horizon_words(None, BERLIN) == "the last archived change"
