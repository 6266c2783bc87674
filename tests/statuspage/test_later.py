"""What an archived document says later lies beside it, and counts only if it belongs to it."""

import gzip
from pathlib import Path

import pytest

from statuspage.serving import later
from statuspage.serving.memory import digest

NOW = b"<p>It runs.</p>"
EDITIONS = [(100.0, b"<p>No news.</p>"), (200.5, b"<p>This copy is old.</p>")]


@pytest.fixture
def document(tmp_path: Path) -> Path:
    found = tmp_path / "mine.html"
    found.write_bytes(NOW)
    later.beside(found).write_bytes(later.content(digest(NOW), EDITIONS))
    return found


def test_gives_back_what_was_written_ready_to_be_sent(document: Path) -> None:
    found = later.read(document, of=digest(NOW))

    assert [(at, plain) for at, (plain, _packed, _none) in found] == EDITIONS
    assert all(gzip.decompress(packed) == plain for _at, (plain, packed, _none) in found)


def test_what_belongs_to_another_document_counts_for_nothing(document: Path) -> None:
    assert later.read(document, of=digest(b"<p>It is done.</p>")) == []


def test_a_document_without_any_has_none(tmp_path: Path) -> None:
    assert later.read(tmp_path / "mine.html", of=digest(NOW)) == []


@pytest.mark.parametrize("length", [0, 10, -1, -60])
def test_what_was_cut_short_counts_for_nothing(length: int, document: Path) -> None:
    beside = later.beside(document)
    beside.write_bytes(beside.read_bytes()[:length])

    assert later.read(document, of=digest(NOW)) == []


@pytest.mark.parametrize("content", [b"[]\n", b"null\n", b'{"of": 1}\n', b"\xff\xfe", b"{}\n"])
def test_what_is_something_else_counts_for_nothing(content: bytes, document: Path) -> None:
    later.beside(document).write_bytes(content)

    assert later.read(document, of=digest(NOW)) == []
