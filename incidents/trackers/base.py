"""What a tracker has to do for us, and how it says that it cannot. Nothing here knows a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Protocol


class Fault(Enum):
    """What is in the way. The first two pass by themselves; the others wait for a person."""

    AWAY = "away"
    NONSENSE = "nonsense"
    DENIED = "denied"
    MISSING = "missing"
    MOVED = "moved"
    INVALID = "invalid"


def plain(words: str) -> str:
    """Return what a tracker said as a page and a row can hold it."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


class TrackerFault(Exception):
    """A tracker did not do what it was asked for. Its sentence may be shown: it holds no secret.

    ``after``: how long it asks to be left alone.
    """

    def __init__(self, kind: Fault, words: str, *, after: timedelta | None = None) -> None:
        super().__init__(plain(words))
        self.kind = kind
        self.after = after

    @property
    def passes(self) -> bool:
        """Whether to try again is of use; then, too, what was asked for may have been done."""
        return self.kind in {Fault.AWAY, Fault.NONSENSE}


class Unproven(Exception):
    """A webhook that cannot be told from anybody's. Its sentence may be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """One project of a tracker, and the key to it."""

    # Of the API, without a slash at its end.
    address: str
    project: str
    labels: tuple[str, ...]
    issue_type: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an issue shall say. The body holds the marker, in its last line."""

    title: str
    body: str
    marker: str
    due: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """An issue as its tracker has it now."""

    key: str
    url: str
    title: str
    body: str
    is_open: bool
    # Of a closed one: closed, and not because it was done.
    is_dropped: bool
    # When it was closed or opened last, as far as the tracker tells.
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What shall be different about an issue; None: as it is. A body replaces the whole one."""

    title: str | None = None
    body: str | None = None
    due: date | None = None
    is_open: bool | None = None
    is_dropped: bool = False


class Adapter(Protocol):
    """What we need of a kind of tracker. Every method but the last two makes calls.

    :raises TrackerFault: from each that calls
    """

    # What people call it.
    label: str
    # The address of the API of those who do not run it themselves.
    usual_address: str
    # What names a project, as an example.
    example: str
    # Whether an issue has a type that has to be named.
    has_types: bool
    # Whether a webhook can only be believed with a secret; elsewhere its address is proof enough.
    needs_signing: bool
    # After this, a search finds for certain what was created.
    settles_in: timedelta

    def look(self, where: Where) -> str:
        """Say what is there, in a sentence, if issues can be created."""
        ...

    def create(self, where: Where, draft: Draft) -> Remote:
        """Create an issue."""
        ...

    def find(self, where: Where, marker: str, *, since: datetime) -> Remote | None:
        """Find the issue with this marker in its body, created since then."""
        ...

    def read(self, where: Where, key: str) -> Remote:
        """Read an issue. Its key may be another now."""
        ...

    def update(self, where: Where, remote: Remote, wish: Wish) -> Remote:
        """Make an issue as it is wished, and return it as it is then."""
        ...

    def key_of(self, where: Where, url: str) -> str:
        """Return the key of the issue at this address; empty if it is none of the project's."""
        ...

    def hear(self, where: Where, body: bytes, headers: Mapping[str, str], secret: str) -> str:
        """Return the key of the issue that a webhook is about; empty if it is about none of ours.

        :raises Unproven: if it is not signed as it has to be, or is not the tracker's JSON
        """
        ...
