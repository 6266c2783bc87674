"""What a restore needs of a backup tool, and the values exchanged. Knows no Django."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from backups.steps import Step
from backups.storage.s3 import ObjectRef

__all__ = ["BackupRecord", "Engine", "Source", "Step", "WalFile", "WalInventory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRecord:
    """One finished or unfinished physical backup, as every engine tells it."""

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

    @property
    def major(self) -> int:
        return self.server_version // 10000


@dataclass(frozen=True, slots=True, kw_only=True)
class WalFile:
    """One file of the log archive: a segment or a timeline's history."""

    name: str
    ref: ObjectRef
    packing: str = ""  # "", "gz", "bz2", "xz"


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


class Engine(Protocol):
    """A backup tool and one database's archive in it."""

    def version(self) -> str:
        """Say which version of the tool is installed.

        :raises ToolMissing: if it is not
        """
        ...

    def catalogue(self) -> Sequence[BackupRecord]:
        """Name the backups in the storage, oldest first."""
        ...

    def wal_inventory(self) -> WalInventory:
        """Name the archived log files."""
        ...

    def read_history(self, file: WalFile) -> str:
        """Return what a timeline's history says."""
        ...

    def objects_of(self, backup_id: str) -> Sequence[ObjectRef]:
        """Name the objects that hold a backup's files.

        :raises ObjectMissing: if there are none
        """
        ...

    def take_backup(self, source: Source, *, label: str) -> Iterator[Step]:
        """Take a full backup of a running cluster. Closing the iterator stops the tool.

        :raises ToolFailed: if the tool gave up
        """
        ...

    def unpack(self, backup: BackupRecord, staged: Path, directory: Path) -> Iterator[Step]:
        """Make a data directory from the staged objects, in a directory that is empty."""
        ...
