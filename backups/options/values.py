"""The facts that choices are made from, and the choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from backups.estimate import Learned
from backups.saturation import Window


class Point(StrEnum):
    """Up to where data comes back.

    STAGED: the last backup first, then the rest beside it. HERE: what a standby has, without asking
    the archive for more.
    """

    LATEST = "LATEST"
    MOMENT = "MOMENT"
    BACKUP = "BACKUP"
    STAGED = "STAGED"
    HERE = "HERE"


class Strategy(StrEnum):
    """How a cluster comes to be. STANDBY: it is there already, and only goes on."""

    STAGE = "STAGE"
    STREAM = "STREAM"
    RELAY = "RELAY"
    STANDBY = "STANDBY"


# By which a backup is brought back.
FROM_BACKUP = (Strategy.STAGE, Strategy.STREAM, Strategy.RELAY)


class Severity(StrEnum):
    """What a risk means for a choice.

    BLOCKS: it cannot be started. ASKS: somebody has to confirm it by name. WARNS: it may go wrong
    or take longer. NOTES: good to know.
    """

    BLOCKS = "blocks"
    ASKS = "asks"
    WARNS = "warns"
    NOTES = "notes"

    @property
    def weight(self) -> int:
        """How much it counts against a choice."""
        return {"blocks": 1000, "asks": 100, "warns": 10, "notes": 1}[self.value]


@dataclass(frozen=True, slots=True)
class Risk:
    """What may go wrong: a stable code, and a sentence for staff that says what to do."""

    code: str
    severity: Severity
    words: str


@dataclass(frozen=True, slots=True)
class Range:
    """Seconds: four cases in five lie between the outer two, half of all below the middle."""

    low: float
    middle: float
    high: float

    def plus(self, other: "Range") -> "Range":
        """Return how long both take one after the other, their lucks being their own."""
        middle = self.middle + other.middle
        below = ((self.middle - self.low) ** 2 + (other.middle - other.low) ** 2) ** 0.5
        above = ((self.high - self.middle) ** 2 + (other.high - other.middle) ** 2) ** 0.5
        return Range(middle - below, middle, middle + above)

    def beside(self, other: "Range") -> "Range":
        """Return how long both take at the same time."""
        return Range(
            max(self.low, other.low), max(self.middle, other.middle), max(self.high, other.high)
        )

    def times(self, factor: float) -> "Range":
        return Range(self.low * factor, self.middle * factor, self.high * factor)


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One part of a restore, and how long it takes."""

    name: str
    seconds: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFacts:
    """A finished backup, and how far the archived log leads on from it without a hole.

    Behind one that ``is_logical`` none leads on; newer programs can bring it back as well.

    ``until_at`` is None if the log does not even cover the backup. ``missing`` is the first log
    file that is not there though later ones are.
    """

    id: int
    name: str
    ended_at: datetime
    major: int
    stored_bytes: int
    cluster_bytes: int
    has_manifest: bool
    segments: int = 0
    log_bytes: int = 0
    segment_bytes: int = 16 * 1024 * 1024
    missing: str = ""
    until_at: datetime | None = None
    is_logical: bool = False
    # Built on others: ``stored_bytes`` counts these as well.
    is_incremental: bool = False
    # Copies whose log leads further, and up to when, by the ids of the places.
    elsewhere: Mapping[int, datetime] = field(default_factory=dict)

    def seen_from(self, place_id: int) -> "BackupFacts":
        """Return the backup with the log that this place has."""
        until = self.elsewhere.get(place_id)
        return replace(self, until_at=until, missing="") if until is not None else self


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFacts:
    """A place with the objects, and what is known of its speed.

    It ``is_silent`` if it gave no answer when it was asked just now. ``keys`` is where its keys are
    said to be, never what they are; ``keys_are`` is "refused" or "missing" if it could not be read
    just now for that, else empty.
    """

    id: int
    name: str
    is_own: bool
    learned: Learned
    windows: Sequence[Window] = ()
    is_silent: bool = False
    keys: str = ""
    keys_are: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyFacts:
    """A standby that is kept at a target, as its worker last saw it.

    ``is_ours`` says whether it is of this database; ``of`` names whose it is. ``until_at`` is None
    while it is not warm, and ``words`` say why it is not or what is amiss. To bring it up, so many
    bytes of the log are fetched and so many replayed.
    """

    of: str
    is_ours: bool
    backup: BackupFacts | None = None
    until_at: datetime | None = None
    seen_at: datetime | None = None
    fetch_bytes: int = 0
    replay_bytes: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """A place to restore to, as the worker beside it last saw it.

    ``occupied_by`` is empty or a word: running, foreign, ours, standby, port, programs, disk.
    ``taken_by`` names the restore that has it, ``left_by`` one that has stopped there and may go
    on, ``standby`` is what is kept warm there.
    ``work_free_bytes`` is None where stage and cluster share a disk.
    """

    id: int
    name: str
    data_dir: str = ""
    port: int = 0
    seen_at: datetime | None = None
    free_bytes: int | None = None
    work_free_bytes: int | None = None
    major: int | None = None
    write_rate: float | None = None
    occupied_by: str = ""
    taken_by: str = ""
    left_by: str = ""
    standby: StandbyFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a board is made from. ``as_of`` is when the archive was last read."""

    at: datetime
    as_of: datetime | None
    backups: Sequence[BackupFacts]
    places: Sequence[PlaceFacts]
    targets: Sequence[TargetFacts]
    strategies: Sequence[Strategy] = FROM_BACKUP
    tenants: int = 0
    # What each costs to bring forward however little it holds, as bytes restored meanwhile.
    tenant_bytes: int = 20_000_000
    # How often every byte of what came back is read before it is opened.
    readings: int = 3
    lanes: int = 1
    moment: datetime | None = None
    may_lose: timedelta | None = None
    back_within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryOption:
    """One way back. ``code`` names it as long as the facts stay as they are.

    ``usable`` is when the first data is back, from the start: in a staged recovery long before
    ``seconds``, which is when all of it is. ``second`` is the machine on which the rest of a staged
    recovery is made.
    """

    code: str
    point: Point
    moment: datetime | None
    backup: BackupFacts
    place: PlaceFacts
    target: TargetFacts
    second: TargetFacts | None
    strategy: Strategy
    lanes: int
    data_until_at: datetime
    first_until_at: datetime
    loses: str
    phases: Sequence[Phase]
    seconds: Range
    usable: Range
    basis: str
    disk_needed: int
    disk_free: int | None
    risks: Sequence[Risk]
    reason: str = ""

    @property
    def weight(self) -> int:
        """How much speaks against it."""
        return sum(risk.severity.weight for risk in self.risks)

    @property
    def can_start(self) -> bool:
        return not any(risk.severity == Severity.BLOCKS for risk in self.risks)

    @property
    def is_in_the_way(self) -> bool:
        """Whether a restore that has stopped could not go on beside it."""
        return any(target.left_by for target in (self.target, self.second) if target is not None)

    @property
    def asks_for_name(self) -> bool:
        """Whether its target holds something that somebody has to name before it is moved aside."""
        return any(risk.severity == Severity.ASKS for risk in self.risks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The choices, the recommended one first; those that another beats in everything are left out.

    ``notes`` hold for all of them, or say why there is none.
    """

    at: datetime
    as_of: datetime | None
    options: Sequence[RecoveryOption]
    left_out: int
    notes: Sequence[Risk]

    @property
    def recommended(self) -> RecoveryOption | None:
        first = next(iter(self.options), None)
        return first if first is not None and first.reason else None
