"""Having manifests recorded of backups that were taken elsewhere."""

from datetime import datetime

from django.db import IntegrityError, transaction

from backups import tasks
from backups.models import Backup, Database, JobState, ManifestJob
from incidents.errors import Refused


class NoManifestMissing(Refused):
    code = "no-manifest-missing"
    message = (
        "Every backup has a manifest, or one is being recorded. Read the archive if there should "
        "be others."
    )


class ManifestPlaceOnlyRead(Refused):
    code = "manifest-place-only-read"
    message = (
        "A manifest is kept beside its backup, and the keys of this location are only to read. "
        "Give it keys that may write, and say so at the location."
    )


class ManifestOver(Refused):
    code = "manifest-over"
    message = "This recording is over already. Begin another one if it is to be done again."


def record_manifests(
    *, database_id: int, at: datetime, backup_id: int | None = None, by_worker: bool = True
) -> list[ManifestJob]:
    """Have each backup without a manifest read once, or the one that is named, and it recorded.

    Such a manifest proves that the bytes did not change since it was recorded, not since the
    backup was taken. What was read of it before is not read again.

    :raises ManifestPlaceOnlyRead: if it could not be kept there
    :raises NoManifestMissing: if there is nothing to record
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    if database.storage.is_read_only:
        raise ManifestPlaceOnlyRead
    rows = Backup.objects.filter(database=database, has_manifest=False).usable().newest_first()
    found = []
    for backup in rows if backup_id is None else rows.filter(pk=backup_id):
        try:
            with transaction.atomic():
                job = ManifestJob.objects.create(
                    database=database, backup=backup, requested_at=at, queued_at=at
                )
                if by_worker:
                    _send(job.pk)
        except IntegrityError:
            # One is under way.
            continue
        found.append(job)
    if not found:
        raise NoManifestMissing
    return found


def cancel_manifest(*, manifest_id: int, at: datetime) -> ManifestJob:
    """Call a recording off. What was read of it so far serves the next one.

    :raises ManifestOver: if it is over
    """
    with transaction.atomic():
        job: ManifestJob = ManifestJob.objects.select_for_update().get(pk=manifest_id)
        if job.state in (JobState.SUCCEEDED, JobState.CANCELLED, JobState.FAILED):
            raise ManifestOver
        if job.state == JobState.RUNNING:
            # Its worker notices within seconds.
            job.cancel_requested_at = job.cancel_requested_at or at
        else:
            job.state, job.ended_at = JobState.CANCELLED, at
        job.save(update_fields=["state", "ended_at", "cancel_requested_at"])
    return job


def _send(manifest_id: int) -> None:
    # A function, not a partial: Django asks a robust hook that failed for its name.
    def send() -> None:
        tasks.advance_manifest.delay(manifest_id=manifest_id)

    # Robust: with the broker away the job waits in its table, and the beat sends it again.
    transaction.on_commit(send, robust=True)
