"""Tables written as HTML, row by row, with the source line of each cell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BEGIN = re.compile(r"<table\b", re.IGNORECASE)
_END = re.compile(r"</table\s*>", re.IGNORECASE)
_ROW = re.compile(r"<tr\b", re.IGNORECASE)
_CELL = re.compile(r"<t[dh]\b[^<>]*>", re.IGNORECASE)
_CELL_END = re.compile(r"</?(?:td|th|tr|thead|tbody|tfoot|table)\b[^<>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WebRow:
    """The cells of one row, as Markdown, and the 1-based line of the first."""

    line: int
    cells: tuple[str, ...]


def begins_table(line: str) -> bool:
    return bool(_BEGIN.search(line))


def ends_of_tables(lines: list[str]) -> list[int]:
    """Return the indices of the lines in which a table ends, in order."""
    return [n for n, line in enumerate(lines) if _END.search(line)]


def web_rows(lines: list[str], first: int, last: int) -> list[WebRow]:
    """Return the rows of the table in these lines, both included."""
    return list(_rows(lines[first : last + 1], first + 1))


def _rows(lines: list[str], first: int) -> Iterator[WebRow]:
    text = "\n".join(lines)
    starts = [match.start() for match in _ROW.finditer(text)]
    for begin, finish in zip(starts, [*starts[1:], len(text)], strict=True):
        opened = list(_CELL.finditer(text, begin, finish))
        if opened:
            line = first + text.count("\n", 0, opened[0].start())
            yield WebRow(line, tuple(_cell(text, match, finish) for match in opened))


def _cell(text: str, opened: re.Match[str], finish: int) -> str:
    closed = _CELL_END.search(text, opened.end(), finish)
    return " ".join(text[opened.end() : closed.start() if closed else finish].split())
