"""Every date that a document names, with the place where it stands."""

import re
from dataclasses import replace
from datetime import date, timedelta

from incidents.importer.calendar import Day
from incidents.importer.candidates import Candidate, Step
from incidents.importer.items import SIGN, Document, Item, Kind
from incidents.importer.leading import leading_time
from incidents.importer.reading import Mention
from incidents.importer.sections import SectionRole
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times
from incidents.importer.year import nearest_year

# In the order of trust: a date alone may be that of the publication.
_DOCUMENT_FIELDS = ("incident_date", "incident date", "started", "title", "slug", "date")
_YEAR = re.compile(r"(?<![\d.])(?:199\d|20[0-4]\d)(?!\d|\.\d)")
# So long after an incident, at most, its report is published.
_LAG = timedelta(days=60)
_SILENT = (Kind.CODE, Kind.QUOTE)


def find_mentions(document: Document, steps: list[Step]) -> tuple[Mention, ...]:
    """Return the dates of front matter, headings, entries, text and actions, by line."""
    owned: dict[int, Step] = {}
    for step in steps:
        owned.setdefault(step.line, step)
    found = [
        _mention(line, stated, stated.start, "document")
        for wanted in _DOCUMENT_FIELDS
        for line, name, value in document.fields
        if name == wanted
        for stated in find_times(value)
        if stated.has_day
    ]
    found += _bare_years(1, document.title) if not document.fields else []
    for item in document.items:
        if item.kind not in _SILENT or item.line in owned:
            found += _in_item(item, owned.get(item.line))
        if item.kind == Kind.HEADING:
            found += _bare_years(item.line, item.text)
    for line, _name, value in document.fields:
        found += _bare_years(line, value)
    for line, words in document.remarks:
        found += _bare_years(line, words)
    return tuple(mention for mention in found if mention is not None)


def _in_item(item: Item, step: Step | None) -> list[Mention | None]:
    found: list[Mention | None] = []
    times = [stated for stated in find_times(item.words.masked) if stated.has_day]
    if isinstance(step, Candidate) and step.stated is not None and step.item.kind == Kind.ROW:
        times = [step.stated, *times[1:]] if step.stated.has_day else times
    for n, stated in enumerate(times):
        place = _place(item, step, first=n == 0 and _leads(item, stated))
        found.append(_mention(item.line, stated, stated.start, place))
        if stated.end is not None and stated.end.day is not None:
            found.append(_mention(item.line, stated, stated.end, place))
    return found


def _bare_years(line: int, words: str) -> list[Mention | None]:
    """Years in titles, names of files and the like: weak evidence, but evidence."""
    return [
        Mention(line=line, said=year, place="year", year=int(year), month=0, day=None)
        for year in dict.fromkeys(_YEAR.findall(words))
    ]


def _leads(item: Item, stated: Stated) -> bool:
    if item.kind == Kind.ROW:
        return True
    lead = leading_time(item.text)
    return lead is not None and lead.begin <= stated.begin < lead.finish


def _place(item: Item, step: Step | None, *, first: bool) -> str:
    if item.section.role == SectionRole.ACTIONS or SIGN.match(item.text):
        return "action"
    if step is None:
        return "text"
    if isinstance(step, Candidate):
        if step.relative is not None and step.relative.before:
            return "entry"
        own = first or (step.stated is not None and step.relative is None and not _leading(item))
        return "entry" if own else "text"
    return "document" if step.title else "heading"


def _leading(item: Item) -> bool:
    return leading_time(item.text) is not None


def _mention(line: int, stated: Stated, point: Point, place: str) -> Mention | None:
    day = point.day
    if day is None or (day.year is None and day.month == 0):
        return None
    other: Day | None = day.swapped
    return Mention(
        line=line,
        # A bracket that the words open and do not close belongs to the sentence.
        said=stated.said if ")" in stated.said else stated.said.lstrip("("),
        place=place,
        year=day.year,
        month=day.month,
        day=day.day,
        weekday=point.weekday,
        other_month=other.month if other else None,
        other_day=other.day if other else None,
    )


def document_date(
    document: Document, mentions: tuple[Mention, ...], *, before: int
) -> Mention | None:
    """Return the day that the document as a whole is about.

    It is that of its front matter or its title, of a date line of its own, else the first full
    date in its text or in the remark on its source. A front matter's plain date may be that of
    the publication: the title, or what is told before line ``before``, knows better.
    """
    whole = [m for m in mentions if m.day is not None]
    told = next((m for m in whole if m.place in ("text", "entry") and m.year), None)
    for place in ("document", "heading"):
        placed = next((m for m in whole if m.place == place), None)
        if placed is not None:
            lead = [m for m in whole if m.place in ("document", "text") and m.line < before]
            return _told_instead(document, placed, lead) or placed
    return told or _remarked(document)


def _told_instead(document: Document, placed: Mention, lead: list[Mention]) -> Mention | None:
    """Return the day of the incident, if ``placed`` is only that of the publication."""
    published = as_date(placed)
    if published is None or (placed.line, "date") not in [
        (n, name) for n, name, _ in document.fields
    ]:
        return None
    days = [(_near(mention, published), mention) for mention in lead if mention.line > placed.line]
    if any(day == published for day, _mention in days):
        return None
    return next((m for day, m in days if day and timedelta() < published - day <= _LAG), None)


def _near(mention: Mention, day: date) -> date | None:
    year = mention.year or nearest_year(mention.month, mention.day or 1, day)
    return as_date(replace(mention, year=year))


def _remarked(document: Document) -> Mention | None:
    for line, words in document.remarks:
        for stated in find_times(words.replace("/", " ").replace("_", " ")):
            day = stated.start.day
            if day is not None and day.year and day.day:
                return _mention(line, stated, stated.start, "remark")
    return None


def as_date(mention: Mention | None) -> date | None:
    """Return the calendar date of a mention with a year."""
    if mention is None or mention.year is None or mention.day is None:
        return None
    try:
        return date(mention.year, mention.month, mention.day)
    except ValueError:
        return None
