"""What changed between two texts, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from incidents.differences import Fate, Piece, differences


def test_a_word_in_the_place_of_another() -> None:
    assert differences("Restarted the proxi twice", "Restarted the proxy twice") == [
        Piece(Fate.KEPT, "Restarted the "),
        Piece(Fate.GONE, "proxi"),
        Piece(Fate.NEW, "proxy"),
        Piece(Fate.KEPT, " twice"),
    ]


def test_a_text_that_is_too_long_to_compare_is_shown_whole() -> None:
    before, after = "word " * 4000, "other " * 4000

    assert differences(before, after) == [Piece(Fate.GONE, before), Piece(Fate.NEW, after)]


@given(st.text(max_size=60), st.text(max_size=60))
def test_both_texts_can_be_read_from_the_pieces(before: str, after: str) -> None:
    pieces = differences(before, after)

    assert "".join(piece.text for piece in pieces if piece.fate != Fate.NEW) == before
    assert "".join(piece.text for piece in pieces if piece.fate != Fate.GONE) == after
