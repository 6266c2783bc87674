"""What a check is: one question about one database, answered truthfully or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import ClassVar, Protocol

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
    ReplicaState,
    StorageProbe,
)
from backups.options.words import duration

# Enough to say what is usual; nobody compares with what was two years ago.
MOST_BACKUPS = 60
# Archives are read every few minutes: what was read of one longer ago says nothing of now.
CATALOGUE_HOLDS = timedelta(hours=1)

Evidence = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check came to. ``advice`` says what to do; only what is ok needs none."""

    state: CheckState
    words: str
    advice: str = ""
    evidence: Evidence = field(default_factory=dict)


def ok(words: str, **evidence: str | float) -> Found:
    return Found(state=CheckState.OK, words=words, evidence=evidence)


def warning(words: str, advice: str, **evidence: str | float) -> Found:
    return Found(state=CheckState.WARNING, words=words, advice=advice, evidence=evidence)


def critical(words: str, advice: str, **evidence: str | float) -> Found:
    return Found(state=CheckState.CRITICAL, words=words, advice=advice, evidence=evidence)


def unknown(words: str, advice: str, **evidence: str | float) -> Found:
    return Found(state=CheckState.UNKNOWN, words=words, advice=advice, evidence=evidence)


class Subject:
    """One database as its checks see it at one moment: rows, each read once and when first asked.

    Rows alone: what a storage or a machine says was written down by whoever asked it (the
    catalogue, probes, readings, replicas), with when; a check that finds it too old says unknown.
    """

    def __init__(self, database: Database, *, at: datetime) -> None:
        self.database = database
        self.at = at

    @cached_property
    def policy(self) -> BackupPolicy | None:
        return BackupPolicy.objects.filter(database=self.database).first()

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

    @cached_property
    def probes(self) -> Sequence[StorageProbe]:
        """The newest probe of each kind of the database's own storage."""
        rows = StorageProbe.objects.filter(location_id=self.database.storage_id)
        return list(rows.order_by("kind", "-at").distinct("kind"))


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
