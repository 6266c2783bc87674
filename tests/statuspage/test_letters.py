"""What people wrote, as a mail says it: without marks, and whole."""

import pytest

from statuspage.documents.letters import as_letter

LISTS = """We **know** the _cause_.

1. The disk
    - of `db-7`
    - and its twin
2. Then we check

We are back [here](https://acme.example/a?b=1&c=2)."""
READ = """We know the cause.

1. The disk
  - of db-7
  - and its twin
2. Then we check

We are back here (https://acme.example/a?b=1&c=2)."""


def test_lists_and_links_are_written_as_by_hand() -> None:
    assert as_letter(LISTS) == READ


@pytest.mark.parametrize(
    ("body", "letter"),
    [
        ("Plain words.", "Plain words."),
        ("One line\r\nand  another<br>and a third", "One line\nand another\nand a third"),
        ("# Back\n\nAll of it", "Back\n\nAll of it"),
        ("5 * 3 & 7 < 8", "5 * 3 & 7 < 8"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("See https://a.example/b.", "See https://a.example/b."),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("[us](mailto:us@a.example)", "us (us@a.example)"),
        ("Run:\n\n    one\n      two\n\nDone", "Run:\n\none\n  two\n\nDone"),
        ("- one\n  still one\n- two", "- one\n  still one\n- two"),
        ("", ""),
    ],
)
def test_words_stay_as_they_were(body: str, letter: str) -> None:
    assert as_letter(body) == letter


def test_marks_without_end_are_text() -> None:
    assert as_letter("[" * 5_000) == "[" * 5_000
