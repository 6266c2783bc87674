"""The statements that may be entries of a timeline, and the dates that stand over them."""

import re
from dataclasses import dataclass

from incidents.importer.items import SIGN, Document, Item, Kind
from incidents.importer.leading import after_time, is_strongly_parted, leading_time
from incidents.importer.relative import Relative, leading_relative
from incidents.importer.sections import Section, SectionRole
from incidents.importer.stated import Stated
from incidents.importer.tables import read_table
from incidents.importer.times import find_times
from incidents.importer.zones import Zone, read_zone

BARRED = {SectionRole.ACTIONS, SectionRole.CAUSES, SectionRole.NOISE, SectionRole.ASIDE}
_LOG = re.compile(
    r"\[?(?:ERROR|WARN(?:ING)?|INFO|DEBUG|FATAL|TRACE|CRITICAL|NOTICE)\]?(?:[:\s|]|$)"
    r"|[\w.\-]+ [\w\-./]+\[\d+\]:|[\w.\-]+ kernel:|\{\"|\w+=\S+ \w+=\S+"
)
_MILLISECONDS = re.compile(r"\d:\d\d:\d\d[.,]\d{3}\b")
_CHAT = re.compile(r"<[@+&%~]?[\w\-.|^]+>|[@+]?[\w\-.]{2,20}\s*>\s|\*\s\w+\s")
_SPEAKER = re.compile(r"^@?[\w.\-]{2,24}(?: [A-Z][\w.\-]*)?\s*[\[(]\s*\d{1,2}:\d\d")
ZONE_NOTE = re.compile(
    r"^\W*(?:\(?\W*(?:all )?(?:times?|timestamps?|hours?)?\s*(?:are |is )?(?:in )?"
    r"(?:UTC|GMT|[A-Z]{2,4}T)\W*"
    r"(?:time)?\W*\)?)?\W*$"
)
_LABEL = re.compile(
    r"^[^:]{0,40}\b(?:duration|time to|ttr|ttd|ttm|mttr|mttd|downtime|length)\b", re.IGNORECASE
)
_STANDING_DATE = re.compile(
    r"\b(?:all (?:the )?(?:events?|times?|entries)|events? (?:happened|occurred|took place)"
    r"|following"
    r"|(?:unless|if not) (?:otherwise|noted)|date)\b",
    re.IGNORECASE,
)
_DATE_LABEL = re.compile(r"(?:incident |outage )?(?:date|day)\b[^:]{0,20}:", re.IGNORECASE)
_SHORT_REST = 40
_LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A statement that reads like an entry: its time as stated, and the rest of its words."""

    item: Item
    stated: Stated | None
    text: str
    relative: Relative | None = None
    zone: Zone | None = None
    flags: tuple[str, ...] = ()
    source_line: int = 0

    @property
    def line(self) -> int:
        """The source line where the entry begins: within a paragraph, that of its sentence."""
        return self.source_line or self.item.line

    @property
    def section(self) -> Section:
        return self.item.section

    @property
    def is_timed(self) -> bool:
        return self.stated is not None and (self.stated.has_clock or self.stated.is_blank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A date that stands over what follows it: a heading, a line of its own, a sentence."""

    item: Item
    stated: Stated
    standing: bool = False
    title: bool = False

    @property
    def line(self) -> int:
        return self.item.line


Step = Candidate | Mark


def first_steps(document: Document) -> list[Step]:
    """Return what reads like an entry or a date when each statement is looked at alone."""
    steps: list[Step] = []
    for item, rows in _units(document):
        if item.section.role in BARRED and item.kind != Kind.HEADING:
            continue
        if rows:
            steps += _from_table(rows)
            continue
        title = _title(item) if item is document.items[0] else None
        if step := title or _step(item):
            steps.append(step)
    return steps


def _title(item: Item) -> Mark | None:
    """Return the date in a short first line, which is a title without a heading's marks."""
    if item.kind != Kind.LINE or len(item.text) > _LONGEST_TITLE:
        return None
    stated = next((found for found in find_times(item.words.masked) if found.has_day), None)
    if stated is None or stated.has_clock:
        return None
    return Mark(item=item, stated=stated, title=True)


def _units(document: Document) -> list[tuple[Item, list[Item]]]:
    """Items, with the rows of a table gathered at its first one."""
    units: list[tuple[Item, list[Item]]] = []
    for item in document.items:
        if item.kind == Kind.ROW and units and units[-1][0].table == item.table:
            units[-1][1].append(item)
        else:
            units.append((item, [item] if item.kind == Kind.ROW else []))
    return units


def _from_table(rows: list[Item]) -> list[Step]:
    steps: list[Step] = []
    for row in read_table(rows):
        if row.stated is not None and not row.text and not row.stated.has_clock:
            steps.append(Mark(item=row.item, stated=row.stated))
        elif re.search(r"\w", row.text):
            steps.append(
                Candidate(
                    item=row.item,
                    stated=row.stated,
                    text=row.text,
                    zone=row.zone,
                    flags=row.flags,
                    relative=row.relative,
                )
            )
    return steps


def _step(item: Item) -> Step | None:
    if item.kind == Kind.CODE:
        return None
    if item.kind == Kind.QUOTE:
        return standing_date(item)
    text = SIGN.sub("", item.text) if item.kind == Kind.BULLET else item.text
    if is_noise(text):
        return None
    stated = leading_time(text)
    if item.kind == Kind.HEADING:
        return _heading(item, stated)
    if stated is None:
        return relative_candidate(item, text) or standing_date(item)
    return _led(item, text, stated)


def _led(item: Item, text: str, stated: Stated) -> Step | None:
    """Return the candidate or the date in a statement that begins with a time."""
    rest = after_time(text, stated)
    if stated.has_clock or stated.is_blank:
        if is_noise_after(rest, stated):
            return None
        # Where nothing follows, the words stand below; see _with_bodies.
        return Candidate(item=item, stated=stated, text=rest)
    if ZONE_NOTE.match(rest):
        return Mark(item=item, stated=stated)
    if relative := relative_candidate(item, text):
        return relative
    if is_strongly_parted(text, stated) or (
        item.section.role == SectionRole.TIMELINE and item.kind == Kind.BULLET
    ):
        return Candidate(item=item, stated=stated, text=rest)
    return standing_date(item)


def relative_candidate(item: Item, text: str) -> Candidate | None:
    relative = leading_relative(text)
    if relative is None or item.kind == Kind.HEADING:
        return None
    return Candidate(item=item, stated=relative.stated, text=relative.text, relative=relative)


def _heading(item: Item, stated: Stated | None) -> Step | None:
    if item.section.role in BARRED:
        return None
    is_title = item.section.is_title
    if stated is not None and stated.has_clock and not is_title:
        return Candidate(item=item, stated=stated, text=after_time(item.text, stated))
    if stated is None:
        stated = next((found for found in find_times(item.words.masked) if found.has_day), None)
    if stated is None or not stated.has_day:
        return None
    return Mark(item=item, stated=stated, title=is_title)


def standing_date(item: Item) -> Mark | None:
    """Read a sentence that sets the date for what follows: "all events happened on 3 May"."""
    labelled = bool(_DATE_LABEL.match(item.text))
    if not labelled and (item.section.role != SectionRole.TIMELINE or item.kind != Kind.LINE):
        return None
    days = [found for found in find_times(item.words.masked) if found.has_day]
    if len(days) != 1 or (days[0].has_clock and not labelled):
        return None
    rest = len(item.text) - (days[0].finish - days[0].begin)
    if rest > _SHORT_REST and not _STANDING_DATE.search(item.text):
        return None
    return Mark(item=item, stated=days[0], standing=True)


def is_noise(text: str) -> bool:
    return bool(_LABEL.match(text) or _SPEAKER.match(text))


def is_noise_after(rest: str, stated: Stated) -> bool:
    """Lines of machines and of chats begin with a time as well."""
    return bool(_LOG.match(rest) or _CHAT.match(rest) or _MILLISECONDS.search(stated.said))


def zone_of_header(words: str) -> Zone | None:
    """Return the zone in a heading or a column's title such as "Time (UTC)"."""
    match = re.search(
        r"[(\[]\s*(?:all )?(?:times? )?(?:in )?([A-Z][\w+:/\-]*)\s*(?:time)?\s*[)\]]", words
    )
    return read_zone(match[1]) if match else None
