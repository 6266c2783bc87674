"""Changing the course of a restore that is under way: pause it, plan a pause, change its plan.

What has been fetched is never given up: a worker that takes the job again finds it on the disk, and
uses what still serves.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.models import User
from backups import queries, runner
from backups.models import (
    Backup,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePhase,
    RestorePoint,
    RestoreStrategy,
)
from backups.operations.decisions import note_decision
from backups.operations.restores import TargetBusy, send, waits_for_first
from backups.operations.warm import NoStandby, require_no_base
from backups.operations.wishes import (
    end_of,
    require_in_order,
    require_lanes,
    require_point,
    require_ready,
    require_source,
    require_strategy,
)
from incidents.errors import Refused


class NotPausable(Refused):
    code = "restore-not-pausable"
    message = "Only a restore that waits for a worker or runs can be paused."


class PauseBackwards(Refused):
    code = "pause-backwards"
    message = "A pause ends after it begins and lies ahead. Give a later end, or none."


class NotPivotable(Refused):
    code = "restore-not-pivotable"
    message = "What has come back is opened already. Ask for a new restore instead."


class NothingChanged(Refused):
    code = "plan-not-changed"
    message = "This is the plan that it follows already. Change something, or leave it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a restore follows: up to where, from where, by which strategy, and where to."""

    point: RestorePoint
    target_at: datetime | None
    backup_id: int | None
    strategy: RestoreStrategy
    source_id: int | None
    recovery_target_id: int
    lanes: int | None

    @classmethod
    def of(cls, job: RestoreJob) -> "Course":
        """Return the course that a restore follows now."""
        point = RestorePoint(job.point)
        return cls(
            point=point,
            target_at=job.target_at,
            backup_id=job.backup_id if point == RestorePoint.BACKUP else None,
            strategy=RestoreStrategy(job.strategy),
            source_id=job.source_id,
            recovery_target_id=job.target_id,
            lanes=job.lanes,
        )


def pause_restore(
    *,
    restore_id: int,
    at: datetime,
    by: User | None = None,
    begins_at: datetime | None = None,
    ends_at: datetime | None = None,
    reasons: str = "",
) -> RestoreJob:
    """Let a restore rest: from now on or from ``begins_at``, until somebody resumes or ``ends_at``.

    A planned pause (the team's rest) is part of what is estimated. Pausing again replaces the
    pause that was planned.

    :raises NotPausable: if it neither waits for a worker nor runs
    :raises PauseBackwards: if it would end before it begins, or has ended already
    """
    begins_at = begins_at or at
    if ends_at is not None and ends_at <= max(begins_at, at):
        raise PauseBackwards
    with transaction.atomic():
        job = _locked(restore_id)
        if job.state not in (JobState.QUEUED, JobState.RUNNING) or job.cancel_requested_at:
            raise NotPausable
        job.pause_at, job.resume_at = begins_at, ends_at
        if job.state == JobState.QUEUED and job.is_to_pause(at):
            job.state = JobState.PAUSED
            # Nobody works at it: when it would have ended is not known any more.
            job.eta_low_at = job.eta_high_at = None
        job.save(update_fields=["pause_at", "resume_at", "state", "eta_low_at", "eta_high_at"])
        if job.state == JobState.PAUSED:
            runner.tell_paused(job, at=at)
        note_decision(job, _said_of_pause(begins_at, ends_at, at), reasons, by=by, at=at)
    return job


def pivot_restore(
    *, restore_id: int, course: Course, at: datetime, by: User | None = None, reasons: str = ""
) -> RestoreJob:
    """Let a restore go on by another plan, with every byte that it has and that still serves.

    Its worker stops where it is, and the next one plans anew.

    :raises NotPivotable: if it is over, is to end, or its cluster is opened already
    :raises RestoreMakesBase: if a standby's base is made by it
    :raises NothingChanged: if it follows this course already
    :raises TargetBusy: if another restore has the new recovery target
    :raises Refused: if what is asked for anew cannot be reached, as ``request_restore`` has it
    """
    try:
        with transaction.atomic():
            job = _locked(restore_id)
            require_no_base(job)
            late = job.phase in (RestorePhase.TENANTS, RestorePhase.READY)
            if job.is_over or job.cancel_requested_at or late:
                raise NotPivotable
            if Course.of(job) == course:
                raise NothingChanged
            _require_way(job, course, at=at)
            _take_course(job, course, at=at)
            job.save()
            if job.state != JobState.PAUSED:
                runner.tell_pivoted(job, at=at)
            note_decision(job, "The plan of the restore is changed.", reasons, by=by, at=at)
            if job.state == JobState.QUEUED:
                send(job)
    except IntegrityError as error:
        if "restorejob_has_its_target_alone" not in str(error):
            raise
        raise TargetBusy from error
    return job


def _require_way(job: RestoreJob, course: Course, *, at: datetime) -> None:
    """Refuse what is known not to lead there; only what changes is looked at."""
    goes_elsewhere = (job.point, job.target_at) != (course.point, course.target_at)
    if course.point == RestorePoint.HERE:
        if job.continues_id is None:
            raise NoStandby
    elif goes_elsewhere and course.point != RestorePoint.BACKUP:
        require_point(job.database, course.target_at, source_id=course.source_id)
    _require_order(job, course)
    require_source(job.database, course.source_id)
    require_strategy(job.database, course.strategy)
    require_lanes(course.lanes)
    if job.target_id != course.recovery_target_id:
        target = RecoveryTarget.objects.get(pk=course.recovery_target_id)
        require_ready(target, job.backup, replaces="", at=at)


def _require_order(job: RestoreJob, course: Course) -> None:
    """Keep the two parts of a staged recovery in their order."""
    backup = Backup.objects.filter(pk=course.backup_id).first() if course.backup_id else None
    ends = end_of(course.point, course.target_at, backup)
    if job.brings_forward is not None:
        require_in_order(first=_end_of(job.brings_forward), rest=ends)
    for rest in job.later_parts.unfinished().select_related("backup"):
        if rest.point != RestorePoint.LATEST:
            require_in_order(first=ends, rest=_end_of(rest))


def _end_of(job: RestoreJob) -> datetime | None:
    if job.state == JobState.SUCCEEDED:
        return job.data_until_at
    return end_of(RestorePoint(job.point), job.target_at, job.backup)


def _take_course(job: RestoreJob, course: Course, *, at: datetime) -> None:
    if job.target_id != course.recovery_target_id:
        # The first place that it leaves is the one where something may lie.
        former = job.moved_from or job.target
        job.moved_from = None if former.pk == course.recovery_target_id else former
        job.target = RecoveryTarget.objects.get(pk=course.recovery_target_id)
        # The name that was typed is of the other directory.
        job.replaces = ""
    goes_elsewhere = (job.point, job.target_at) != (course.point, course.target_at)
    if goes_elsewhere or course.point == RestorePoint.BACKUP:
        job.data_until_at = None
    job.point, job.target_at = course.point, course.target_at
    job.backup_id = course.backup_id
    job.strategy, job.source_id, job.lanes = course.strategy, course.source_id, course.lanes
    if job.state == JobState.RUNNING:
        # A pause that is over at once: the worker stops, and the job is queued again.
        job.pause_at, job.resume_at = at, at + timedelta(microseconds=1)
    else:
        job.state, job.queued_at, job.ended_at = JobState.QUEUED, at, None
        job.failure_code = job.failure_advice = ""
        job.pause_at = job.resume_at = None
        if waits_for_first(job):
            # The rest of a staged recovery begins by itself, and not before its first part is open.
            job.state, job.pause_at = JobState.PAUSED, job.requested_at


def _locked(restore_id: int) -> RestoreJob:
    rows = RestoreJob.objects.select_for_update(of=("self",))
    try:
        job: RestoreJob = rows.select_related("database", "target", "backup").get(pk=restore_id)
    except RestoreJob.DoesNotExist as error:
        raise queries.NotRegistered(f"There is no restore number {restore_id}.") from error
    return job


def _said_of_pause(begins_at: datetime, ends_at: datetime | None, at: datetime) -> str:
    begins = "now" if begins_at <= at else f"from {begins_at:%Y-%m-%d %H:%M} UTC"
    ends = f"until {ends_at:%Y-%m-%d %H:%M} UTC" if ends_at else "until somebody resumes it"
    return f"The restore pauses {begins}, {ends}."
