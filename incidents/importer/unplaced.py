"""Lines that hold a time and that no entry was made of, for whoever looks the reading through."""

from collections.abc import Collection, Iterator

from incidents.importer.candidates import Mark, Step
from incidents.importer.items import Document, Item, Kind
from incidents.importer.times import find_times


def find_unplaced(document: Document, steps: list[Step], taken: Collection[int]) -> Iterator[int]:
    """Yield the lines with a clock time or a date, outside code, that led to nothing.

    ``taken`` are the lines of entries, causes and actions; a date that stands over entries has
    led to theirs.
    """
    lines = {*taken, *(step.line for step in steps if isinstance(step, Mark))}
    for item in document.items:
        if item.kind == Kind.CODE or any(line in lines for line in _lines(item)):
            continue
        stated = next(iter(find_times(item.words.masked)), None)
        if stated is not None and (stated.has_clock or stated.has_day):
            yield item.line_at(stated.begin)


def _lines(item: Item) -> Iterator[int]:
    yield item.line
    for line, _offset in item.starts:
        yield line
