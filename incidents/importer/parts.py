"""Documents that tell of several incidents, and one of these taken for itself."""

import re
from dataclasses import replace

from incidents.importer.candidates import Candidate, Step
from incidents.importer.items import Document
from incidents.importer.meaning import understand, updates_of
from incidents.importer.reading import Part, Reading
from incidents.importer.refusals import UnknownPart
from incidents.importer.sections import Section
from incidents.importer.times import find_times

_DEEPEST_HEADING = 6
_FEWEST = 2
_INCIDENT = re.compile(
    r"\b(?:incident|outage|disruption|degradation|downtime|post-?mortem|st\u00f6rung|ausfall|panne)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^\W\d_]{3,}")


def find_parts(document: Document, steps: list[Step]) -> tuple[Part, ...]:
    """Return the chapters that each tell of an incident; none if the document tells of one.

    Such a chapter names a day or an incident in its heading, has more words than that, and holds
    two entries or more.
    """
    told: dict[int, list[Candidate]] = {}
    chapters: dict[int, Section] = {}
    for step in steps:
        chapter = _chapter(step.item.section) if isinstance(step, Candidate) else None
        if chapter is not None and isinstance(step, Candidate):
            chapters[chapter.line] = chapter
            told.setdefault(chapter.line, []).append(step)
    lines = [line for line in sorted(chapters) if len(told[line]) >= _FEWEST]
    if len(lines) < _FEWEST:
        return ()
    ends = [_end(document, chapters[line]) for line in lines]
    return tuple(
        Part(number=n, title=chapters[line].title, line=line, last_line=end, count=len(told[line]))
        for n, (line, end) in enumerate(zip(lines, ends, strict=True), 1)
    )


def take_part(reading: Reading, number: int) -> Reading:
    """Return what one chapter of a document tells, as if it were a document of its own.

    :raises UnknownPart: if the document has no such part
    """
    part = next((part for part in reading.parts if part.number == number), None)
    if part is None:
        raise UnknownPart(number, len(reading.parts))
    entries = understand([e for e in reading.entries if part.holds(e.line)])
    return replace(
        reading,
        title=part.title,
        entries=tuple(entries),
        updates=tuple(updates_of(entries)),
        causes=tuple(cause for cause in reading.causes if part.holds(cause.line)),
        actions=tuple(action for action in reading.actions if part.holds(action.line)),
        mentions=tuple(mention for mention in reading.mentions if part.holds(mention.line)),
        statements=tuple(told for told in reading.statements if part.holds(told.line)),
        unplaced=tuple(line for line in reading.unplaced if part.holds(line)),
        part=number,
    )


def _chapter(section: Section | None) -> Section | None:
    while section is not None:
        heading = 0 < section.level <= _DEEPEST_HEADING and not section.is_title
        if heading and section.own_role is None and _names_incident(section.title):
            return section
        section = section.parent
    return None


def _names_incident(title: str) -> bool:
    if _INCIDENT.search(title):
        return True
    dated = next((found for found in find_times(title) if found.has_day), None)
    if dated is None or dated.has_clock:
        return False
    rest = f"{title[: dated.begin]} {title[dated.finish :]}"
    return bool(_WORDS.search(rest))


def _end(document: Document, chapter: Section) -> int:
    """Return the last line of a chapter: that before the next heading of its level or above."""
    later = (
        item.section.line
        for item in document.items
        if item.section.line > chapter.line and 0 < item.section.level <= chapter.level
    )
    return next(later, document.line_count + 1) - 1
