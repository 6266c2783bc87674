"""Reads a document from end to end."""

from dataclasses import dataclass, replace
from datetime import date

from incidents.importer.actions import find_actions
from incidents.importer.candidates import Candidate
from incidents.importer.causes import find_causes
from incidents.importer.document import read_document
from incidents.importer.gather import find_steps
from incidents.importer.items import Document
from incidents.importer.meaning import understand, updates_of
from incidents.importer.mentions import as_date, document_date, find_mentions
from incidents.importer.parts import find_parts, take_part
from incidents.importer.plainclocks import with_colons
from incidents.importer.reading import Entry, Mention, Reading
from incidents.importer.refusals import (
    DocumentTooLong,
    NothingToRead,
    UnknownZone,
    YearOutOfRange,
)
from incidents.importer.relative import find_zero
from incidents.importer.resolve import Calendar, Resolved, resolve
from incidents.importer.statements import find_statements
from incidents.importer.unplaced import find_unplaced
from incidents.importer.year import infer_year, nearest_year, needs_year
from incidents.importer.zones import Zone, read_zone
from incidents.importer.zoning import find_zoning

_FIRST_YEAR = 1970
_LAST_YEAR = 2199
_LONGEST = 2_000_000
_MIDDLE = 15
_NEW_YEAR = (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a person says of a document that leaves it open.

    ``year`` is that of dates that state none; ``timezone`` the zone of times that state none (an
    IANA name, a label such as CET, or an offset such as +01:00); ``day`` the day of clock times
    that have none; ``day_first`` whether "03/04/2021" is 3 April; ``part`` the incident that is
    wanted of a document that tells of several.
    """

    year: int | None = None
    timezone: str | None = None
    day: date | None = None
    day_first: bool | None = None
    part: int | None = None


def read_postmortem(
    text: str, *, year: int | None = None, timezone: str | None = None, told: Told | None = None
) -> Reading:
    """Read a postmortem as it was written.

    ``told`` is what a person says of it; ``year`` and ``timezone`` are short for the two.

    :raises NothingToRead: if there is no text
    :raises DocumentTooLong: if it has more than two million characters
    :raises YearUnclear: if dates have no year, none is given, and the text does not settle it
    :raises UnknownZone: if ``timezone`` names none
    :raises UnknownPart: if there is no such part
    :raises YearOutOfRange: if ``year`` is no year that an incident can lie in
    """
    told = told or Told(year=year, timezone=timezone)
    given = _given_zone(text, told)
    document = with_colons(read_document(text.removeprefix("\ufeff")))
    reading = _read(document, told, given)
    return reading if told.part is None else take_part(reading, told.part)


def _given_zone(text: str, told: Told) -> Zone | None:
    """Return the zone that is told, if all that is told can be."""
    if not text.strip():
        raise NothingToRead
    if len(text) > _LONGEST:
        raise DocumentTooLong
    year = told.day.year if told.day is not None else told.year
    if year is not None and not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise YearOutOfRange(year)
    given = read_zone(told.timezone) if told.timezone else None
    if told.timezone and given is None:
        raise UnknownZone(told.timezone)
    return given


def _read(document: Document, told: Told, given: Zone | None) -> Reading:
    steps = find_steps(document)
    mentions = find_mentions(document, steps)
    begin = min((s.line for s in steps if isinstance(s, Candidate)), default=0)
    whole = document_date(document, mentions, before=begin)
    calendar = _calendar(whole, mentions, told)
    zero = find_zero(document)
    if zero is not None:
        calendar = replace(calendar, zero=zero[1])
        steps = [step for step in steps if step.line != zero[0]]
    zoning = find_zoning(document, steps, given=given)
    entries = understand(_entries(resolve(steps, calendar=calendar, zoning=zoning)))
    lines = {step.line for step in steps if isinstance(step, Candidate)}
    causes = tuple(find_causes(document, lines))
    actions = tuple(find_actions(document, lines, _anchor_of(entries, calendar)))
    taken = {*lines, *(cause.line for cause in causes), *(action.line for action in actions)}
    taken |= {zero[0]} if zero is not None else set()
    return Reading(
        title=document.title,
        entries=tuple(entries),
        updates=tuple(updates_of(entries)),
        causes=causes,
        actions=actions,
        mentions=_placed(mentions, calendar),
        timezone=zoning.found(),
        year=calendar.anchor.year if calendar.anchor else None,
        line_count=document.line_count,
        statements=tuple(find_statements(document)),
        parts=find_parts(document, steps),
        unplaced=tuple(find_unplaced(document, steps, taken)),
        order_open=told.day_first is None and _is_order_open(mentions),
    )


def _is_order_open(mentions: tuple[Mention, ...]) -> bool:
    """Whether there are numeric dates, and none of any kind that settles how they are meant."""
    dated = [m for m in mentions if m.day is not None and m.place != "year"]
    return any(m.is_ambiguous and m.place != "action" for m in dated) and all(
        m.is_ambiguous for m in dated
    )


def _calendar(whole: Mention | None, mentions: tuple[Mention, ...], told: Told) -> Calendar:
    """Settle the year, the day of the document as a whole, and the order of numeric dates."""
    year = told.year
    anchor = _first_date(mentions)
    inferred = False
    if year is not None and (needs_year(mentions) or anchor is None):
        anchor = _in_year(mentions, year)
    elif needs_year(mentions):
        anchor = as_date(whole) if whole and whole.place == "remark" else None
        anchor = anchor or _in_year(mentions, infer_year(mentions))
        inferred = True
    day = as_date(whole)
    if day is None and whole is not None and anchor is not None:
        nearest = nearest_year(whole.month, whole.day or 1, anchor)
        day = as_date(replace(whole, year=nearest))
    day = day or told.day
    day_first = told.day_first
    if day_first is None:
        day_first = _is_day_first(mentions, anchor or day)
    return Calendar(anchor=anchor or day, document=day, inferred=inferred, day_first=day_first)


def _first_date(mentions: tuple[Mention, ...]) -> date | None:
    """Return the first full date of the timeline, else the middle of the first month it names."""
    placed = [m for m in mentions if m.place in ("entry", "heading", "document")]
    months = [replace(m, day=_MIDDLE) for m in placed if m.year and m.month and m.day is None]
    return next((day for m in (*placed, *months) if (day := as_date(m))), None)


def _in_year(mentions: tuple[Mention, ...], year: int) -> date:
    """Return the first date of the timeline in that year."""
    first = next((m for m in mentions if m.place in ("entry", "heading", "document")), None)
    month, day = (first.month or 1, first.day or 1) if first else _NEW_YEAR
    return date(year, month, min(day, 28))


def _is_day_first(mentions: tuple[Mention, ...], anchor: date | None) -> bool:
    """Tell whether "09-01" means 9 January here.

    Of the two readings, the one that lies closer to the incident is taken.
    """
    ambiguous = [m for m in mentions if m.is_ambiguous and m.year]
    if not ambiguous or anchor is None:
        return False
    votes = 0
    for mention in ambiguous:
        other = as_date(
            replace(mention, month=mention.other_month or 1, day=mention.other_day or 1)
        )
        own = as_date(mention)
        if own is None or other is None:
            continue
        reference = anchor.replace(year=mention.year or anchor.year, day=min(anchor.day, 28))
        votes += 1 if abs(other - reference) < abs(own - reference) else -1
    return votes > 0


def _entries(resolved: list[Resolved]) -> list[Entry]:
    entries = [_entry(n, one) for n, one in enumerate(resolved, 1)]
    return _with_bounds(entries, resolved)


def _entry(n: int, one: Resolved) -> Entry:
    stated, start = one.candidate.stated, one.start
    relative = one.candidate.relative
    return Entry(
        n=n,
        line=one.candidate.line,
        text=one.candidate.text,
        part=one.part,
        start=start.iso() if start else None,
        end=one.end.iso() if one.end else None,
        precision=start.precision if start else "unknown",
        approx=one.approx or start is None,
        date_source=one.source,
        said=relative.words.strip() if relative else stated.said if stated else "",
        zone=start.zone.name if start and start.zone else "",
        zone_label=start.zone.label if start and start.zone else "",
        flags=tuple(dict.fromkeys(one.flags)),
    )


def _with_bounds(entries: list[Entry], resolved: list[Resolved]) -> list[Entry]:
    """Place entries without a time between their neighbours that have one."""
    after: list[str | None] = []
    following: str | None = None
    for entry in reversed(entries):
        after.append(following)
        following = entry.start or following
    after.reverse()
    bounded, before = [], None
    for entry, one, later in zip(entries, resolved, after, strict=True):
        if entry.start is None:
            bounds = (None, one.before.iso()) if one.before else (before, later)
            bounded.append(replace(entry, bounds=bounds))
        else:
            bounded.append(entry)
            before = entry.end or entry.start
    return bounded


def _anchor_of(entries: list[Entry], calendar: Calendar) -> date | None:
    """Dates of actions lie close to the last entry."""
    last = next((e.at for e in reversed(entries) if e.at is not None), None)
    return last.date() if last else calendar.anchor


def _placed(mentions: tuple[Mention, ...], calendar: Calendar) -> tuple[Mention, ...]:
    """Return the mentions with the dates that they came to mean."""
    placed = []
    for mention in mentions:
        month, day = mention.month, mention.day
        if mention.is_ambiguous and calendar.day_first:
            month, day = mention.other_month or month, mention.other_day
        year = mention.year
        if year is None and calendar.anchor is not None:
            year = nearest_year(month, day or 1, calendar.anchor)
        meant = as_date(replace(mention, year=year, month=month, day=day))
        placed.append(replace(mention, resolved=meant.isoformat() if meant else None))
    return tuple(placed)
