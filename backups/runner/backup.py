"""Taking a backup, and writing down what it holds."""

import logging

from backups.engines.base import Kind
from backups.errors import EngineFailed
from backups.models import BackupJob, Database, JobState
from backups.runner.catalogue import sync_catalogue
from backups.runner.credentials import redacted
from backups.runner.lease import Clock, Lease, LeaseLost
from backups.runner.patience import patiently
from backups.runner.tools import Archive, opened_archive, source_of
from backups.steps import Step
from backups.storage.manifest import manifest_key, record_manifest

logger = logging.getLogger(__name__)


def run_backup(*, backup_id: int, now: Clock) -> None:
    """Take a requested backup. Called twice at once, one call works."""
    lease = Lease.claim(BackupJob.objects.all(), backup_id, now=now)
    if lease is None:
        logger.info("backup %s: taken or over already", backup_id)
        return
    with lease:
        _carry(backup_id, lease, now)
    BackupJob.objects.all().end_called_off(backup_id, worker=lease.worker, at=now())


def record_missing_manifest(
    *, database: Database, engine_id: str, archive: Archive, lease: Lease
) -> None:
    """Read a backup back once, and store what it holds beside it."""

    def check(_step: Step) -> None:
        lease.check()

    refs = patiently(lambda: archive.engine.objects_of(engine_id), check)
    key = manifest_key(archive.bucket, database.archive_name, engine_id)
    for step in record_manifest(archive.bucket, key, refs):
        check(step)


def _carry(backup_id: int, lease: Lease, now: Clock) -> None:
    job = BackupJob.objects.select_related("database__storage").get(pk=backup_id)
    if job.cancel_requested_at is not None or job.database.unregistered_at is not None:
        return
    secrets: list[str] = []
    try:
        _take(job, lease, secrets)
        sync_catalogue(database_id=job.database_id, at=now())
    except LeaseLost:
        # Whoever has the lease now takes the backup anew; half a backup is of no use to it.
        logger.warning("backup %s: the lease is lost, or it was called off", job.pk)
    except EngineFailed as failure:
        logger.warning("backup %s: stopped: %s", job.pk, failure.code)
        _fail(job, failure, lease, secrets, now)
    except Exception:
        # A fault of ours: end the job, so that nobody waits for it, and let it be seen.
        _fail(job, EngineFailed("a fault of Highwater; see the worker's log"), lease, secrets, now)
        raise
    else:
        BackupJob.objects.all().release(
            job.pk, worker=lease.worker, state=JobState.SUCCEEDED, at=now()
        )


def _fail(
    job: BackupJob, failure: EngineFailed, lease: Lease, secrets: list[str], now: Clock
) -> None:
    BackupJob.objects.all().release(
        job.pk,
        worker=lease.worker,
        state=JobState.FAILED,
        at=now(),
        failure_code=failure.code,
        failure_advice=redacted(failure.advice, secrets)[:500],
        detail=redacted(str(failure), secrets)[-8000:],
    )


def _take(job: BackupJob, lease: Lease, secrets: list[str]) -> None:
    database = job.database
    source = source_of(database)
    secrets.append(source.password)
    with opened_archive(database) as archive:
        secrets.extend(archive.secrets)
        before = {record.backup_id for record in patiently(archive.engine.catalogue, _quiet)}
        for _step in archive.engine.take_backup(source, label=job.label, kind=Kind(job.kind)):
            lease.check()
        after = patiently(archive.engine.catalogue, _quiet)
        taken = [r for r in after if r.backup_id not in before and r.label == job.label]
        if not taken or not taken[-1].is_finished:
            raise EngineFailed("the tool ended well, and its catalogue shows no finished backup")
        BackupJob.objects.filter(pk=job.pk).update(engine_id=taken[-1].backup_id)
        record_missing_manifest(
            database=database, engine_id=taken[-1].backup_id, archive=archive, lease=lease
        )


def _quiet(_step: Step) -> None:
    """Let small waits pass: a backup is not watched by customers."""
