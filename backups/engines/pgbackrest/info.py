"""What ``pgbackrest info --output=json`` says, in our own words.

Its traps: the version of the cluster has no minor part; moments are whole seconds, cut off; nothing
says how large a segment of the log is; a stanza that is not there is listed with a status of its
own and no backups; the name of an archive has the number of its cluster, and the numbers grow.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from backups.engines.base import BackupRecord, Kind
from backups.engines.wal import DEFAULT_SEGMENT_BYTES, Segment, parse_lsn
from backups.errors import EngineFailed, ToolFailed

# A power of two between these, in PostgreSQL.
_SEGMENT_SIZES = [1 << bits for bits in range(20, 31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """A stanza's backups, oldest first; what each needs beside itself; the present archive's id."""

    backups: Sequence[BackupRecord]
    references: Mapping[str, Sequence[str]]
    archive_id: str


NOTHING = Info(backups=(), references={}, archive_id="")


def parse_info(text: str, stanza: str) -> Info:
    """Read what is said of one stanza.

    :raises ToolFailed: if it is not what this version is known to print
    :raises EngineFailed: if the repository is encrypted
    """
    try:
        found = [entry for entry in json.loads(text) if entry["name"] == stanza]
        return _info(found[0]) if found else NOTHING
    except (ValueError, KeyError, TypeError) as error:
        raise ToolFailed(f"pgBackRest's list of backups cannot be read: {error!r}") from error


def _info(entry: Mapping[str, Any]) -> Info:
    if entry.get("cipher", "none") != "none":
        raise EngineFailed(
            f"the cipher is {entry['cipher']}",
            advice="The repository is encrypted by pgBackRest, which cannot be read here. Let the "
            "storage encrypt it instead, then take a full backup.",
        )
    clusters = {each["id"]: each for each in entry["db"]}
    records = [_record(each, clusters[each["database"]["id"]]) for each in entry["backup"]]
    archives = sorted(entry["archive"], key=lambda each: each["database"]["id"])
    return Info(
        backups=sorted(records, key=lambda record: record.ended_at),
        references={each["label"]: each.get("reference") or () for each in entry["backup"]},
        archive_id=archives[-1]["id"] if archives else "",
    )


def _record(entry: Mapping[str, Any], cluster: Mapping[str, Any]) -> BackupRecord:
    begin_lsn, end_lsn = parse_lsn(entry["lsn"]["start"]), parse_lsn(entry["lsn"]["stop"])
    begin_wal = entry["archive"]["start"]
    return BackupRecord(
        backup_id=entry["label"],
        label=(entry.get("annotation") or {}).get("label") or entry["label"],
        # One that broke off is not listed at all.
        is_finished=True,
        began_at=datetime.fromtimestamp(entry["timestamp"]["start"], tz=UTC),
        # Cut off to the second: in the next one the backup has ended for sure.
        ended_at=datetime.fromtimestamp(entry["timestamp"]["stop"], tz=UTC) + timedelta(seconds=1),
        begin_lsn=begin_lsn,
        end_lsn=end_lsn,
        begin_wal=begin_wal,
        end_wal=entry["archive"]["stop"],
        timeline=int(begin_wal[:8], 16),
        system_id=cluster["system-id"],
        server_version=int(str(cluster["version"]).partition(".")[0]) * 10000,
        cluster_bytes=entry["info"]["size"],
        segment_bytes=_segment_bytes(begin_wal, begin_lsn),
        data_checksums="error" in entry and entry["error"] is not None,
        kind=Kind.FULL if entry["type"] == "full" else Kind.INCREMENTAL,
        parent=entry.get("prior") or "",
    )


def _segment_bytes(name: str, lsn: int) -> int:
    """Return the size with which this position lies in the segment of this name."""
    sizes = (
        size
        for size in _SEGMENT_SIZES
        if Segment.holding(lsn, timeline=int(name[:8], 16), size=size).name == name
    )
    return next(sizes, DEFAULT_SEGMENT_BYTES)
