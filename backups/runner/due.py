"""Beginning what a policy plans when it is due: once, however many beats run or slept."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from backups import schedules
from backups.models import BackupJob, BackupKind, BackupPolicy, Database, JobState
from backups.queries import window_open

logger = logging.getLogger(__name__)

SKIPPED = "another-runs"
_KINDS = (
    (BackupKind.FULL, "full_schedule", "full_due_at"),
    (BackupKind.INCREMENTAL, "incremental_schedule", "incremental_due_at"),
)
# So far the clocks of two machines may be apart without a backup being made twice.
_CLOCKS_APART = timedelta(minutes=5)
_AT_WORK = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)


def begin_due_backups(*, at: datetime) -> list[int]:
    """Queue the backups that fall due, and return the ids of their jobs.

    Of moments that were missed, one backup is made; of a full and an incremental one, the full one.
    In a maintenance window none begins: what fell due in it begins when it closes. One that finds
    another backup of its database at work is skipped, and says so in a job of its own.
    """
    found = []
    for policy_id in _with_something_due(at=at):
        try:
            job = _begin(policy_id, at=at)
        except schedules.BadSchedule:
            # A row that was written past every check; the others are due all the same.
            logger.exception("policy %s: its schedule cannot be read", policy_id)
            continue
        if job is not None:
            found.append(job.pk)
    return found


def _with_something_due(*, at: datetime) -> list[int]:
    """Return the ids of the policies of which a backup may be due, or whose moment is not right."""
    planned = Q()
    for _kind, schedule, _due in _KINDS:
        planned |= ~Q(**{schedule: ""})
    return [
        policy.pk
        for policy in BackupPolicy.objects.filter(planned, database__unregistered_at=None).order_by(
            "pk"
        )
        if any(_wants_a_look(policy, schedule, due, at=at) for _kind, schedule, due in _KINDS)
    ]


def _wants_a_look(policy: BackupPolicy, schedule: str, due: str, *, at: datetime) -> bool:
    expression, moment = getattr(policy, schedule), getattr(policy, due)
    if not expression:
        return False
    if moment is None or moment <= at:
        return True
    try:
        return is_beyond(moment, schedules.next_after(expression, policy.tz, at), at=at)
    except schedules.BadSchedule:
        # It will be said once it is due.
        return False


def is_beyond(moment: datetime, later: datetime, *, at: datetime) -> bool:
    """Say whether a moment lies beyond the next one: it was worked out by a clock that ran ahead.

    Not while the next one is near: another machine's clock may have come to it a little earlier.
    """
    return moment > later > at + _CLOCKS_APART


def _begin(policy_id: int, *, at: datetime) -> BackupJob | None:
    with transaction.atomic():
        # One beat at a time for a database: the other finds nothing due any more.
        is_registered = list(Database.objects.select_for_update().filter(policy__pk=policy_id))
        policy = BackupPolicy.objects.filter(pk=policy_id).first()
        if not is_registered or policy is None or window_open(policy, at=at) is not None:
            return None
        due = [kind for kind, schedule, due in _KINDS if _claimed(policy, schedule, due, at=at)]
        if not due:
            return None
        at_work = BackupJob.objects.filter(database_id=policy.database_id, state__in=_AT_WORK)
        other = at_work.newest_first().first()
        if other is not None:
            _note_skipped(policy, due[0], other, at=at)
            return None
        return _job(policy, due[0], at=at)


def _claimed(policy: BackupPolicy, schedule: str, due: str, *, at: datetime) -> bool:
    """Take what is due, and say when it is next; False if it is not due, or another took it."""
    expression, was = getattr(policy, schedule), getattr(policy, due)
    if not expression:
        return False
    # From now on, not from when it was due: what was slept through is not made up for one by one.
    later = schedules.next_after(expression, policy.tz, at)
    if was is not None and was > at and not is_beyond(was, later, at=at):
        return False
    rows = BackupPolicy.objects.filter(pk=policy.pk, **{due: was})
    taken = rows.update(**{due: later})
    return bool(taken) and was is not None and was <= at


def _job(policy: BackupPolicy, kind: BackupKind, *, at: datetime, **values: object) -> BackupJob:
    return BackupJob.objects.create(
        database_id=policy.database_id,
        kind=kind,
        label=f"planned-{kind.lower()}-{at:%Y%m%dT%H%M%S}",
        requested_at=at,
        queued_at=at,
        **values,
    )


def _note_skipped(
    policy: BackupPolicy, kind: BackupKind, other: BackupJob, *, at: datetime
) -> None:
    logger.warning("database %s: a backup was due and another runs", policy.database_id)
    _job(
        policy,
        kind,
        at=at,
        state=JobState.CANCELLED,
        ended_at=at,
        failure_code=SKIPPED,
        failure_advice=f"It was due, and {other} was at work: it was left out. Plan backups further"
        " apart if this goes on.",
    )
