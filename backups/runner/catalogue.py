"""Reading a database's catalogue into rows, and finding out which moments can be restored."""

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from backups.engines.base import BackupRecord
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.errors import BackupMissing, EngineFailed
from backups.models import Backup, Database
from backups.runner.patience import patiently
from backups.runner.planning import Tell, opened_log
from backups.runner.proofs import tell_proof
from backups.runner.tools import Archive, opened_archive
from backups.steps import Step
from backups.storage.manifest import manifest_key, read_manifest


def sync_catalogue(*, database_id: int, at: datetime) -> Database:
    """Read what a database's archive holds, and write it down.

    :raises EngineFailed: if it cannot be read
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    with opened_archive(database) as archive:
        _read(database, archive, tell=_tell_nobody, at=at)
    tell_proof(database, at=at)
    return database


def _read(database: Database, archive: Archive, *, tell: Tell, at: datetime) -> None:
    records = patiently(archive.engine.catalogue, tell)
    seen = {record.backup_id: _facts(archive, database, record, tell) for record in records}
    window = _window(archive, records, tell)
    with transaction.atomic():
        for engine_id, facts in seen.items():
            Backup.objects.update_or_create(
                database=database, engine_id=engine_id, defaults={**facts, "vanished_at": None}
            )
        gone = database.backups.exclude(engine_id__in=seen).filter(vanished_at=None)
        gone.update(vanished_at=at)
        database.earliest_restorable_at, database.latest_restorable_at = window
        database.synced_at = at
        database.save(update_fields=["earliest_restorable_at", "latest_restorable_at", "synced_at"])


def _facts(
    archive: Archive, database: Database, record: BackupRecord, tell: Tell
) -> dict[str, object]:
    known = database.backups.filter(engine_id=record.backup_id, has_manifest=True).first()
    stored = known.stored_bytes if known else None
    if stored is None and record.is_finished:
        refs = patiently(lambda: archive.engine.objects_of(record.backup_id), tell)
        stored = sum(ref.size for ref in refs)
    key = manifest_key(archive.bucket, database.archive_name, record.backup_id)
    has_manifest = known is not None or bool(
        patiently(lambda: read_manifest(archive.bucket, key), tell).objects
    )
    return {
        "label": record.label,
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
    }


def _window(
    archive: Archive, records: Sequence[BackupRecord], tell: Tell
) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last moment that can be restored, both None without a backup."""
    parent = Path(settings.VAR_DIR) / "catalogue"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        # Only its programs are used; nothing runs on this port.
        postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=Path(folder) / "none", port=1)
        try:
            log, _inventory = opened_log(archive, postgres, Path(folder), records, tell=tell)
            return log.earliest_at(), log.horizon_at()
        except BackupMissing:
            return None, None


def _tell_nobody(step: Step) -> None:
    if step.waiting:
        # Whoever asked waits for the answer: better told now than in an hour.
        raise EngineFailed(
            "the storage does not answer",
            advice="The object storage does not answer at the moment. Try again in a minute.",
        )
