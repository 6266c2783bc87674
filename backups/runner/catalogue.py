"""Reading a database's catalogue into rows, and finding out which moments can be restored."""

import tempfile
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from backups.engines.base import BackupRecord
from backups.engines.points import point_of
from backups.engines.postgres import Postgres, bin_dir_for
from backups.engines.wal import SEGMENT_NAME
from backups.errors import BackupMissing, EngineFailed
from backups.models import Backup, Database, ObjectReading, ReadingState
from backups.runner.patience import patiently
from backups.runner.planning import opened_log
from backups.runner.proofs import tell_proof
from backups.runner.tools import Archive, opened_archive
from backups.steps import Step
from backups.storage.manifest import manifest_key, read_manifest

# What is written down of a backup from which the log does not lead on.
_NOWHERE = {
    "log_segments": 0,
    "log_bytes": 0,
    "log_missing": "",
    "reaches_until_at": None,
    "reaches_elsewhere": {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What an archive holds: the values of each backup's row by the engine's name of it."""

    backups: Mapping[str, dict[str, Any]]
    earliest_at: datetime | None
    latest_at: datetime | None


def sync_catalogue(*, database_id: int, at: datetime) -> Database:
    """Read what a database's archive holds, and write it down.

    Of one that was unregistered as well: a backup that ended after that is there all the same.

    :raises EngineFailed: if it cannot be read
    """
    database = Database.everything.select_related("storage").get(pk=database_id)
    known = known_sizes(database)
    with opened_archive(database, beside=list(database.copies.order_by("name"))) as archive:
        doubted = doubted_segments(database).get(database.storage_id, ())
        reading = read_catalogue(archive, database.archive_name, known, doubted)
    keep_catalogue(database, reading, at=at)
    return database


def known_sizes(database: Database) -> Mapping[str, int | None]:
    """Return what need not be asked again: the stored bytes of backups that have a manifest."""
    rows = database.backups.filter(has_manifest=True)
    return dict(rows.values_list("engine_id", "stored_bytes"))


def doubted_segments(database: Database) -> Mapping[int, Collection[str]]:
    """Name the log files, by the places that hold them, of which a reading found another content.

    Whether such a one can be used only a look into it says: it may have been stored again.
    """
    found: defaultdict[int, set[str]] = defaultdict(set)
    unlike = [ReadingState.DAMAGED, ReadingState.RESIZED]
    rows = ObjectReading.objects.filter(database=database, state__in=unlike)
    for location_id, key in rows.values_list("location_id", "key"):
        # Behind the name there may be a checksum and how it is packed.
        name = key.rpartition("/")[2][:24]
        if SEGMENT_NAME.match(name):
            found[location_id].add(name)
    return found


def read_catalogue(
    archive: Archive,
    server: str,
    known: Mapping[str, int | None],
    doubted: Collection[str],
) -> Reading:
    """Read an archive. Asks no database, so that it may be done in a thread of its own.

    A log file that is damaged wherever it can be asked for is a hole in the log; those that are
    ``doubted`` are looked into.

    :raises EngineFailed: if it cannot be read
    """
    records = patiently(archive.engine.catalogue, _tell_nobody)
    facts = {record.backup_id: _facts(archive, server, record, known) for record in records}
    return _with_ways(archive, records, facts, doubted)


def keep_catalogue(
    database: Database, reading: Reading, *, at: datetime, is_copy: bool = False
) -> None:
    """Write down what an archive holds. A copy may lag behind: nothing has vanished for that."""
    with transaction.atomic():
        for engine_id, facts in reading.backups.items():
            Backup.objects.update_or_create(
                database=database, engine_id=engine_id, defaults={**facts, "vanished_at": None}
            )
        if not is_copy:
            gone = database.backups.exclude(engine_id__in=reading.backups)
            gone.filter(vanished_at=None).update(vanished_at=at)
        database.earliest_restorable_at = reading.earliest_at
        database.latest_restorable_at = reading.latest_at
        database.synced_at = at
        database.save(update_fields=["earliest_restorable_at", "latest_restorable_at", "synced_at"])
    tell_proof(database, at=at)


def _facts(
    archive: Archive, server: str, record: BackupRecord, known: Mapping[str, int | None]
) -> dict[str, Any]:
    stored = known.get(record.backup_id)
    if stored is None and record.is_finished:
        refs = patiently(lambda: archive.engine.objects_of(record.backup_id), _tell_nobody)
        stored = sum(ref.size for ref in refs)
    key = manifest_key(archive.bucket, server, record.backup_id)
    has_manifest, later = record.backup_id in known, {}
    if not has_manifest:
        manifest = patiently(lambda: read_manifest(archive.bucket, key), _tell_nobody)
        has_manifest = bool(manifest.objects)
        later = {"manifest_recorded_at": _moment(manifest.recorded_later_at)}
    return {
        "label": record.label,
        "kind": record.kind.value,
        "parent_engine_id": record.parent,
        "is_finished": record.is_finished,
        "began_at": record.began_at,
        "ended_at": record.ended_at,
        "begin_wal": record.begin_wal,
        "end_wal": record.end_wal,
        "timeline": record.timeline,
        "server_version": record.server_version,
        "cluster_bytes": record.cluster_bytes,
        "stored_bytes": stored,
        "has_manifest": has_manifest,
        **later,
        **_NOWHERE,
    }


def _moment(said: str) -> datetime | None:
    """Return when a manifest says that it was recorded; None if it does not, or nobody can tell."""
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _with_ways(
    archive: Archive,
    records: Sequence[BackupRecord],
    facts: Mapping[str, dict[str, Any]],
    doubted: Collection[str],
) -> Reading:
    """Add how far the log leads on from each backup, and which moments that makes reachable."""
    if not archive.engine.capabilities.keeps_log:
        return _without_log(records, facts)
    parent = Path(settings.VAR_DIR) / "catalogue"
    parent.mkdir(parents=True, exist_ok=True)
    earliest, latest = [], []
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        # Only its programs are used; nothing runs on this port.
        major = max((record.major for record in records), default=0)
        postgres = Postgres(bin_dir=bin_dir_for(major), data_dir=Path(folder) / "none", port=1)
        try:
            log, inventory = opened_log(archive, postgres, Path(folder), records, tell=_tell_nobody)
        except BackupMissing:
            return Reading(backups=facts, earliest_at=None, latest_at=None)
        log.doubt(sorted(doubted))
        for record in log.backups:
            reach = log.reach_of(record)
            facts[record.backup_id].update(
                log_segments=len(reach.segments),
                log_bytes=sum(inventory.segments[name].ref.size for name in reach.segments),
                log_missing=reach.missing,
                reaches_until_at=reach.until_at,
            )
            if reach.until_at is not None:
                earliest.append(record.ended_at)
                latest.append(reach.until_at)
    return Reading(
        backups=facts,
        earliest_at=min(earliest, default=None),
        latest_at=max(latest, default=None),
    )


def _without_log(records: Sequence[BackupRecord], facts: Mapping[str, dict[str, Any]]) -> Reading:
    """Add that each backup leads to its own moment and no further."""
    moments = [point_of(record) for record in records if record.is_finished]
    for record in records:
        if record.is_finished:
            facts[record.backup_id].update(reaches_until_at=point_of(record))
    return Reading(
        backups=facts,
        earliest_at=min(moments, default=None),
        latest_at=max(moments, default=None),
    )


def _tell_nobody(step: Step) -> None:
    if step.waiting:
        # Whoever asked waits for the answer: better told now than in an hour.
        raise EngineFailed(
            "the storage does not answer",
            advice="The object storage does not answer at the moment. Try again in a minute.",
        )
