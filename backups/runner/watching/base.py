"""What a check is: one question about one database, answered truthfully or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import ClassVar, Protocol

from django.db.models import Count, Max, Min

from backups import schedules
from backups.models import (
    Backup,
    BackupCheckName,
    BackupKind,
    BackupPolicy,
    CheckState,
    Database,
    Drill,
    LossForecast,
    PolicyChange,
    ReadingState,
    ReplicaState,
    StorageProbe,
)
from backups.options.words import duration
from backups.runner.watching.surroundings import Surroundings

# Enough to say what is usual; nobody compares with what was two years ago.
MOST_BACKUPS = 60
# Archives are read every five minutes. What was read of one longer ago than twice that says nothing
# of now.
CATALOGUE_HOLDS = timedelta(minutes=10)

# Of objects that are not as they should be so many are named in the evidence.
MOST_NAMED = 100
# What of objects is named in a sentence: so many, and no longer than that.
_IN_WORDS = 5
_IN_LETTERS = 330

# Of what was read the state is known by its bytes.
_READ = (ReadingState.SOUND, ReadingState.DAMAGED, ReadingState.UNRECORDED)

Figure = str | int | float | Sequence[Mapping[str, str]]
Evidence = Mapping[str, Figure]
# In the evidence of the policy's check: of so many workarounds the day of review has come.
REVIEWS_DUE = "reviews_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check came to. ``advice`` says what to do; only what is ok needs none."""

    state: CheckState
    words: str
    advice: str = ""
    evidence: Evidence = field(default_factory=dict)


def ok(words: str, **evidence: Figure) -> Found:
    return Found(state=CheckState.OK, words=words, evidence=evidence)


def unasked(words: str) -> Found:
    """Nothing is wrong, for nobody has asked for anything: nobody may take it for a proof."""
    return ok(words, unasked=True)


def warning(words: str, advice: str, **evidence: Figure) -> Found:
    return Found(state=CheckState.WARNING, words=words, advice=advice, evidence=evidence)


def critical(words: str, advice: str, **evidence: Figure) -> Found:
    return Found(state=CheckState.CRITICAL, words=words, advice=advice, evidence=evidence)


def unknown(words: str, advice: str, **evidence: Figure) -> Found:
    return Found(state=CheckState.UNKNOWN, words=words, advice=advice, evidence=evidence)


class Subject:
    """One database as its checks see it at one moment: rows, each read once and when first asked.

    Rows alone: what a storage or a machine says was written down by whoever asked it (the
    catalogue, probes, readings, replicas), with when; a check that finds it too old says unknown.
    """

    def __init__(
        self, database: Database, *, at: datetime, around: Surroundings | None = None
    ) -> None:
        self.database = database
        self.at = at
        # Shared by those that are looked at together.
        self.around = around or Surroundings(at=at)

    @cached_property
    def policy(self) -> BackupPolicy | None:
        rows = BackupPolicy.objects.select_related("replicate_to", "drill_target")
        return rows.filter(database=self.database).first()

    @cached_property
    def policy_changes(self) -> Sequence[PolicyChange]:
        """Every change of the policy, the newest first; none without a policy."""
        if self.policy is None:
            return []
        return list(self.policy.changes.defer("effect").order_by("-version"))

    @cached_property
    def backups(self) -> Sequence[Backup]:
        """The newest usable backups, the newest first."""
        return list(self.database.backups.all().usable().newest_first()[:MOST_BACKUPS])

    @cached_property
    def fulls(self) -> Sequence[Backup]:
        """The newest from which everything can come back without another, the newest first."""
        if len(self.backups) < MOST_BACKUPS:
            return [each for each in self.backups if each.kind != BackupKind.INCREMENTAL]
        # Between two full ones there may be more incremental ones than are read.
        rows = self.database.backups.all().usable().exclude(kind=BackupKind.INCREMENTAL)
        return list(rows.newest_first()[:MOST_BACKUPS])

    @cached_property
    def unread_for(self) -> timedelta | None:
        """How long ago the archive was read, if that is too long to go by; else None."""
        synced = self.database.synced_at
        if synced is None or self.at - synced <= CATALOGUE_HOLDS:
            return None
        return self.at - synced

    @cached_property
    def forecast(self) -> LossForecast | None:
        return LossForecast.objects.filter(database=self.database).order_by("-at").first()

    @cached_property
    def replicas(self) -> Sequence[ReplicaState]:
        return list(self.database.replicas.select_related("location").order_by("location__name"))

    @cached_property
    def last_drill(self) -> Drill | None:
        """The newest drill that is over and was not cancelled."""
        over = self.database.drills.filter(ended_at__isnull=False).exclude(state="CANCELLED")
        return over.select_related("backup").order_by("-ended_at").first()

    @property
    def probes(self) -> Sequence[StorageProbe]:
        """The newest probe of each kind of the database's own storage, of the last day."""
        return self.around.probes(self.database.storage_id)

    def readings(self, location_id: int) -> "Readings":
        """Return what is written down of this database's objects in a place."""
        return self._readings.get(location_id) or Readings()

    def troubled(self, location_id: int, *states: ReadingState) -> "Troubled":
        """Return which objects of a place are in these states, by key, and what is wrong."""
        rows = self.database.readings.filter(location_id=location_id, state__in=states)
        found = rows.order_by("key").values_list("key", "state", "damaged_from")[:MOST_NAMED]
        return Troubled(
            count=self.readings(location_id).count(*states),
            named=[{"key": key, "what": _wrong(state, begins)} for key, state, begins in found],
        )

    @cached_property
    def _readings(self) -> Mapping[int, "Readings"]:
        found: dict[int, Readings] = {}
        told = self.database.readings.order_by().values("location_id", "state")
        for row in told.annotate(count=Count("pk"), oldest=Min("read_at"), newest=Max("read_at")):
            place = found.setdefault(row["location_id"], Readings())
            place.counts[row["state"]] = row["count"]
            if row["state"] in _READ:
                place.read_at = max(place.read_at or row["newest"], row["newest"])
            place.oldest = min(place.oldest or row["oldest"], row["oldest"])
            place.newest = max(place.newest or row["newest"], row["newest"])
        return found


@dataclass(slots=True)
class Readings:
    """How many objects of a place are in which state."""

    counts: dict[str, int] = field(default_factory=dict)
    oldest: datetime | None = None
    newest: datetime | None = None
    # When bytes of one were last read.
    read_at: datetime | None = None

    def count(self, *states: ReadingState) -> int:
        """Return how many are in these states; of all, without any."""
        return sum(self.counts.get(state, 0) for state in states or self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """Objects that are not as they should be: how many, and each by name up to a bound."""

    count: int
    named: Sequence[Mapping[str, str]]

    def __bool__(self) -> bool:
        return bool(self.count)

    @property
    def words(self) -> str:
        """The first of them by name, and how many there are besides."""
        said: list[str] = []
        for each in self.named[:_IN_WORDS]:
            said.append(f"{each['key']} ({each['what']})")
            if len(", ".join(said)) > _IN_LETTERS and len(said) > 1:
                said.pop()
                break
        left = self.count - len(said)
        return ", ".join(said) + (f" and {left} more" if left else "")


def _wrong(state: str, begins: int | None) -> str:
    if state == ReadingState.DAMAGED:
        return "other bytes" if begins is None else f"damaged from byte {begins:,} on"
    return str(ReadingState(state).label).lower()


def longest_between(expression: str, tz: str, at: datetime) -> timedelta | None:
    """Return how far apart the moments of a schedule get, from this day on.

    None where it does not fall twice. Worked out once a day, for it walks through years of moments.
    """
    return _longest_from(expression, tz, at.replace(hour=0, minute=0, second=0, microsecond=0))


@lru_cache(maxsize=2048)
def _longest_from(expression: str, tz: str, day: datetime) -> timedelta | None:
    return schedules.longest_between(expression, tz, day)


def unread(subject: Subject, said: str = "") -> Found | None:
    """Return that the archive was not read of late, for a check that goes by what it holds.

    None if it was. ``said`` is what was known when it was last read, without a full stop.
    """
    if subject.database.synced_at is None:
        return unknown(
            "The archive was never read.", "Read it: manage.py list_backups, or at the desk."
        )
    if subject.unread_for is None:
        return None
    since = f"the archive was last read {duration(subject.unread_for)} ago."
    return unknown(
        f"{said}, as far as is known: {since}" if said else since[0].upper() + since[1:],
        "See why the archive cannot be read, and read it.",
    )


class Check(Protocol):
    """One question. A class of this kind in a module of this package is found by ``CHECKS``."""

    name: ClassVar[BackupCheckName]

    def look(self, subject: Subject) -> Found:
        """Answer it. An EngineFailed or any other exception is unknown, never ok."""
        ...
