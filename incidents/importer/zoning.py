"""Which zone holds where: per entry, per list, or once for the whole document."""

import re
from collections import Counter
from dataclasses import dataclass

from incidents.importer.candidates import Candidate, Step, zone_of_header
from incidents.importer.items import Document, Item, Kind
from incidents.importer.reading import StatedZone
from incidents.importer.sections import Section, SectionRole
from incidents.importer.stated import Point
from incidents.importer.times import find_times
from incidents.importer.zones import REGION_PATTERN, ZONE_PATTERN, Zone, read_zone

_ZONE = re.compile(rf"(?<![\w/\-.]){ZONE_PATTERN}")
_ABOUT_TIMES = re.compile(
    r"\b(?:times?|time ?zones?|timestamps?|hours|tz|clocks?|dates?)\b"
    r"|\b(?:heures|horaires|(?:uhr)?zeiten|(?:zeit)?angaben|tijden|horas|orari)\b"
    r"|\b(?:events|entries)\b.*\bin\b",
    re.IGNORECASE,
)
_REGION = re.compile(rf"\b(?:in|are)(?: the)? ({REGION_PATTERN})")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class _Statement:
    item: Item
    zone: Zone


@dataclass(frozen=True, slots=True)
class Zoning:
    """The zones of a document."""

    statements: tuple[_Statement, ...] = ()
    default: Zone | None = None
    default_line: int = 0
    default_stated: bool = False
    given: Zone | None = None

    def zone_for(self, candidate: Candidate, point: Point) -> Zone | None:
        """Return the zone of a clock: its own, its column's, the given, its list's."""
        if point.zone is not None:
            return point.zone
        if candidate.stated is not None and candidate.stated.start.zone is not None:
            return candidate.stated.start.zone
        return candidate.zone or self.given or self._of_section(candidate.section) or self.default

    def _of_section(self, section: Section | None) -> Zone | None:
        while section is not None:
            for statement in self.statements:
                if statement.item.section is section:
                    return statement.zone
            section = section.parent
        return None

    def found(self) -> StatedZone | None:
        """Return the zone that holds by default, for the reading."""
        if self.given is not None:
            return StatedZone(label=self.given.label, name=self.given.name, line=0, stated=True)
        if self.default is None:
            return None
        return StatedZone(
            label=self.default.label,
            name=self.default.name,
            line=self.default_line,
            stated=self.default_stated,
        )


def find_zoning(document: Document, steps: list[Step], *, given: Zone | None) -> Zoning:
    """Collect what the document says of zones."""
    statements = tuple(_statements(document))
    line, zone, stated = _default(document, steps, statements)
    return Zoning(statements, zone, line, stated, given)


def _statements(document: Document) -> list[_Statement]:
    found = []
    for item in document.items:
        if item.kind in (Kind.CODE, Kind.QUOTE) or len(item.text) > _LONGEST:
            continue
        zone = _stated_in(item)
        if zone is not None:
            found.append(_Statement(item, zone))
    return found


def _stated_in(item: Item) -> Zone | None:
    """Return the zone of "all times are in CET", "Timeline (UTC)" or a column "Time (PST)"."""
    match = _ZONE.search(item.words.masked)
    if match is None and _ABOUT_TIMES.search(item.text):
        region = _REGION.search(item.words.masked)
        return read_zone(region[1]) if region else None
    if match is None or any(stated.has_clock for stated in find_times(item.words.masked)):
        return None
    if _ABOUT_TIMES.search(item.text.replace(match[0], " ")) or (
        # "UTC time" in "documented in UTC time" is one name with its zone.
        re.search(r"\btime\b", item.text, re.IGNORECASE)
    ):
        return read_zone(match[0])
    if item.kind == Kind.HEADING and item.section.role == SectionRole.TIMELINE:
        return zone_of_header(item.text) or read_zone(match[0])
    return None


def _default(
    document: Document, steps: list[Step], statements: tuple[_Statement, ...]
) -> tuple[int, Zone | None, bool]:
    if statements:
        return statements[0].item.line, statements[0].zone, True
    owned = [
        (step.line, step.stated.start.zone)
        for step in steps
        if isinstance(step, Candidate) and step.stated is not None and step.stated.start.zone
    ]
    if owned:
        zone = Counter(zone for _line, zone in owned).most_common(1)[0][0]
        return next(line for line, own in owned if own == zone), zone, True
    columns = [(s.line, s.zone) for s in steps if isinstance(s, Candidate) and s.zone]
    if columns:
        return columns[0][0], columns[0][1], True
    return _mentioned(document)


def _mentioned(document: Document) -> tuple[int, Zone | None, bool]:
    """Return the zone of any clock in the text: "the backup of January 9, 12:00 CET"."""
    for item in document.items:
        if item.kind in (Kind.CODE, Kind.QUOTE) or item.section.role == SectionRole.NOISE:
            continue
        for stated in find_times(item.words.masked):
            if stated.start.zone is not None:
                return item.line, stated.start.zone, False
    return 0, None, False
