"""What ``barman-cloud-backup-list --format json`` says, in our own words.

Its traps, seen in real output: ``server_name`` is always "cloud"; ``size`` is null; dates without
``_iso`` are in the manner of ctime and without a zone; ``version`` is a number; a failed backup is
listed like a good one.
"""

import ast
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from backups.engines.base import BackupRecord
from backups.engines.wal import DEFAULT_SEGMENT_BYTES, parse_lsn
from backups.errors import ToolFailed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_backup_list(text: str) -> list[BackupRecord]:
    """Read the list, oldest first.

    :raises ToolFailed: if it is not what this version of barman is known to print
    """
    try:
        entries = json.loads(text)["backups_list"]
        return sorted((_record(entry) for entry in entries), key=lambda record: record.backup_id)
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(f"barman's list of backups cannot be read: {error!r}") from error


def parse_backup(text: str) -> BackupRecord:
    """Read what ``barman-cloud-backup-show`` prints: one backup, under the key "cloud"."""
    try:
        (entry,) = json.loads(text).values()
        return _record(entry)
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(f"barman's description of a backup cannot be read: {error!r}") from error


def parse_backup_info(text: str, backup_id: str) -> BackupRecord:
    """Read the ``backup.info`` that lies with a backup: a line for each value, as Python writes it.

    :raises ToolFailed: if it is not what this version of barman is known to write
    """
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    entry: dict[str, Any] = {
        name: None if value == "None" else value for name, value in said.items()
    }
    try:
        numbers = ("timeline", "version", "cluster_size", "xlog_segment_size")
        entry |= {name: int(entry[name]) for name in numbers if entry.get(name)}
        entry["tablespaces"] = ast.literal_eval(entry.get("tablespaces") or "[]")
        moments = {f"{name}_iso": entry.get(name) for name in ("begin_time", "end_time")}
        return _record({**entry, **moments, "backup_id": backup_id})
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise ToolFailed(f"barman's backup.info cannot be read: {error!r}") from error


def _record(entry: Mapping[str, Any]) -> BackupRecord:
    return BackupRecord(
        backup_id=entry["backup_id"],
        label=entry.get("backup_name") or entry["backup_id"],
        is_finished=entry["status"] == "DONE",
        began_at=_moment(entry.get("begin_time_iso")),
        ended_at=_moment(entry.get("end_time_iso")),
        begin_lsn=parse_lsn(entry.get("begin_xlog") or "0/0"),
        end_lsn=parse_lsn(entry.get("end_xlog") or "0/0"),
        begin_wal=entry.get("begin_wal") or "",
        end_wal=entry.get("end_wal") or "",
        timeline=entry.get("timeline") or 0,
        system_id=int(entry.get("systemid") or 0),
        server_version=entry.get("version") or 0,
        cluster_bytes=entry.get("cluster_size") or 0,
        segment_bytes=entry.get("xlog_segment_size") or DEFAULT_SEGMENT_BYTES,
        data_checksums=entry.get("data_checksums") == "on",
        tablespaces=_tablespaces(entry.get("tablespaces")),
    )


def _moment(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else EPOCH


def _tablespaces(value: Any) -> dict[str, str]:
    # Each is (name, oid, location), printed as a list.
    return {str(oid): location for _name, oid, location in value or []}
