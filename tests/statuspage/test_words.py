"""Bodies, times and amounts as the page says them."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from django.utils.html import strip_tags

from incidents.models import Promise
from incidents.values import Precision, When, zone
from statuspage.documents import moments
from statuspage.documents.bodies import as_html, as_plain, first_words
from tests.factories import HOUR, MINUTE, NOON

BERLIN = ZoneInfo("Europe/Berlin")


class TestAsHtml:
    def test_keeps_lists_links_code_and_line_breaks(self) -> None:
        found = as_html("One\ntwo\n\n- a\n- b `c`\n\nhttps://example.com/x.")

        assert "One<br>\ntwo" in found
        assert "<li>a</li>" in found
        assert "<code>c</code>" in found
        assert '<a href="https://example.com/x" rel="nofollow noopener">' in found

    @pytest.mark.parametrize(
        "body",
        [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "<img src=x onerror=alert(1)>",
            "![x](https://example.com/pixel.png)",
            "<a href='https://a.example' onclick='x()'>a</a>",
            "<b style='position:fixed'>x</b>",
        ],
    )
    def test_anything_else_is_text(self, body: str) -> None:
        found = as_html(body)

        for tag in ("<script", "<img", "<a href='", "<b", 'href="javascript'):
            assert tag not in found


class TestAsPlain:
    def test_has_line_breaks_and_no_other_tag(self) -> None:
        assert as_plain("One\r\ntwo<br>three <b>x</b>") == (
            "One<br />two<br />three &lt;b&gt;x&lt;/b&gt;"
        )

    @pytest.mark.parametrize(
        ("body", "plain"),
        [
            ("It is **all** back, _really_.", "It is all back, really."),
            ("Say `restart`.\n\n- one\n- two", "Say restart. - one - two"),
            ("See [the page](https://x.example/a).", "See the page (https://x.example/a)."),
            ("**Now** at https://x.example/a_b", "Now at https://x.example/a_b"),
            ("# Over\n\n**Tours & <b>photos</b>**", "Over Tours & <b>photos</b>"),
            ("3 * 4 and snake_case_name", "3 * 4 and snake_case_name"),
        ],
    )
    def test_the_first_words_are_words_alone(self, body: str, plain: str) -> None:
        assert first_words(body) == plain

    def test_cuts_at_a_word(self) -> None:
        assert first_words("alpha beta gamma", 12) == "alpha beta…"


class TestTimes:
    def test_are_written_for_programs_in_the_zone(self) -> None:
        assert moments.iso(NOON, zone("Etc/UTC")) == "2026-01-12T12:00:00.000Z"
        assert moments.iso(NOON, BERLIN) == "2026-01-12T13:00:00.000+01:00"

    def test_name_their_zone(self) -> None:
        assert moments.moment(NOON, BERLIN) == "12 January, 13:00 CET"
        assert moments.clock(NOON, zone("+05:30")) == "17:30 UTC+05:30"

    def test_a_range_says_its_day_once(self) -> None:
        found = moments.between(NOON, NOON + HOUR, zone(""))

        assert found.count("12 January") == 1
        assert ">12:00<" in found
        assert ">13:00 UTC<" in found

    @pytest.mark.parametrize(
        ("length", "words"),
        [
            (timedelta(seconds=20), "less than a minute"),
            (MINUTE, "1 minute"),
            (3 * HOUR + 2 * MINUTE, "3 hours 2 minutes"),
            (49 * HOUR + MINUTE, "2 days 1 hour"),
        ],
    )
    def test_durations_are_spelled(self, length: timedelta, words: str) -> None:
        assert moments.lasted(length) == words

    @pytest.mark.parametrize(
        ("language", "hours", "same_day"),
        [
            ("nl", "3 uur en 2 minuten", "op 12 januari tussen 12:00 en 13:00 UTC"),
            ("de", "3 Stunden und 2 Minuten", "am 12. Januar zwischen 12:00 und 13:00 UTC"),
            ("fr", "3 heures et 2 minutes", "le 12 janvier entre 12:00 et 13:00 UTC"),
        ],
    )
    def test_are_put_in_the_order_of_the_language(
        self, language: str, hours: str, same_day: str
    ) -> None:
        with translation.override(language):
            assert moments.lasted(3 * HOUR + 2 * MINUTE) == hours
            found = strip_tags(moments.between(NOON, NOON + HOUR, zone("")))
            assert found == same_day

    @pytest.mark.parametrize(
        ("precision", "words"),
        [
            (Precision.MINUTE, ("12 January, 12:00 UTC", "autour du 12 janvier, 12:00 UTC")),
            (
                Precision.DAY,
                ("the end of 12 January 2026", "fin de journée du 12 janvier 2026 environ"),
            ),
            (Precision.MONTH, ("the end of January 2026", "fin janvier 2026 environ")),
            (
                Precision.QUARTER,
                ("the end of 31 March 2026", "fin de journée du 31 mars 2026 environ"),
            ),
            (Precision.YEAR, ("the end of 2026", "fin 2026 environ")),
        ],
    )
    def test_are_as_exact_as_they_were_given(
        self, precision: Precision, words: tuple[str, str]
    ) -> None:
        stated = When(at=NOON, precision=precision, tz="UTC")
        given = Promise(**stated.fields("due_"), expires_at=stated.latest)

        assert strip_tags(moments.due(given, zone(""))) == words[0]
        given.due_approx = True
        with translation.override("fr"):
            assert strip_tags(moments.due(given, zone(""))) == words[1]

    def test_by_stands_before_an_exact_time_alone(self) -> None:
        exact = Promise(due_at=NOON)
        coarse = Promise(due_at=NOON, due_precision=Precision.DAY)

        assert strip_tags(moments.due_by(exact, zone(""))) == "by 12 January, 12:00 UTC"
        assert strip_tags(moments.due_by(coarse, zone(""))) == "the end of 12 January 2026"


@pytest.mark.parametrize(
    ("count", "unit", "words"),
    [(0, "bytes", "0 B"), (999, "bytes", "999 B"), (39_480_000_000, "bytes", "39.5 GB"),
     (253_100_000, "bytes", "253 MB"), (12, "items", "12"), (12_000, "rows", "12,000 rows")],
)  # fmt: skip
def test_amounts_are_in_units_that_people_read(count: float, unit: str, words: str) -> None:
    assert moments.amount(count, unit) == words
