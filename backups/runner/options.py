"""The facts of an options board, from the rows: quick, and as fresh as they were last read."""

import os
from collections.abc import Mapping
from datetime import datetime

from backups.engines import registry
from backups.errors import CredentialsMissing, CredentialsRefused
from backups.estimate import learn
from backups.models import (
    Backup,
    BackupKind,
    Database,
    JobState,
    RecoveryTarget,
    RestoreJob,
    Standby,
    StandbyState,
)
from backups.options import (
    BackupFacts,
    Facts,
    PlaceFacts,
    StandbyFacts,
    Strategy,
    TargetFacts,
)
from backups.queries.weather import windows_of
from backups.runner.checking import readings
from backups.runner.history import TENANT_BYTES, history_of

# Older backups are one read of the list away; nobody chooses among hundreds at night.
MOST_BACKUPS = 30
_KEYS_ARE = {CredentialsRefused.code: "refused", CredentialsMissing.code: "missing"}


def read_facts(
    *,
    database_id: int,
    at: datetime,
    moment: datetime | None = None,
    unheard: Mapping[int, str] | None = None,
) -> Facts:
    """Return what is on record of a database's ways back. Asks neither storage nor machine.

    ``unheard`` are the places that could not be read just now, each with the code of its failure.
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    return Facts(
        at=at,
        as_of=database.synced_at,
        backups=_backups(database),
        places=_places(database, unheard or {}, at=at),
        targets=_targets(database),
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
    return [_backup(row) for row in rows]


def _backup(row: Backup) -> BackupFacts:
    return BackupFacts(
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


def _places(database: Database, unheard: Mapping[int, str], *, at: datetime) -> list[PlaceFacts]:
    places = [database.storage, *database.copies.order_by("name")]
    windows = windows_of([place.pk for place in places], at=at)
    return [
        PlaceFacts(
            id=place.pk,
            name=place.name,
            is_own=place.pk == database.storage_id,
            learned=learn(history_of(database.pk, place_id=place.pk, target_id=None, at=at), at=at),
            windows=windows[place.pk],
            is_silent=place.pk in unheard,
            keys=place.credentials_reference,
            keys_are=_KEYS_ARE.get(unheard.get(place.pk, ""), ""),
        )
        for place in places
    ]


def _targets(database: Database) -> list[TargetFacts]:
    busy = RestoreJob.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.PAUSED])
    taken = {job.target_id: str(job) for job in busy}
    # Behind a later restore at its target nothing of it is left to go on with.
    newest = RestoreJob.objects.order_by("target_id", "-pk").distinct("target_id")
    left = {job.target_id: str(job) for job in newest if job.state == JobState.FAILED}
    rows = Standby.objects.select_related("database", "base__backup")
    kept = {row.target_id: _standby(row, database) for row in rows}
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
            left_by=left.get(row.pk, ""),
            standby=kept.get(row.pk),
        )
        for row in RecoveryTarget.objects.order_by("name")
    ]


def _standby(row: Standby, database: Database) -> StandbyFacts:
    is_ours, backup = row.database_id == database.pk, row.base.backup
    is_warm = row.state == StandbyState.FOLLOWING and backup is not None
    return StandbyFacts(
        of=row.database.name,
        is_ours=is_ours,
        backup=_backup(backup) if is_ours and backup is not None else None,
        until_at=row.warm_until_at if is_warm else None,
        seen_at=row.seen_at,
        fetch_bytes=row.unfetched_bytes,
        # From its last restartpoint on it is replayed once more.
        replay_bytes=row.behind_bytes + row.again_bytes,
        words=row.trouble or ("" if is_warm else f"{row.get_state_display()}."),
    )
