"""What changed between two texts, word by word. Plain text in and out; nothing here knows HTML."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

# Comparing takes the product of both lengths at worst; longer texts are shown one after the other.
_MOST_WORDS = 3000
_WORDS = re.compile(r"\s+|[^\s]+")


class Fate(StrEnum):
    """What became of a piece of text."""

    KEPT = "kept"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words in a row with the same fate."""

    fate: Fate
    text: str


def differences(before: str, after: str) -> list[Piece]:
    """Return the pieces of both texts in reading order.

    Without the new pieces they are ``before``, without those that are gone ``after``.
    """
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(old), len(new)) > _MOST_WORDS:
        return [piece for piece in (Piece(Fate.GONE, before), Piece(Fate.NEW, after)) if piece.text]
    return list(_pieces(old, new))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if what == "equal":
            yield Piece(Fate.KEPT, "".join(old[old_from:old_to]))
            continue
        if old_to > old_from:
            yield Piece(Fate.GONE, "".join(old[old_from:old_to]))
        if new_to > new_from:
            yield Piece(Fate.NEW, "".join(new[new_from:new_to]))
