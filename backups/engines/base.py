"""What a restore needs of a backup tool, and the values exchanged. Knows no Django."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from backups.engines.arriving import Arrival
from backups.engines.postgres import Postgres
from backups.steps import Step
from backups.storage.s3 import Bucket, ObjectRef

__all__ = [
    "BackupRecord",
    "Capabilities",
    "Engine",
    "Follows",
    "Kind",
    "Opening",
    "ReadsBack",
    "Source",
    "Step",
    "Streams",
    "WalFile",
    "WalInventory",
]


class Kind(StrEnum):
    """What a backup holds: everything, what changed since another, or statements."""

    FULL = "FULL"
    INCREMENTAL = "INCREMENTAL"
    LOGICAL = "LOGICAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can do: which backups it takes, and whether it keeps the log as well.

    Without the log a restore leads to the moments of its backups and to no other; the cluster that
    it makes is a new one, which any PostgreSQL from the backup's version on can run.
    """

    kinds: frozenset[Kind]
    keeps_log: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRecord:
    """One finished or unfinished backup, as every engine tells it.

    One that is INCREMENTAL needs its ``parent`` and what that needs. One that is LOGICAL holds each
    database as it was at some moment from ``began_at`` on, has no part of the log, and its LSNs
    only say where the log was.
    """

    backup_id: str
    label: str
    is_finished: bool
    began_at: datetime
    ended_at: datetime
    begin_lsn: int
    end_lsn: int
    begin_wal: str
    end_wal: str
    timeline: int
    system_id: int
    server_version: int
    cluster_bytes: int
    segment_bytes: int
    data_checksums: bool
    tablespaces: Mapping[str, str] = field(default_factory=dict)  # oid -> where it was
    kind: Kind = Kind.FULL
    parent: str = ""

    @property
    def major(self) -> int:
        return self.server_version // 10000


@dataclass(frozen=True, slots=True, kw_only=True)
class WalFile:
    """One file of the log archive: a segment or a timeline's history."""

    name: str
    ref: ObjectRef
    packing: str = ""  # as backups.engines.packings names it; empty for none


@dataclass(frozen=True, slots=True, kw_only=True)
class WalInventory:
    """What the archive holds, by the names that PostgreSQL uses."""

    segments: Mapping[str, WalFile]
    histories: Mapping[str, WalFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The running cluster that a backup is taken from."""

    host: str
    port: int
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Source({self.host}:{self.port})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What any engine is opened with: one database's place, and where the programs are.

    ``programs`` are the folders, or the program itself, by the name of the setting that names it.
    ``scratch`` is a folder on this machine for what does not outlive a call.
    """

    bucket: Bucket
    server: str
    programs: Mapping[str, str]
    scratch: Path


class Engine(Protocol):
    """A backup tool and one database's archive in it.

    A module of this package that calls a class of this kind ``ENGINE`` is found by the registry,
    under the name that the class has.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    @classmethod
    def open(cls, opening: Opening) -> Self:
        """Return the engine for one database's archive; nothing is asked yet."""
        ...

    def version(self) -> str:
        """Say which version of the tool is installed.

        :raises ToolMissing: if it is not
        """
        ...

    def catalogue(self) -> Sequence[BackupRecord]:
        """Name the backups in the storage, oldest first.

        :raises PassingTrouble: if the storage does not answer just now
        :raises CredentialsRefused: if it refuses the keys
        """
        ...

    def wal_inventory(self) -> WalInventory:
        """Name the archived log files; none where the engine keeps no log."""
        ...

    def read_history(self, file: WalFile) -> str:
        """Return what a timeline's history says."""
        ...

    def objects_of(self, backup_id: str) -> Sequence[ObjectRef]:
        """Name the objects that a restore of this backup needs, those of its parents as well.

        :raises ObjectMissing: if there are none
        """
        ...

    def place_in_stage(self, ref: ObjectRef) -> str:
        """Return where an object of a backup has to lie inside the stage, as a relative path."""
        ...

    def archive_command(self) -> str:
        """Return the ``archive_command``; empty where the engine keeps no log."""
        ...

    def archive_environment(self) -> Mapping[str, str]:
        """Return what the archive command needs to find in the server's environment."""
        ...

    def prepare_archive(self, source: Source) -> None:
        """Make the place ready for this server's log and backups. Ready already, nothing happens.

        :raises ToolFailed: if it holds another server's, or cannot be reached
        """
        ...

    def take_backup(self, source: Source, *, label: str, kind: Kind) -> Iterator[Step]:
        """Take a backup of a running cluster. Closing the iterator stops the tool.

        Where the engine cannot take this kind, it takes a full one; so does the first of all.

        :raises ToolFailed: if the tool gave up
        """
        ...

    def unpack(self, backup: BackupRecord, staged: Path, postgres: Postgres) -> Iterator[Step]:
        """Make a data directory from the staged objects; it holds nothing but our mark yet.

        Closing the iterator stops the tool and leaves a half. A physical backup is ready to be
        replayed after it; a logical one is a cluster to be started, stopped cleanly.

        :raises ObjectDamaged: if a staged object cannot be read
        """
        ...


@runtime_checkable
class Streams(Protocol):
    """What an engine has that can unpack a backup while it arrives."""

    def unpack_arriving(
        self, backup: BackupRecord, staged: Path, postgres: Postgres, arrival: Arrival
    ) -> Iterator[Step]:
        """Do what ``unpack`` does, from files that ``arrival`` brings while they are read."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """What an engine has whose own program reads a backup from the storage and unpacks it."""

    def read_back(self, backup: BackupRecord, postgres: Postgres) -> Iterator[Step]:
        """Do what ``unpack`` does, straight from the storage that the engine was opened with.

        The program does not tell how far it is, and neither do the steps: they only come. Closing
        the iterator stops it.

        :raises ToolFailed: if the program gave up
        """
        ...


@runtime_checkable
class Follows(Protocol):
    """What an engine has whose archived log can be followed as it grows."""

    def wal_from(self, name: str) -> Iterator[WalFile]:
        """Name the archived files of the log from this segment on.

        A few that lie before it may be among them; the histories of its timeline and of newer ones
        are. Costs as much as what is named, however long the archive is.
        """
        ...
