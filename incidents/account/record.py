"""What an account holds: plain values. Rows are numbered from 1 in the order in which they stand.

Vocabularies (kinds, states, precisions) are the words of ``incidents.values``, as text.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A time as people say it; the fields are those of ``incidents.values.When``."""

    at: datetime | None = None
    until: datetime | None = None
    precision: str = "unknown"
    approx: bool = False
    tz: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Evidence that lies elsewhere. Files stay where they are: an account carries none."""

    url: str
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    n: int
    time: Time
    text: str
    kind: str = "event"
    tags: tuple[str, ...] = ()
    outcome: str = ""
    milestone: str = ""
    actor: str = ""
    is_public: bool = False
    is_pinned: bool = False
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an update said of a component, by its name."""

    component: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What customers were told. ``entry`` is the number of its entry."""

    n: int
    entry: int
    body: str
    phase: str
    published_at: datetime
    author: str = ""
    translations: tuple[tuple[str, str], ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """``made_in`` is the number of an update, ``settled_by`` of an entry, 0 for none."""

    n: int
    kind: str
    due: Time
    made_at: datetime
    outcome: str
    text: str = ""
    basis: str = ""
    confidence: str = ""
    expires_at: datetime | None = None
    settled_at: datetime | None = None
    made_in: int = 0
    settled_by: int = 0
    replaced_by: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """``component`` and ``tenant`` are names; empty for everything, and for everybody."""

    n: int
    kind: str
    at: datetime
    until: datetime | None = None
    precision: str = "minute"
    component: str = ""
    tenant: str = ""
    data_from_at: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The case at a vendor's support."""

    provider: str
    reference: str = ""
    url: str = ""
    state: str = "open"
    opened: Time = field(default_factory=Time)
    promised: Time = field(default_factory=Time)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """``evidence`` are the numbers of entries."""

    n: int
    kind: str
    text: str
    time: Time = field(default_factory=Time)
    evidence: tuple[int, ...] = ()
    case: Case | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """``addresses`` are the numbers of causes; ``owner`` is a person's name for signing in."""

    n: int
    text: str
    kind: str = ""
    state: str = "proposed"
    reason: str = ""
    owner: str = ""
    owner_label: str = ""
    priority: str = "medium"
    due: Time = field(default_factory=Time)
    done: Time = field(default_factory=Time)
    proof: str = ""
    check: str = ""
    tracker_url: str = ""
    is_public: bool = False
    addresses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissal:
    """A finding of the lint that was decided about; its subject names rows by their numbers."""

    n: int
    code: str
    reason: str
    subject: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Markdown with references; ``entry 3`` in it means the entry with that number."""

    n: int
    kind: str
    title: str
    body: str = ""
    is_public: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One incident with all that is on record of it.

    ``moments`` are the times of milestones: ("started", …), as far as they are known.
    """

    public_id: str
    title: str
    summary: str = ""
    severity: str = "sev2"
    impact: str = "major"
    kind: str = "live"
    visibility: str = "internal"
    phase: str = "resolved"
    tz: str = "UTC"
    components: tuple[str, ...] = ()
    moments: tuple[tuple[str, datetime], ...] = ()
    published_at: datetime | None = None
    entries: tuple[Entry, ...] = ()
    updates: tuple[Update, ...] = ()
    promises: tuple[Promise, ...] = ()
    impacts: tuple[Impact, ...] = ()
    causes: tuple[Cause, ...] = ()
    actions: tuple[Action, ...] = ()
    dismissals: tuple[Dismissal, ...] = ()
    sections: tuple[Section, ...] = ()
