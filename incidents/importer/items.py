"""What a document consists of, as a reader sees it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from incidents.importer.leading import leading_time
from incidents.importer.markdown import Plain
from incidents.importer.sections import Section

_LONGEST_LABEL = 80
_TITLE_WITHIN = 5
# A tick, a cross, a circle of arrows: signs that open a statement of their own.
SIGN = re.compile(r"^(?:[\u2190-\u2bff\U0001f300-\U0001faff]\ufe0f?|\[[ xX]\])\s*")


class Kind(StrEnum):
    HEADING = "heading"
    BULLET = "bullet"
    ROW = "row"
    LINE = "line"
    QUOTE = "quote"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One statement of the document, at the line where it begins."""

    line: int
    kind: Kind
    words: Plain
    section: Section
    indent: int = 0
    cells: tuple[Plain, ...] = ()
    table: int = 0
    mark: str = ""
    after_blank: bool = True
    starts: tuple[tuple[int, int], ...] = ()

    def line_at(self, offset: int) -> int:
        """Return the source line in which a position of the text lies."""
        lines = [line for line, start in self.starts if start <= offset]
        return lines[-1] if lines else self.line

    @property
    def text(self) -> str:
        return self.words.text


@dataclass(frozen=True, slots=True)
class Document:
    """Items in order, the front matter's fields, and the remarks in comments."""

    items: tuple[Item, ...]
    fields: tuple[tuple[int, str, str], ...]
    remarks: tuple[tuple[int, str], ...]
    line_count: int

    @property
    def title(self) -> str:
        """The front matter's title, else the first heading or short line, else nothing."""
        for _line, name, value in self.fields:
            if name == "title":
                return value
        for item in self.items[:_TITLE_WITHIN]:
            if item.kind == Kind.HEADING and item.section.own_role is None:
                return item.text
            if item.kind == Kind.LINE and len(item.text) <= _LONGEST_LABEL:
                stated = leading_time(item.text)
                return "" if stated is not None and stated.has_clock else item.text.rstrip(":")
        return ""
