"""Words that time alone makes true."""

from django.utils.safestring import SafeString

from statuspage.documents.clauses import Clauses
from tests.factories import MINUTE, NOON


def _said(clauses: Clauses, text: str) -> list[tuple[int, str]]:
    return [
        (round((edition.valid_from - NOON) / MINUTE), edition.body.decode())
        for edition in clauses.editions(text)
    ]


class TestEditions:
    def test_without_a_clause_there_is_one(self) -> None:
        assert _said(Clauses(at=NOON), "plain") == [(0, "plain")]

    def test_turn_one_after_the_other(self) -> None:
        clauses = Clauses(at=NOON)
        late = clauses.turn(
            NOON + 2 * MINUTE, before=SafeString("by 12:02"), after=SafeString("late")
        )
        old = clauses.turn(NOON + 9 * MINUTE, before=SafeString(""), after=SafeString("old "))

        assert _said(clauses, f"{old}{late}") == [(0, "by 12:02"), (2, "late"), (9, "old late")]

    def test_a_moment_that_has_passed_has_turned(self) -> None:
        clauses = Clauses(at=NOON)

        words = clauses.turn(NOON, before=SafeString("before"), after=SafeString("after"))

        assert _said(clauses, words) == [(0, "after")]

    def test_clauses_may_hold_clauses(self) -> None:
        clauses = Clauses(at=NOON)
        eta = clauses.turn(NOON + MINUTE, before=SafeString("eta"), after=SafeString("passed"))
        panel = clauses.turn(NOON + 3 * MINUTE, before=eta, after=SafeString("no news"))

        assert _said(clauses, panel) == [(0, "eta"), (1, "passed"), (3, "no news")]

    def test_are_few_and_what_must_be_said_is_among_them(self) -> None:
        clauses = Clauses(at=NOON)
        text = "".join(
            clauses.turn(
                NOON + minute * MINUTE,
                before=SafeString("a"),
                after=SafeString("b"),
                is_kept=minute == 20,
            )
            for minute in range(1, 31)
        )

        moments = [minute for minute, _text in _said(clauses, text)]

        assert moments == [*range(12), 20]

    def test_nobody_can_write_a_mark(self) -> None:
        clauses = Clauses(at=NOON)
        clauses.turn(NOON + MINUTE, before=SafeString("a"), after=SafeString("b"))

        assert _said(clauses, "\x02:0\x03") == [(0, "\x02:0\x03")]
