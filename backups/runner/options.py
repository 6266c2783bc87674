"""The facts of an options board, from the rows: quick, and as fresh as they were last read."""

import os
from collections.abc import Collection
from datetime import datetime

from backups.engines import registry
from backups.estimate import learn
from backups.models import (
    Backup,
    BackupKind,
    Database,
    JobState,
    RecoveryTarget,
    RestoreJob,
)
from backups.options import BackupFacts, Facts, PlaceFacts, Strategy, TargetFacts
from backups.queries.weather import windows_of
from backups.runner.checking import readings
from backups.runner.history import TENANT_BYTES, history_of

# Older backups are one read of the list away; nobody chooses among hundreds at night.
MOST_BACKUPS = 30


def read_facts(
    *,
    database_id: int,
    at: datetime,
    moment: datetime | None = None,
    silent_ids: Collection[int] = (),
) -> Facts:
    """Return what is on record of a database's ways back. Asks neither storage nor machine.

    ``silent_ids`` are the places that gave no answer just now.
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    return Facts(
        at=at,
        as_of=database.synced_at,
        backups=_backups(database),
        places=_places(database, silent_ids, at=at),
        targets=_targets(),
        strategies=[Strategy(each) for each in registry.strategies_of(database.engine)],
        tenants=database.tenants.count(),
        tenant_bytes=TENANT_BYTES,
        readings=readings(database),
        lanes=os.cpu_count() or 1,
        moment=moment,
        may_lose=database.recovery_point_objective,
        back_within=database.recovery_time_objective,
    )


def _backups(database: Database) -> list[BackupFacts]:
    rows = Backup.objects.filter(database=database).usable().newest_first()[:MOST_BACKUPS]
    return [
        BackupFacts(
            id=row.pk,
            name=row.label or row.engine_id,
            ended_at=row.ended_at,
            major=row.server_version // 10000,
            stored_bytes=row.stored_bytes or row.cluster_bytes,
            cluster_bytes=row.cluster_bytes,
            has_manifest=row.has_manifest,
            segments=row.log_segments,
            log_bytes=row.log_bytes,
            missing=row.log_missing,
            until_at=row.reaches_until_at,
            is_logical=row.kind == BackupKind.LOGICAL,
            is_incremental=row.kind == BackupKind.INCREMENTAL,
            elsewhere={
                int(place): datetime.fromisoformat(until)
                for place, until in row.reaches_elsewhere.items()
            },
        )
        for row in rows
    ]


def _places(database: Database, silent_ids: Collection[int], *, at: datetime) -> list[PlaceFacts]:
    places = [database.storage, *database.copies.order_by("name")]
    windows = windows_of([place.pk for place in places], at=at)
    return [
        PlaceFacts(
            id=place.pk,
            name=place.name,
            is_own=place.pk == database.storage_id,
            learned=learn(history_of(database.pk, place_id=place.pk, target_id=None, at=at), at=at),
            windows=windows[place.pk],
            is_silent=place.pk in silent_ids,
        )
        for place in places
    ]


def _targets() -> list[TargetFacts]:
    busy = RestoreJob.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.PAUSED])
    taken = {job.target_id: str(job) for job in busy}
    return [
        TargetFacts(
            id=row.pk,
            name=row.name,
            data_dir=row.data_dir,
            port=row.port,
            seen_at=row.probed_at,
            free_bytes=row.free_bytes,
            work_free_bytes=row.work_free_bytes,
            major=row.major,
            write_rate=row.write_bytes_per_second,
            occupied_by=row.occupied_by,
            taken_by=taken.get(row.pk, ""),
        )
        for row in RecoveryTarget.objects.order_by("name")
    ]
