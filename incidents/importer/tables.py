"""Tables of events: which columns tell the time, and which what happened."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from incidents.importer.items import Item
from incidents.importer.leading import after_time, leading_time
from incidents.importer.relative import Relative, leading_relative
from incidents.importer.sections import SectionRole
from incidents.importer.stated import Stated
from incidents.importer.zones import ZONE_PATTERN, Zone, read_zone

_TIME = re.compile(
    r"\b(?:time|timestamp|when|hour|clock|start(?:ed)?|began|from|at|UTC|GMT)\b", re.IGNORECASE
)
_DATE = re.compile(r"\b(?:date|day)\b", re.IGNORECASE)
_END = re.compile(r"\b(?:end(?:ed)?|until|finish(?:ed)?|stop(?:ped)?|to)\b", re.IGNORECASE)
_OTHER = re.compile(
    r"\b(?:owner|assignee|due|deadline|ticket|bug|priority|action items?|eta|tracker|metric|value"
    r"|duration|severity)\b",
    re.IGNORECASE,
)
_TO_DO = re.compile(
    r"\b(?:status|state|remediation|mitigation|task|complet\w*|progress|expected)\b", re.IGNORECASE
)
_TELLING = tuple(
    re.compile(word, re.IGNORECASE)
    for word in (
        r"\bevents?\b", r"descri", r"\bwhat\b", r"happen", r"\bactivit", r"\bactions?\b",
        r"\bdetails?\b", r"summary", r"\bmessage", r"\bupdate", r"\bentry\b", r"\bnotes?\b",
        r"comment",
    )
)  # fmt: skip
_BLANKS = {
    "?",
    "??",
    "???",
    "unknown",
    "tbd",
    "tba",
    "n/a",
    "-",
    "–",
    "—",
    "unclear",
    "not known",
    "...",
    "…",
}
_MOSTLY = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table of events."""

    item: Item
    stated: Stated | None
    text: str
    zone: Zone | None = None
    flags: tuple[str, ...] = ()
    relative: Relative | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    date: int | None
    time: int | None
    end: int | None
    telling: tuple[int, ...]
    zone: Zone | None


def read_table(rows: list[Item]) -> Iterator[Row]:
    """Return the rows that tell of events; nothing, if the table is about something else."""
    header, body = _header(rows)
    columns = _columns(header, body, rows[0].section.role)
    if columns is None:
        return
    date = ""
    for item in body:
        date = _cell(item, columns.date) or date
        yield _row(item, columns, date)


def _header(rows: list[Item]) -> tuple[list[str], list[Item]]:
    cells = [cell.text for cell in rows[0].cells]
    if any(_is_time(cell) for cell in cells):
        return [""] * len(cells), rows
    return cells, rows[1:]


def _columns(header: list[str], body: list[Item], role: SectionRole | None) -> _Columns | None:
    width = max((len(item.cells) for item in body), default=0)
    header = header + [""] * (width - len(header))
    told = [n for n in range(width) if _tells_time(header[n], [_cell(i, n) for i in body])]
    if not told:
        return None
    timeline = role == SectionRole.TIMELINE
    named = bool(_TIME.search(header[told[0]]) or _DATE.search(header[told[0]]))
    if not timeline and (
        any(_OTHER.search(name) for name in header) or not (named or told[0] == 0)
    ):
        return None
    if not timeline and told[0] > 0 and any(_TO_DO.search(name) for name in header):
        return None
    date = next((n for n in told if _DATE.search(header[n]) and not _TIME.search(header[n])), None)
    clocks = [n for n in told if n != date]
    if date is None and len(clocks) > 1 and not any(_has_clock(_cell(i, clocks[0])) for i in body):
        date = clocks.pop(0)
    end = next((n for n in clocks[1:] if _END.search(header[n])), None)
    rest = [n for n in range(width) if n not in told]
    telling = next((n for word in _TELLING for n in rest if word.search(header[n])), None)
    return _Columns(
        date=date,
        time=clocks[0] if clocks else None,
        end=end,
        telling=(telling,) if telling is not None else tuple(rest),
        zone=_zone(header[clocks[0]] if clocks else ""),
    )


def _row(item: Item, columns: _Columns, date: str) -> Row:
    clock, end = _cell(item, columns.time), _cell(item, columns.end)
    text = " ".join(filter(None, (_cell(item, n) for n in columns.telling))) or " ".join(
        cell.text
        for n, cell in enumerate(item.cells)
        if cell.text and n not in (columns.date, columns.time, columns.end)
    )
    flags: tuple[str, ...]
    shown = clock or _cell(item, columns.date)
    if shown.lower().strip("()[] ") in _BLANKS:
        clock, flags = "", ("unknown_time",)
    else:
        flags = () if clock or _cell(item, columns.date) else ("undated_between_dated",)
    inherited = columns.date is not None and not _cell(item, columns.date)
    words = " ".join(filter(None, ("" if inherited and not clock else date, clock)))
    if clock and columns.date is not None and leading_time(clock) and _has_date(clock):
        words = clock
    stated = leading_time(f"{words} - {end}" if end and clock else words) if words else None
    if inherited and stated is not None:
        stated = replace(stated, flags=(*stated.flags, "date_above"))
    relative = leading_relative(clock) if stated is None and clock else None
    return Row(
        item=item, stated=stated, text=text, zone=columns.zone, flags=flags, relative=relative
    )


def _cell(item: Item, n: int | None) -> str:
    return item.cells[n].text if n is not None and n < len(item.cells) else ""


def _zone(words: str) -> Zone | None:
    match = re.search(ZONE_PATTERN, words)
    return read_zone(match[0]) if match else None


def _is_time(cell: str) -> bool:
    stated = leading_time(cell)
    if stated is not None:
        return not after_time(cell, stated)
    relative = leading_relative(cell)
    return relative is not None and relative.count is not None and not relative.text


def _has_clock(cell: str) -> bool:
    stated = leading_time(cell)
    return stated is not None and stated.has_clock


def _has_date(cell: str) -> bool:
    stated = leading_time(cell)
    return stated is not None and stated.has_day


def _tells_time(name: str, cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell and cell.lower() not in _BLANKS]
    if not filled:
        return False
    pure = sum(_is_time(cell) or bool(re.fullmatch(r"\d{1,2}[/-]\d{1,2}", cell)) for cell in filled)
    titled = bool(_TIME.search(name) or _DATE.search(name) or _END.search(name))
    leading = sum(leading_time(cell) is not None for cell in filled) if titled else 0
    return max(pure, leading) >= _MOSTLY * len(filled)
