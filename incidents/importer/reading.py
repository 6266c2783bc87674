"""What a written postmortem says: plain values, as the importer hands them out."""

import re
from dataclasses import dataclass
from datetime import datetime

_COARSE = {4: "-01-01", 7: "-01"}
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the timeline.

    ``start`` and ``end`` are ISO 8601: an instant with offset where the document states a zone,
    a wall-clock time where it does not, ``YYYY-MM-DD``, ``YYYY-MM`` or ``YYYY`` for coarse
    precision, None if not known. ``said`` are the source's words for the time; ``bounds`` are
    the times between which an entry without a time of its own lies. ``part`` counts the lists of
    the document, of which there are several where it tells of several incidents. ``row`` names
    the row of the record that it is, such as ``entry:12``; it is empty in a document.
    """

    n: int
    line: int
    text: str
    part: int = 1
    start: str | None = None
    end: str | None = None
    precision: str = "unknown"
    approx: bool = False
    date_source: str = "none"
    said: str = ""
    zone: str = ""
    zone_label: str = ""
    kind: str = "event"
    tags: tuple[str, ...] = ()
    milestone: str = ""
    bounds: tuple[str | None, str | None] | None = None
    flags: tuple[str, ...] = ()
    row: str = ""

    @property
    def text60(self) -> str:
        """The first 60 characters, as the ground truth compares them."""
        return self.text[:_SHOWN].strip()

    @property
    def at(self) -> datetime | None:
        """The start, or the first instant of a coarse one; naive if no zone is known."""
        return read_iso(self.start)

    @property
    def until(self) -> datetime | None:
        """The end of a range, or the first instant of its last day."""
        return read_iso(self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What customers were told, and the entry that records it."""

    line: int
    n: int
    published_at: str | None
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause or factor. ``start`` and ``end`` are set if it names a time of its own."""

    line: int
    kind: str
    text: str
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A thing to do. ``due`` and ``done`` are ISO dates, months, or ranges parted by a slash."""

    line: int
    text: str
    state: str
    due: str | None = None
    done: str | None = None
    precision: str = "unknown"
    owner: str = ""
    kind: str = ""
    tracker_url: str = ""
    said: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A date that the document names anywhere, as evidence for year, weekday and order.

    ``place`` says where: entry, heading, document, text or action.
    """

    line: int
    said: str
    place: str
    year: int | None
    month: int
    day: int | None
    weekday: int | None = None
    other_month: int | None = None
    other_day: int | None = None
    resolved: str | None = None
    row: str = ""

    @property
    def is_ambiguous(self) -> bool:
        """Whether day and month could be exchanged."""
        return self.other_month is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedZone:
    """The zone that holds for the times without one of their own, and where it is stated.

    ``line`` is 0 if the caller gave it. ``stated`` is False if it is only taken from a time
    somewhere in the document.
    """

    label: str
    name: str
    line: int
    stated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A chapter that tells of an incident of its own, in a document that tells of several."""

    number: int
    title: str
    line: int
    last_line: int
    count: int

    def holds(self, line: int) -> bool:
        return self.line <= line <= self.last_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something that is said outside code and quotes: a sentence or more, as one reads it."""

    line: int
    text: str
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From when until when customers went without something. Times as in an entry."""

    line: int
    text: str
    start: str | None
    end: str | None = None
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """An estimate that customers were given, and what became of it.

    ``made_in`` names the entry by which they were told, ``outcome`` is a word of the record.
    """

    line: int
    made_in: str
    due: str | None
    outcome: str
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Another account of the same thing. An entry of it with a ``row`` tells of that row."""

    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A written postmortem as read. Lines are 1-based lines of the source.

    ``windows``, ``promises`` and ``others`` are known of a record only. ``parts`` are the
    incidents of a document that tells of several, ``part`` the one that was asked for.
    ``unplaced`` are lines that hold a time and led to nothing; ``order_open`` says that day and
    month could be exchanged in every date there is.
    """

    title: str
    entries: tuple[Entry, ...]
    updates: tuple[Update, ...]
    causes: tuple[Cause, ...]
    actions: tuple[Action, ...]
    mentions: tuple[Mention, ...]
    timezone: StatedZone | None
    year: int | None
    line_count: int
    statements: tuple[Statement, ...] = ()
    windows: tuple[Window, ...] = ()
    promises: tuple[Promised, ...] = ()
    others: tuple[Other, ...] = ()
    parts: tuple[Part, ...] = ()
    part: int | None = None
    unplaced: tuple[int, ...] = ()
    order_open: bool = False

    @property
    def lacks_day(self) -> bool:
        """Whether clock times are told and nothing says of which day."""
        return any("undated" in entry.flags for entry in self.entries)

    @property
    def lacks_zone(self) -> bool:
        """Whether clock times are told and nothing says of which zone."""
        return self.timezone is None and any(
            is_clocked(entry.start) or "undated" in entry.flags for entry in self.entries
        )


def read_iso(words: str | None) -> datetime | None:
    """Return the first instant of an ISO time or of a coarse one such as ``2026-02``."""
    if not words:
        return None
    return datetime.fromisoformat(words + _COARSE.get(len(words), ""))


def without_zone(words: str | None) -> datetime | None:
    """Return the wall-clock time of an ISO time."""
    moment = read_iso(words)
    return moment.replace(tzinfo=None) if moment else None


def is_clocked(words: str | None) -> bool:
    """Whether an ISO time is precise to the minute."""
    return bool(words and re.search(r"T\d\d:\d\d", words))
