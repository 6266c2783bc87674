"""Asking for restores, and changing one's mind."""

from contextlib import suppress
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import User
from backups import queries, runner, tasks
from backups.models import (
    Backup,
    Database,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePoint,
    RestoreStrategy,
)
from backups.operations.backups import CatalogueUnreadable, sync_backups
from backups.operations.decisions import Decision, keep_decision, note_decision
from backups.operations.warm import require_no_base, require_standby, take_standby
from backups.operations.wishes import (
    chosen_backup,
    require_lanes,
    require_point,
    require_ready,
    require_reasons,
    require_source,
    require_strategy,
)
from incidents.errors import Refused
from incidents.queries import has_incident


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
    message = (
        "Only a restore that is paused or has stopped can be resumed, and only a pause that lies "
        "ahead can be withdrawn. Look at the state of this one."
    )


class FirstPartNotOpen(Refused):
    code = "first-part-not-open"
    message = (
        "The first part of this recovery is not open yet. This restore begins by itself as soon "
        "as it is; if the first part has stopped, resume that one."
    )


class NotCancellable(Refused):
    code = "restore-not-cancellable"
    message = "This restore is over already."


def request_restore(
    *,
    database_id: int,
    recovery_target_id: int,
    at: datetime,
    target_at: datetime | None = None,
    ends_with_backup: bool = False,
    backup_id: int | None = None,
    strategy: RestoreStrategy = RestoreStrategy.STAGE,
    source_id: int | None = None,
    lanes: int | None = None,
    reasons: str = "",
    replaces: str = "",
    brings_forward_id: int | None = None,
    from_standby: bool = False,
    as_it_stands: bool = False,
    is_looked_at: bool = False,
    incident_id: int | None = None,
    decision: Decision | None = None,
    by_worker: bool = True,
) -> RestoreJob:
    """Queue a restore to a moment, to the latest that is archived, or to the end of a backup.

    With ``ends_with_backup`` it stops where that backup ended, the newest if none is named. The
    directory of its target is moved aside only if ``replaces`` names it. One that brings another's
    tenants forward rests until that one is open. With ``from_standby`` the standby that is warm at
    the target is brought up; ``as_it_stands`` without asking the archive for more. A ``decision``
    is kept with it, and goes on the timeline with its ``reasons``.

    Without ``by_worker`` nobody is sent: the caller works at it, and if it does not, the beat sends
    a worker.

    The archive is looked at first, if it answers and the caller did not look itself: a moment that
    cannot be reached is refused here. If the storage is away, the job is queued all the same, waits
    for it, and finds out then.

    :raises NoBackup: if there is nothing to restore from
    :raises PointOutOfReach: naming the nearest moment that can be reached
    :raises LogHasHole: if a log file on the way is missing, naming the last moment before it
    :raises BackupNotUsable: if the named backup cannot be restored
    :raises NoSuchSource: if the named place does not hold the objects
    :raises StrategyNotKnown: if the database's engine cannot restore in this way
    :raises TargetBusy: if another restore has the recovery target
    :raises TargetKeepsStandby: if the target is there for a standby that is not asked for
    :raises NoStandby: if one is asked for that is not warm there, or is beyond the moment
    :raises TargetOccupied: if its directory holds something that ``replaces`` does not name
    :raises TargetNotReady: if its machine lacks something
    :raises LanesOutOfRange: if so many tenants cannot come back at once
    :raises ReasonsTooLong: if the reasons cannot be kept
    :raises NoSuchIncident: if the incident is not there
    """
    if incident_id is not None and not has_incident(incident_id):
        raise NoSuchIncident
    if not is_looked_at:
        _look(database_id, target_at, source_id, ends_with_backup=ends_with_backup, at=at)
    database = Database.objects.select_related("storage").get(pk=database_id)
    target = RecoveryTarget.objects.get(pk=recovery_target_id)
    backup = chosen_backup(database, backup_id, source_id=source_id) if ends_with_backup else None
    newest = backup or Backup.objects.filter(database=database).usable().newest_first().first()
    standby = None
    if from_standby:
        standby = require_standby(database, target, target_at)
    else:
        require_ready(target, newest, replaces=replaces, at=at)
    rests = brings_forward_id is not None and not _is_open(brings_forward_id)
    job = RestoreJob(
        database=database,
        target=target,
        incident_id=incident_id,
        point=RestorePoint.HERE
        if standby and as_it_stands
        else _point(target_at, ends_with_backup=ends_with_backup),
        target_at=target_at,
        backup=backup,
        strategy=require_strategy(database, strategy),
        source=require_source(database, source_id),
        lanes=require_lanes(lanes),
        reasons=require_reasons(reasons),
        replaces=replaces,
        brings_forward_id=brings_forward_id,
        continues=standby.base if standby else None,
        data_until_at=standby.warm_until_at if standby and as_it_stands else None,
        requested_at=at,
        queued_at=at,
        state=JobState.PAUSED if rests else JobState.QUEUED,
        pause_at=at if rests else None,
    )
    _queue(job, decision, by_worker=by_worker, at=at)
    return job


def _look(
    database_id: int,
    target_at: datetime | None,
    source_id: int | None,
    *,
    ends_with_backup: bool,
    at: datetime,
) -> None:
    """Look at the archive, and refuse what cannot be reached by what it holds now."""
    # A storage that does not answer is no refusal: the job waits for it, and finds out then.
    with suppress(CatalogueUnreadable):
        database = sync_backups(database_id=database_id, at=at)
        if not ends_with_backup:
            require_point(database, target_at, source_id=source_id)


def _queue(job: RestoreJob, decision: Decision | None, *, by_worker: bool, at: datetime) -> None:
    try:
        with transaction.atomic():
            # Whoever unregisters it at this moment is waited for.
            if not Database.objects.select_for_update(no_key=True).filter(pk=job.database_id):
                raise queries.NotRegistered
            job.save(force_insert=True)
            if job.continues_id is not None:
                take_standby(job)
            if decision is not None:
                keep_decision(job, decision, at=at)
            elif job.reasons and job.brings_forward_id is None:
                # The rest of a staged recovery is asked for with its first part, for one reason.
                words = f"Decided to restore {job.database} to {job.target}."
                note_decision(job, words, job.reasons, by=None, at=at)
            if job.state == JobState.QUEUED:
                runner.tell_queued(job, at=at)
                if by_worker:
                    send(job)
    except IntegrityError as error:
        if "restorejob_has_its_target_alone" not in str(error):
            raise
        raise TargetBusy from error


def _is_open(restore_id: int) -> bool:
    return RestoreJob.objects.filter(pk=restore_id, state=JobState.SUCCEEDED).exists()


def _point(target_at: datetime | None, *, ends_with_backup: bool) -> RestorePoint:
    if ends_with_backup:
        return RestorePoint.BACKUP
    return RestorePoint.LATEST if target_at is None else RestorePoint.MOMENT


def resume_restore(
    *, restore_id: int, at: datetime, by: User | None = None, by_worker: bool = True
) -> RestoreJob:
    """Queue a restore that has stopped or rests again. It goes on from there.

    Of one that goes on, the pause that lies ahead is withdrawn; it then has no ``pause_at``. The
    rest of a staged recovery that has stopped rests again until its first part is open.

    :raises NotResumable: if it has neither stopped nor rests, and no pause of it lies ahead
    :raises FirstPartNotOpen: if it rests for its first part, and begins by itself
    :raises TargetBusy: if another restore has the recovery target by now
    """
    try:
        with transaction.atomic():
            has_rested = RestoreJob.objects.filter(pk=restore_id, state=JobState.PAUSED).exists()
            queued = RestoreJob.objects.filter(
                pk=restore_id, state__in=[JobState.FAILED, JobState.PAUSED]
            ).update(
                state=JobState.QUEUED, queued_at=at, ended_at=None,
                failure_code="", failure_advice="", pause_at=None, resume_at=None,
            )  # fmt: skip
            if not queued:
                return _withdraw_pause(restore_id, at=at, by=by)
            job: RestoreJob = RestoreJob.objects.select_related("target").get(pk=restore_id)
            if waits_for_first(job):
                _rest_again(job, has_rested=has_rested)
            elif by_worker:
                send(job)
    except IntegrityError as error:
        raise TargetBusy from error
    return job


def waits_for_first(job: RestoreJob) -> bool:
    """Say whether it is the rest of a staged recovery whose first part is not open yet."""
    return job.brings_forward_id is not None and not _is_open(job.brings_forward_id)


def _rest_again(job: RestoreJob, *, has_rested: bool) -> None:
    if has_rested:
        raise FirstPartNotOpen
    # Since it was asked for: so it is known for one that begins by itself.
    job.state, job.pause_at = JobState.PAUSED, job.requested_at
    job.save(update_fields=["state", "pause_at"])


def _withdraw_pause(restore_id: int, *, at: datetime, by: User | None) -> RestoreJob:
    withdrawn = RestoreJob.objects.filter(
        pk=restore_id,
        state__in=[JobState.QUEUED, JobState.RUNNING],
        pause_at__gt=at,
        cancel_requested_at=None,
    ).update(pause_at=None, resume_at=None)
    if not withdrawn:
        raise NotResumable
    job: RestoreJob = RestoreJob.objects.get(pk=restore_id)
    note_decision(job, "The pause that was planned is withdrawn.", "", by=by, at=at)
    return job


def cancel_restore(*, restore_id: int, at: datetime) -> RestoreJob:
    """Ask for a restore's end. Its worker stops, and takes back what it put at the recovery target.

    Asked again, it is tried again, where something was in the way.

    :raises NotRegistered: if there is no such restore
    :raises NotCancellable: if it is over
    :raises RestoreMakesBase: if a standby's base is made by it
    :raises TargetBusy: if it has stopped, and another restore has the recovery target by now
    """
    try:
        return _cancel(restore_id, at=at)
    except IntegrityError as error:
        if "restorejob_has_its_target_alone" not in str(error):
            raise
        raise TargetBusy from error


def _cancel(restore_id: int, *, at: datetime) -> RestoreJob:
    with transaction.atomic():
        job: RestoreJob | None = (
            RestoreJob.objects.select_for_update().filter(pk=restore_id).first()
        )
        if job is None:
            raise queries.NotRegistered(f"There is no restore number {restore_id}.")
        if job.is_over:
            raise NotCancellable
        require_no_base(job)
        job.ask_to_end(at=at)
        send(job)
        # What was to follow into its cluster has nowhere to go.
        for later in job.later_parts.unfinished().values_list("pk", flat=True):
            _cancel(later, at=at)
    return job


def send(job: RestoreJob) -> None:
    """Call a worker for a queued restore, once this transaction is through."""
    pk, queue = job.pk, job.target.queue

    # A function, not a partial: Django asks a robust hook that failed for its name.
    def call() -> None:
        tasks.advance_restore.apply_async(kwargs={"restore_id": pk}, queue=queue)

    # Robust: with the broker away the job waits in its table, and the beat sends it again.
    transaction.on_commit(call, robust=True)
