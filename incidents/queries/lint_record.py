"""The record of an incident as the lint reads it: the same values that the importer makes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby

from incidents.errors import Refused
from incidents.importer import (
    Action,
    Cause,
    Entry,
    Mention,
    Other,
    Promised,
    Reading,
    StatedZone,
    Statement,
    Told,
    Window,
    read_postmortem,
)
from incidents.importer.markdown import plain
from incidents.importer.times import find_times
from incidents.models import ActionItem, TimelineEntry
from incidents.queries.lint_dates import mentions_in
from incidents.queries.lint_rows import Rows
from incidents.values import EntryKind, Precision, When, local, zone

_COARSE = {
    Precision.DAY: len("2026-01-12"),
    Precision.MONTH: len("2026-01"),
    Precision.QUARTER: len("2026-01"),
    Precision.YEAR: len("2026"),
}
THE_DOCUMENT = "the imported document"


def reading_of(rows: Rows) -> Reading:
    """Return the record as the lint reads it, and the imported document beside it.

    Each value names its row; lines number the entries, then the rest. A row that still says what
    the document says is read as the document is, with the document's own words for its time.
    """
    document = _document(rows)
    origins = _origins(rows, document)
    entries = [
        _entry(n, row, origins.get(row.pk), rows) for n, row in enumerate(rows.entries, start=1)
    ]
    behind = len(entries) + 1
    causes = [
        Cause(line=n, kind=cause.kind, text=cause.text, row=f"cause:{cause.pk}")
        for n, cause in enumerate(rows.causes, start=behind)
    ]
    actions = [
        _action(n, action, rows)
        for n, action in enumerate(rows.actions, start=behind + len(causes))
    ]
    return Reading(
        title=rows.incident.title,
        entries=tuple(entries),
        updates=(),
        causes=tuple(causes),
        actions=tuple(actions),
        mentions=tuple(_mentions(rows, document, entries, actions)),
        timezone=_zone(rows, document),
        year=document.year if document else None,
        line_count=behind + len(causes) + len(actions),
        statements=tuple(_statements(rows, document, entries)),
        windows=tuple(_windows(rows)),
        promises=tuple(_promises(rows)),
        others=tuple(_others(rows, document, origins)),
    )


@lru_cache(maxsize=8)
def _read(text: str, told: Told) -> Reading | None:
    try:
        return read_postmortem(text, told=told)
    except Refused:
        return None


def _document(rows: Rows) -> Reading | None:
    """Read the imported document again, with what was told of it then, as the rows bear it out."""
    if not rows.document:
        return None
    lined = [row for row in rows.entries if row.import_line and row.at is not None]
    first = min(lined, key=lambda row: row.import_line or 0, default=None)
    began = None if first is None or first.at is None else _local(first.at, first.tz, rows)
    told = Told(year=began.year if began else None)
    read = _read(rows.document, told)
    if read is None:
        return None
    if (read.timezone.name if read.timezone else "UTC") != rows.incident.tz:
        told = replace(told, timezone=rows.incident.tz)
    if read.lacks_day and began is not None:
        told = replace(told, day=began.date())
    part = next((part for part in read.parts if first and part.holds(first.import_line or 0)), None)
    if part is not None and all(part.holds(row.import_line or 0) for row in lined):
        told = replace(told, part=part.number)
    read = _read(rows.document, told) or read
    if not read.order_open and (not lined or _borne_out(read, rows)):
        return read
    orders = [_read(rows.document, replace(told, day_first=order)) for order in (True, False)]
    return max((read, *filter(None, orders)), key=lambda each: _borne_out(each, rows))


def _borne_out(document: Reading, rows: Rows) -> int:
    """Count the entries that still say what this reading of the document says."""
    origins = _origins(rows, document)
    return sum(
        row.pk in origins and _says_still(row, origins[row.pk], rows) for row in rows.entries
    )


def _origins(rows: Rows, document: Reading | None) -> dict[int, Entry]:
    """Return, by row, the entry of the document that it was made from."""
    if document is None:
        return {}
    by_words = {(entry.line, entry.text): entry for entry in document.entries}
    by_line = {entry.line: entry for entry in document.entries}
    found = {
        row.pk: by_words.get((row.import_line, row.text)) or by_line.get(row.import_line)
        for row in rows.entries
        if row.import_line
    }
    return {pk: entry for pk, entry in found.items() if entry is not None}


def _entry(n: int, row: TimelineEntry, origin: Entry | None, rows: Rows) -> Entry:
    if origin is not None and _says_still(row, origin, rows):
        return replace(origin, n=n, line=n, part=1, milestone=row.milestone, row=f"entry:{row.pk}")
    told = rows.told.get(row.pk)
    stated = next(find_times(row.said), None)
    label = stated.start.zone.label if stated and stated.start.zone else ""
    return Entry(
        n=n,
        line=n,
        text=told.body if told else row.text,
        start=_iso(row.at, row.precision, row.tz, rows),
        end=_iso(row.until, row.precision, row.tz, rows),
        precision=row.precision,
        approx=row.approx,
        said=row.said,
        zone=row.tz or rows.incident.tz,
        zone_label=label,
        kind="update" if row.kind == EntryKind.UPDATE and told else "event",
        tags=tuple(row.tags),
        milestone=row.milestone,
        flags=("unknown_time",) if row.at is None and origin is None else (),
        row=f"entry:{row.pk}",
    )


def _says_still(row: TimelineEntry, origin: Entry, rows: Rows) -> bool:
    """Whether nobody has changed the words or the time since they were read."""
    same_words = row.text == origin.text or not origin.text
    return same_words and _same_time(row, origin, rows)


def _same_time(row: TimelineEntry, origin: Entry, rows: Rows) -> bool:
    if origin.at is None or row.at is None:
        return origin.at is None and row.at is None
    at = origin.at
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone(origin.zone or rows.incident.tz))
    return at == row.at and (row.until is None or origin.end is not None)


def _action(n: int, action: ActionItem, rows: Rows) -> Action:
    due, done = When.of(action, "due_"), When.of(action, "done_")
    return Action(
        line=n,
        text=action.text,
        state=action.state,
        due=_iso(due.at, due.precision, due.tz, rows) or due.said or None,
        done=_iso(done.at, done.precision, done.tz, rows),
        owner=action.owner_name,
        kind=action.kind,
        row=f"action:{action.pk}",
    )


def _mentions(
    rows: Rows, document: Reading | None, entries: list[Entry], actions: list[Action]
) -> Iterator[Mention]:
    """Yield the document's dates where they still hold, and those that the rows name besides."""
    kept: set[str] = set()
    if document is not None:
        names = _rows_by_line(rows, document)
        for mention in document.mentions:
            if mention.line not in names:
                yield mention
            elif row := names[mention.line]:
                kept.add(row)
                yield replace(mention, row=row)
        kept |= {row for row in names.values() if row}
    usual = next(
        (entry.at.date() for entry in entries if entry.at), rows.incident.created_at.date()
    )
    for entry in entries:
        if entry.row not in kept:
            near = entry.at.date() if entry.at else usual
            yield from mentions_in(
                entry.text, row=entry.row, line=entry.line, near=near, place="text"
            )
    for action in actions:
        if action.row not in kept:
            yield from _of_action(action, usual)


def _of_action(action: Action, near: date) -> Iterator[Mention]:
    return mentions_in(action.text, row=action.row, line=action.line, near=near, place="action")


def _rows_by_line(rows: Rows, document: Reading) -> dict[int, str]:
    """Return what became of each line in which something was read: a row, or nothing any more."""
    things: tuple[Entry | Cause | Action, ...] = (
        *document.entries,
        *document.causes,
        *document.actions,
    )
    names = dict.fromkeys((thing.line for thing in things), "")
    words = {(thing.line, thing.text) for thing in things}
    origins = _origins(rows, document)
    for entry in rows.entries:
        origin = origins.get(entry.pk)
        if origin is not None and _says_still(entry, origin, rows):
            names[origin.line] = f"entry:{entry.pk}"
    lined = [(row, "cause") for row in rows.causes] + [(row, "action") for row in rows.actions]
    for row, kind in lined:
        if (row.import_line, row.text) in words:
            names[row.import_line or 0] = f"{kind}:{row.pk}"
    return names


def _statements(rows: Rows, document: Reading | None, entries: list[Entry]) -> Iterator[Statement]:
    """Yield what is said anywhere: in the document, and in the rows that do not stem from it."""
    known = _rows_by_line(rows, document) if document else {}
    kept = {row for row in known.values() if row}
    for statement in document.statements if document else ():
        row = known.get(statement.line)
        if row is None:
            yield statement
        elif row:
            yield replace(statement, row=row)
    own = [(entry.row, entry.text) for entry in entries]
    own += [(f"cause:{cause.pk}", cause.text) for cause in rows.causes]
    own.append((f"incident:{rows.incident.pk}", rows.incident.summary))
    for row, text in own:
        if row not in kept and text:
            yield Statement(line=0, text=plain(text).masked, row=row)
    for section in rows.sections:
        # Line by line: a sentence about one time is not read together with the next.
        for line in section.body.splitlines():
            if line.strip():
                yield Statement(line=0, text=plain(line).masked, row=f"section:{section.pk}")


def _windows(rows: Rows) -> Iterator[Window]:
    for impact in rows.impacts:
        yield Window(
            line=0,
            text=impact.text or impact.get_kind_display(),
            start=_iso(impact.at, impact.precision, "", rows),
            end=_iso(impact.until, impact.precision, "", rows),
            row=f"impact:{impact.pk}",
        )


def _promises(rows: Rows) -> Iterator[Promised]:
    for promise in rows.promises:
        entry = promise.made_in.entry_id if promise.made_in else None
        yield Promised(
            line=0,
            made_in=f"entry:{entry}" if entry else "",
            due=_iso(promise.due_at, promise.due_precision, promise.due_tz, rows),
            outcome=promise.outcome,
            row=f"promise:{promise.pk}",
        )


def _others(rows: Rows, document: Reading | None, origins: dict[int, Entry]) -> Iterator[Other]:
    """Yield the document as it was read, and what related incidents say."""
    if document is not None:
        told = [replace(origins[pk], row=f"entry:{pk}") for pk in origins]
        yield Other(name=THE_DOCUMENT, entries=tuple(told))
    for incident, group in groupby(rows.related, key=lambda row: row.incident):
        entries = tuple(_entry(n, row, None, rows) for n, row in enumerate(group, start=1))
        yield Other(name=incident.ref, entries=tuple(replace(entry, row="") for entry in entries))


def _zone(rows: Rows, document: Reading | None) -> StatedZone | None:
    if document is not None:
        return document.timezone
    return StatedZone(label=rows.incident.tz, name=rows.incident.tz, line=0, stated=True)


def _iso(at: datetime | None, precision: str, tz: str, rows: Rows) -> str | None:
    if at is None:
        return None
    words = _local(at, tz, rows).isoformat(timespec="minutes")
    return words[: _COARSE[Precision(precision)]] if precision in _COARSE else words


def _local(at: datetime, tz: str, rows: Rows) -> datetime:
    return local(at, zone(tz or rows.incident.tz))
