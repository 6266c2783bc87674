"""Tables as files for a spreadsheet: safe to open, written while they are read."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

# With one of these in front, a spreadsheet takes a text for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What csv writes into: it hands back what it is given."""

    def write(self, line: str) -> str:
        return line


def sheet(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of a CSV file, read as they are asked for.

    Text that a spreadsheet would run as a formula has an apostrophe in front. The first sign says
    that it is UTF-8.
    """
    writer: Any = csv.writer(_Line())
    yield "\ufeff" + writer.writerow(head)
    for row in rows:
        yield writer.writerow([_safe(cell) for cell in row])


def _safe(cell: Any) -> Any:
    is_formula = isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA)
    return f"'{cell}" if is_formula else cell
