"""Action items: what is to be done, how far it is, until when, and by whom."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from dataclasses import dataclass
from datetime import date

from incidents.importer.calendar import Day
from incidents.importer.items import SIGN, Document, Item, Kind
from incidents.importer.reading import Action
from incidents.importer.sections import LIST_LEVEL, SectionRole
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times
from incidents.importer.year import nearest_year

_DONE_SIGNS = "✅✔☑🟢🎉"
_STOPPED_SIGNS = "❌🚫✖❎"
_STATES = (
    ("wont_do", re.compile(r"\bwon'?t (?:do|fix)\b|\bcancel+ed\b|\brejected\b|\bdropped\b", re.IGNORECASE)),
    ("done", re.compile(r"\b(?:completed?|done|finished|shipped|fixed|implemented|closed|merged)\b", re.IGNORECASE)),
    ("in_progress", re.compile(r"\bin[ -]progress\b|\bongoing\b|\bunder ?way\b|\bstarted\b|\bWIP\b", re.IGNORECASE)),
    ("delayed", re.compile(r"\bdelayed\b|\bpostponed\b|\bon hold\b|\bblocked\b", re.IGNORECASE)),
    ("planned", re.compile(r"\bplanned\b|\bscheduled\b|\bto-?do\b|\bopen\b|\bdue\b|\bbacklog\b", re.IGNORECASE)),
)  # fmt: skip
# Where the state stands: in brackets at the end, after a dash, or in capitals.
_NOTE = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]\s*[.;]?\s*$")
_SHOUTED = re.compile(
    r"\s*\b(DONE|TODO|WIP|IN PROGRESS|COMPLETED?|CANCELL?ED|OPEN|CLOSED)\b[\s.]*$"
)
_OWNER = re.compile(
    r"\b(?:owner|assignee|assigned to|responsible)\s*[:=]?\s*@?([\w.\- ]{2,40})", re.IGNORECASE
)
_HANDLE = re.compile(r"(?<![\w@/.])@([A-Za-z][\w.\-]{1,38})\b")
_LINK = re.compile(r"https?://[^\s<>\"')\]]+")
_KINDS = (
    ("detect", re.compile(r"\bmonitor|\balert|\bdetect|\bverif|\bdashboard|\balarm|\btest", re.IGNORECASE)),
    ("recover", re.compile(r"\brecover|\brunbook|\bplaybook|\bstandby|\brestore proc|\bdisaster", re.IGNORECASE)),
    ("mitigate", re.compile(r"\bmitigat|\bload.?shed|\bfallback|\bthrottl|\brate.?limit", re.IGNORECASE)),
    ("process", re.compile(r"\bprocess\b|\breview\b|\btraining\b|\bdocument|\bon-call\b|\brotation\b|\bpolicy", re.IGNORECASE)),
)  # fmt: skip
_COLUMNS = {
    "text": re.compile(r"action|item|task|what|descri|title|summary", re.IGNORECASE),
    "owner": re.compile(r"owner|assign|who|responsible|\bdri\b", re.IGNORECASE),
    "due": re.compile(r"due|deadline|when|target|\beta\b|date", re.IGNORECASE),
    "state": re.compile(r"status|state|done|progress|bug|ticket|issue", re.IGNORECASE),
    "kind": re.compile(r"\btype\b|\bkind\b|category", re.IGNORECASE),
}
_STEP_IN = 4
_KIND_NAMES = ("prevent", "detect", "mitigate", "recover", "process")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What one item says of an action, before its words are read."""

    line: int
    text: str
    sign: str = ""
    note: str = ""
    owner: str = ""
    due: str = ""
    kind: str = ""
    link: str = ""


def find_actions(document: Document, entry_lines: set[int], anchor: date | None) -> list[Action]:
    """Return the action items, in the order of the document."""
    told: list[_Told] = []
    rows: list[Item] = []
    for item in [*document.items, None]:
        if rows and (item is None or item.table != rows[0].table):
            told += _from_rows(rows)
            rows = []
        if item is None or item.line in entry_lines or item.kind in (Kind.CODE, Kind.QUOTE):
            continue
        if item.kind == Kind.ROW and item.section.role == SectionRole.ACTIONS:
            rows.append(item)
        elif _is_action(item):
            told.append(_from_item(item))
    return [_read(one, anchor) for one in told]


def _is_action(item: Item) -> bool:
    sign = SIGN.match(item.text)
    if item.section.role != SectionRole.ACTIONS:
        return item.kind == Kind.LINE and sign is not None and not sign[0].startswith("→")
    if item.kind == Kind.HEADING:
        return item.section.own_role is None
    if item.kind == Kind.LINE:
        return sign is not None
    return item.kind == Kind.BULLET and item.indent <= _outermost(item)


def _outermost(item: Item) -> int:
    """How deep a bullet may stand: a labelled bullet's list is one step in."""
    level = item.section.level
    return level - LIST_LEVEL + _STEP_IN if level >= LIST_LEVEL else 1


def _from_item(item: Item) -> _Told:
    sign = SIGN.match(item.text)
    text = item.text[sign.end() :] if sign else item.text
    note = _NOTE.search(text)
    shouted = _SHOUTED.search(text)
    if note and (_state_of(note[1]) or any(True for _ in find_times(note[1]))):
        text, words = text[: note.start()], note[1]
    elif shouted:
        text, words = text[: shouted.start()], shouted[1]
    else:
        words = ""
    link = _LINK.search(item.text)
    return _Told(
        line=item.line,
        text=text.strip(),
        sign=sign[0].strip() if sign else "",
        note=words,
        owner=_owner_in(item.text),
        link=link[0] if link else "",
    )


def _from_rows(rows: list[Item]) -> list[_Told]:
    header = [cell.text for cell in rows[0].cells]
    columns = {
        name: next((n for n, title in enumerate(header) if words.search(title)), None)
        for name, words in _COLUMNS.items()
    }
    if columns["text"] is None:
        return []
    return [_from_row(row, columns) for row in rows[1:] if _cell(row, columns["text"])]


def _from_row(row: Item, columns: dict[str, int | None]) -> _Told:
    return _Told(
        line=row.line,
        text=_cell(row, columns["text"]),
        note=_cell(row, columns["state"]),
        owner=_cell(row, columns["owner"]).lstrip("@"),
        due=_cell(row, columns["due"]),
        kind=_cell(row, columns["kind"]).lower(),
    )


def _cell(row: Item, n: int | None) -> str:
    return row.cells[n].text if n is not None and n < len(row.cells) else ""


def _owner_in(text: str) -> str:
    match = _OWNER.search(text) or _HANDLE.search(text)
    return match[1].strip() if match else ""


def _read(told: _Told, anchor: date | None) -> Action:
    state = _state(told)
    stated = next((found for found in find_times(told.due or told.note) if found.has_day), None)
    if stated is None and not told.due:
        stated = next((found for found in find_times(told.text) if _is_deadline(told, found)), None)
    when, precision = _iso(stated, anchor) if stated else (None, "unknown")
    return Action(
        line=told.line,
        text=told.text,
        state=state,
        due=None if state == "done" else when,
        done=when if state == "done" else None,
        precision=precision,
        owner=told.owner,
        kind=told.kind if told.kind in _KIND_NAMES else _kind(told.text),
        tracker_url=told.link,
        said=stated.said if stated else "",
    )


def _is_deadline(told: _Told, stated: Stated) -> bool:
    before = told.text[max(0, stated.begin - 12) : stated.begin].lower()
    return stated.has_day and bool(re.search(r"\b(?:by|until|due|before|on)\W*$", before))


def _state(told: _Told) -> str:
    if told.sign and (told.sign[0] in _DONE_SIGNS or told.sign.lower() == "[x]"):
        return "done"
    if told.sign and told.sign[0] in _STOPPED_SIGNS:
        return "wont_do"
    return _state_of(told.note) or ("in_progress" if told.sign.startswith("🔄") else "proposed")


def _state_of(words: str) -> str:
    return next((state for state, pattern in _STATES if pattern.search(words)), "")


def _kind(text: str) -> str:
    return next((kind for kind, words in _KINDS if words.search(text)), "prevent")


def _iso(stated: Stated, anchor: date | None) -> tuple[str | None, str]:
    start, precision = _day_iso(stated.start, anchor)
    if stated.end is None or stated.end.day is None or start is None:
        return start, precision
    end, _ = _day_iso(stated.end, anchor)
    return f"{start}/{end}", "day range"


def _day_iso(point: Point, anchor: date | None) -> tuple[str | None, str]:
    day: Day | None = point.day
    if day is None or (day.year is None and anchor is None):
        return None, "unknown"
    assert day.year is not None or anchor is not None
    year = day.year or nearest_year(day.month, day.day or 1, anchor or date.min)
    placed = day.on(year)
    if placed is None:
        return None, "unknown"
    if day.day is not None:
        return placed.isoformat(), "day"
    return placed.isoformat()[:7], "month"
