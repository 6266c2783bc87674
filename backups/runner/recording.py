"""Recording what backups that were taken elsewhere hold: each object is read once, part by part.

Such a manifest proves that nothing changed since it was recorded. What became of the bytes between
the backup and that reading nobody knows.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from backups.errors import EngineFailed
from backups.models import (
    Backup,
    JobState,
    ManifestJob,
    ManifestPart,
    ObjectReading,
    ReadingState,
)
from backups.runner.credentials import redacted
from backups.runner.lease import Clock, Lease, LeaseLost
from backups.runner.patience import patiently
from backups.runner.tools import opened_archive
from backups.steps import Step
from backups.storage.manifest import Ledger, manifest_key, record_manifest
from backups.storage.values import ObjectRef

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
# So many parts are written down together: a death costs as many to be read again.
_TOGETHER = 16
_PAGE = 1000


class NothingToRecord(EngineFailed):
    """A backup of which the storage lists no object."""

    code = "manifest-no-objects"
    advice = "The storage lists nothing of this backup. Read the archive: it may be gone."


def run_manifest(*, manifest_id: int, now: Clock) -> None:
    """Record the manifest of a backup. Called twice at once, one call works.

    Of a database one is recorded at a time; another that waits is sent again by the beat.
    """
    job = ManifestJob.objects.filter(pk=manifest_id).first()
    if job is None or _is_another_at_work(job):
        return
    lease = Lease.claim(ManifestJob.objects.all(), manifest_id, now=now)
    if lease is None:
        logger.info("manifest %s: taken or over already", manifest_id)
        return
    with lease:
        _carry(manifest_id, lease, now)
    ManifestJob.objects.all().end_called_off(manifest_id, worker=lease.worker, at=now())


def _is_another_at_work(job: ManifestJob) -> bool:
    at_work = ManifestJob.objects.filter(database=job.database_id, state=JobState.RUNNING)
    return at_work.exclude(pk=job.pk).exists()


def _carry(manifest_id: int, lease: Lease, now: Clock) -> None:
    rows = ManifestJob.objects.select_related("backup", "database__storage")
    job: ManifestJob = rows.get(pk=manifest_id)
    if job.cancel_requested_at is not None or job.database.unregistered_at is not None:
        return
    secrets: list[str] = []
    try:
        refs = _record(job, lease, secrets, at=now())
    except LeaseLost:
        logger.warning("manifest %s: the lease is lost, or it was called off", job.pk)
    except EngineFailed as failure:
        logger.warning("manifest %s: stopped: %s", job.pk, failure.code)
        _fail(job, failure, lease, secrets, now)
    except Exception:
        # A fault of ours: end the job, so that nobody waits for it, and let it be seen.
        _fail(job, EngineFailed("a fault of Highwater; see the worker's log"), lease, secrets, now)
        raise
    else:
        _keep(job, refs, lease, at=now())


def _record(
    job: ManifestJob, lease: Lease, secrets: list[str], *, at: datetime
) -> Sequence[ObjectRef]:
    database, backup = job.database, job.backup
    told = _Told(job, lease)
    with opened_archive(database) as archive:
        secrets.extend(archive.secrets)
        refs = patiently(lambda: archive.engine.objects_of(backup.engine_id), told.wait)
        if not refs:
            raise NothingToRecord(f"{backup.engine_id}: no objects")
        key = manifest_key(archive.bucket, database.archive_name, backup.engine_id)
        ledger = PartsLedger(backup)
        for step in record_manifest(archive.bucket, key, refs, ledger=ledger, recorded_at=at):
            told.step(step)
    return refs


class PartsLedger(Ledger):
    """Keeps what was read of a backup as rows."""

    def __init__(self, backup: Backup) -> None:
        self._backup = backup
        self._unwritten: list[ManifestPart] = []

    def recalled(self, ref: ObjectRef, block_bytes: int) -> dict[int, list[str]]:
        """Return the hashes of the parts that were read of just this object, by their starts."""
        rows = ManifestPart.objects.filter(
            backup=self._backup, key=ref.key, etag=ref.etag, size=ref.size, block_bytes=block_bytes
        )
        return dict(rows.values_list("start", "hashes"))

    def note(self, ref: ObjectRef, start: int, block_bytes: int, hashes: Sequence[str]) -> None:
        """Keep the hashes of a part."""
        self._unwritten.append(
            ManifestPart(
                backup=self._backup, key=ref.key, etag=ref.etag, size=ref.size, start=start,
                block_bytes=block_bytes, hashes=list(hashes),
            )
        )  # fmt: skip
        if len(self._unwritten) >= _TOGETHER:
            self.write()

    def write(self) -> None:
        """Write down what is noted so far."""
        rows, self._unwritten = self._unwritten, []
        ManifestPart.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["backup", "key", "start"],
            update_fields=["etag", "size", "block_bytes", "hashes"],
        )


class _Told:
    """Writes down about once a second how far it is, and stops when the lease is lost."""

    def __init__(self, job: ManifestJob, lease: Lease) -> None:
        self._job = job
        self._lease = lease
        self._written_at = 0.0

    def wait(self, _step: Step) -> None:
        self._lease.check()

    def step(self, step: Step) -> None:
        self._lease.check()
        if time.monotonic() - self._written_at < _EVERY_SECONDS and step.done != step.total:
            return
        self._written_at = time.monotonic()
        rows = ManifestJob.objects.filter(pk=self._job.pk, leased_by=self._lease.worker)
        rows.update(bytes_done=step.done, bytes_total=step.total)


def _keep(job: ManifestJob, refs: Sequence[ObjectRef], lease: Lease, *, at: datetime) -> None:
    """Write down that the manifest is there; what was read just now needs no other reading."""
    with transaction.atomic():
        Backup.objects.filter(pk=job.backup_id).update(has_manifest=True, manifest_recorded_at=at)
        ManifestPart.objects.filter(backup=job.backup_id).delete()
        rows = ObjectReading.objects.filter(
            database=job.database_id,
            location=job.database.storage_id,
            state__in=[ReadingState.UNREAD, ReadingState.UNRECORDED],
        )
        keys = [ref.key for ref in refs]
        for begin in range(0, len(keys), _PAGE):
            page = rows.filter(key__in=keys[begin : begin + _PAGE])
            page.update(state=ReadingState.SOUND, damaged_from=None, read_at=at)
        ManifestJob.objects.all().release(
            job.pk, worker=lease.worker, state=JobState.SUCCEEDED, at=at
        )


def _fail(
    job: ManifestJob, failure: EngineFailed, lease: Lease, secrets: list[str], now: Clock
) -> None:
    ManifestJob.objects.all().release(
        job.pk,
        worker=lease.worker,
        state=JobState.FAILED,
        at=now(),
        failure_code=failure.code,
        failure_advice=redacted(failure.advice, secrets)[:500],
        detail=redacted(str(failure), secrets)[-8000:],
    )
