"""The document that makes a folder of dumps a backup: written last, so what has it is whole."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from backups.engines.base import BackupRecord, Kind
from backups.engines.dumps.description import Description
from backups.engines.wal import DEFAULT_SEGMENT_BYTES, parse_lsn
from backups.errors import ObjectDamaged

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One backup: which databases it holds, under which folder each, and of which cluster.

    ``superuser`` is the role that the cluster was made with. ``settings`` are those of its
    configuration files, which a logical backup does not bring back.
    """

    backup_id: str
    label: str
    began_at: datetime
    ended_at: datetime
    superuser: str
    settings: Mapping[str, str]
    databases: Mapping[str, Description]

    def written(self) -> bytes:
        said = asdict(self)
        for each in (said, *said["databases"].values()):
            for name, value in each.items():
                if isinstance(value, datetime):
                    each[name] = value.isoformat()
        return json.dumps({"version": VERSION, **said}, indent=1).encode()

    def record(self) -> BackupRecord:
        """Return what the catalogue says of it."""
        each: Sequence[Description] = list(self.databases.values())
        lsns = [parse_lsn(database.lsn) for database in each]
        return BackupRecord(
            backup_id=self.backup_id,
            label=self.label,
            is_finished=True,
            began_at=self.began_at,
            ended_at=self.ended_at,
            begin_lsn=min(lsns),
            end_lsn=max(lsns),
            begin_wal="",
            end_wal="",
            timeline=0,
            system_id=each[0].system_id,
            server_version=max(database.server_version for database in each),
            cluster_bytes=sum(database.bytes for database in each),
            segment_bytes=DEFAULT_SEGMENT_BYTES,
            data_checksums=True,
            kind=Kind.LOGICAL,
        )


def parse_document(content: bytes) -> Document:
    """Read a document.

    :raises ObjectDamaged: if it is none, or of a version that is not known here
    """
    try:
        said = json.loads(content)
        if said.pop("version") != VERSION:
            raise ValueError("of another version")
        moments = {name: datetime.fromisoformat(said[name]) for name in ("began_at", "ended_at")}
        databases = {folder: _description(each) for folder, each in said["databases"].items()}
        return Document(**{**said, **moments, "databases": databases})
    except (ValueError, KeyError, TypeError) as error:
        raise ObjectDamaged(f"the document of a backup cannot be read: {error!r}") from error


def _description(said: Mapping[str, Any]) -> Description:
    return Description(**{**said, "taken_at": datetime.fromisoformat(said["taken_at"])})
