"""Clocks written without a colon: a list of "0915 cold", "0930 warm" is one of times."""

import re
from dataclasses import replace

from incidents.importer.items import Document, Item, Kind
from incidents.importer.markdown import Plain

_PLAIN = re.compile(
    r"(?P<before>\W*)(?P<hours>[01]\d|2[0-3])(?P<minutes>[0-5]\d)(?=h?\s*(?:[:–—|]|-\s|\s[A-Za-z@`\"(-]|$))"
)
_YEAR = re.compile(r"\W*(?:19|20)[0-5]\d\b")
_FEWEST = 3


def with_colons(document: Document) -> Document:
    """Return the document with colons in such lists, so that they read as any other.

    One number alone may be a year or a quantity; three at the heads of statements of one
    section, half of them no years, are clocks.
    """
    heads: dict[int, list[str]] = {}
    for item in document.items:
        head = _head(item)
        if _PLAIN.match(head):
            heads.setdefault(id(item.section), []).append(head)
    clocks = {section for section, found in heads.items() if _are_clocks(found)}
    if not clocks:
        return document
    items = (_colon(item) if id(item.section) in clocks else item for item in document.items)
    return replace(document, items=tuple(items))


def _head(item: Item) -> str:
    if item.kind == Kind.ROW:
        return item.cells[0].text if item.cells else ""
    return item.text if item.kind in (Kind.LINE, Kind.BULLET) else ""


def _are_clocks(heads: list[str]) -> bool:
    years = sum(bool(_YEAR.match(head)) for head in heads)
    return len(heads) >= _FEWEST and 2 * years <= len(heads)


def _colon(item: Item) -> Item:
    if not _PLAIN.match(_head(item)):
        return item
    cells = (_inserted(item.cells[0]), *item.cells[1:]) if item.cells else ()
    return replace(item, words=_inserted(item.words), cells=cells)


def _inserted(words: Plain) -> Plain:
    clock = r"\g<before>\g<hours>:\g<minutes>"
    if not _PLAIN.match(words.masked):
        return words
    return Plain(_PLAIN.sub(clock, words.text, count=1), _PLAIN.sub(clock, words.masked, count=1))
