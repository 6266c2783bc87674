"""Asking for restores, and changing one's mind."""

from contextlib import suppress
from datetime import datetime

from django.db import IntegrityError, transaction

from backups import runner, tasks
from backups.models import Database, JobState, RecoveryTarget, RestoreJob
from backups.operations.backups import CatalogueUnreadable, sync_backups
from incidents.errors import Refused
from incidents.queries import has_incident


class NoBackup(Refused):
    code = "no-backup"
    message = "There is no finished backup of this database. Take or copy one, then ask again."


class PointOutOfReach(Refused):
    code = "point-out-of-reach"
    message = "This moment cannot be restored."


class NoSuchIncident(Refused):
    code = "no-such-incident"
    message = "There is no incident of this number. Give the number behind INC-."


class TargetBusy(Refused):
    code = "recovery-target-busy"
    message = (
        "Another restore uses this recovery target. Wait for it, cancel it, or choose another."
    )


class NotResumable(Refused):
    code = "restore-not-resumable"
    message = "Only a restore that has stopped can be resumed."


class NotCancellable(Refused):
    code = "restore-not-cancellable"
    message = "This restore is over already."


def request_restore(
    *,
    database_id: int,
    recovery_target_id: int,
    at: datetime,
    target_at: datetime | None = None,
    incident_id: int | None = None,
    by_worker: bool = True,
) -> RestoreJob:
    """Queue a restore to a moment, or to the latest that is archived.

    Without ``by_worker`` nobody is sent: the caller works at it, and if it does not, the beat sends
    a worker.

    The archive is looked at first, if it answers: a moment that cannot be reached is refused here.
    If the storage is away, the job is queued all the same, waits for it, and finds out then.

    :raises NoBackup: if there is nothing to restore from
    :raises PointOutOfReach: naming the nearest moment that can be reached
    :raises TargetBusy: if another restore has the recovery target
    :raises NoSuchIncident: if the incident is not there
    """
    if incident_id is not None and not has_incident(incident_id):
        raise NoSuchIncident
    # A storage that does not answer is no refusal: the job waits for it, and finds out then.
    with suppress(CatalogueUnreadable):
        _require_reachable(sync_backups(database_id=database_id, at=at), target_at)
    database = Database.objects.get(pk=database_id)
    target = RecoveryTarget.objects.get(pk=recovery_target_id)
    try:
        with transaction.atomic():
            job = RestoreJob.objects.create(
                database=database,
                target=target,
                incident_id=incident_id,
                target_at=target_at,
                requested_at=at,
                queued_at=at,
            )
            runner.tell_queued(job, at=at)
            if by_worker:
                _send(job)
    except IntegrityError as error:
        if "restorejob_has_its_target_alone" not in str(error):
            raise
        raise TargetBusy from error
    return job


def resume_restore(*, restore_id: int, at: datetime, by_worker: bool = True) -> RestoreJob:
    """Queue a stopped restore again. It goes on where it stopped.

    :raises NotResumable: if it has not stopped
    :raises TargetBusy: if another restore has the recovery target by now
    """
    try:
        with transaction.atomic():
            queued = RestoreJob.objects.filter(pk=restore_id, state=JobState.FAILED).update(
                state=JobState.QUEUED, queued_at=at, ended_at=None,
                failure_code="", failure_advice="",
            )  # fmt: skip
            if not queued:
                raise NotResumable
            job: RestoreJob = RestoreJob.objects.select_related("target").get(pk=restore_id)
            if by_worker:
                _send(job)
    except IntegrityError as error:
        raise TargetBusy from error
    return job


def cancel_restore(*, restore_id: int, at: datetime) -> RestoreJob:
    """Ask for a restore's end. Its worker stops, and takes back what it put at the recovery target.

    :raises NotCancellable: if it is over
    """
    with transaction.atomic():
        job: RestoreJob = RestoreJob.objects.select_for_update().get(pk=restore_id)
        if job.is_over:
            raise NotCancellable
        job.cancel_requested_at = job.cancel_requested_at or at
        if job.state != JobState.RUNNING:
            job.state, job.queued_at, job.failure_code, job.ended_at = JobState.QUEUED, at, "", None
        job.save(
            update_fields=["cancel_requested_at", "state", "queued_at", "failure_code", "ended_at"]
        )
        _send(job)
    return job


def _require_reachable(database: Database, target_at: datetime | None) -> None:
    earliest, latest = database.earliest_restorable_at, database.latest_restorable_at
    if earliest is None or latest is None:
        raise NoBackup
    if target_at is None:
        return
    if target_at < earliest:
        raise PointOutOfReach(
            f"The earliest point that can be restored is {_told(earliest)}, "
            "the end of the first backup. Ask for that or a later one."
        )
    if target_at > latest:
        raise PointOutOfReach(
            f"The latest point that can be restored is {_told(latest)}, the last archived change. "
            "Ask for that or an earlier one, or for the latest."
        )


def _send(job: RestoreJob) -> None:
    pk, queue = job.pk, job.target.queue

    # A function, not a partial: Django asks a robust hook that failed for its name.
    def send() -> None:
        tasks.advance_restore.apply_async(kwargs={"restore_id": pk}, queue=queue)

    # Robust: with the broker away the job waits in its table, and the beat sends it again.
    transaction.on_commit(send, robust=True)


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")
