"""Carrying drills: a real restore to a scratch target, timed, judged, and taken away again."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.urls import reverse

from backups import schedules
from backups.models import (
    Backup,
    BackupPolicy,
    Database,
    Drill,
    DrillAlarm,
    DrillState,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestoreStrategy,
    Standby,
)
from backups.options import Point, RecoveryOption, make_board
from backups.options.words import duration
from backups.runner.alerting.declaring import declare_once, key_of
from backups.runner.due import is_beyond
from backups.runner.options import read_facts
from backups.runner.places import clear_scratch
from backups.runner.verification import has_rows
from incidents.models import Incident
from incidents.values import IncidentKind, Severity

logger = logging.getLogger(__name__)

# One that takes so many times what was forecast, and at least so long, will not pass any more.
PATIENCE = 4.0
LEAST_PATIENCE = timedelta(hours=12)
_MOST_OF_LOG = 200


def begin_drill(
    *, database: Database, target: RecoveryTarget, by_id: int | None, at: datetime
) -> Drill:
    """Write a drill down with its restore, which waits for a worker. In the caller's transaction.

    :raises IntegrityError: if the database has a drill, or the target a restore
    """
    option = _option(database, target, at=at)
    job = RestoreJob.objects.create(
        database=database,
        target=target,
        strategy=RestoreStrategy(option.strategy) if option else RestoreStrategy.STAGE,
        source_id=option.place.id if option and not option.place.is_own else None,
        reasons="A drill.",
        is_scratch=True,
        requested_at=at,
        queued_at=at,
    )
    return Drill.objects.create(
        database=database,
        target=target,
        restore=job,
        backup=Backup.objects.filter(database=database).usable().newest_first().first(),
        requested_at=at,
        requested_by_id=by_id,
        low_seconds=option.seconds.low if option else None,
        middle_seconds=option.seconds.middle if option else None,
        high_seconds=option.seconds.high if option else None,
    )


def _option(database: Database, target: RecoveryTarget, *, at: datetime) -> RecoveryOption | None:
    """Return the way to the latest that the board would put first for this target."""
    board = make_board(read_facts(database_id=database.pk, at=at), everything=True)
    fit = (each for each in board.options if each.target.id == target.pk)
    return next((each for each in fit if each.can_start and each.point == Point.LATEST), None)


def begin_due_drills(*, at: datetime) -> list[int]:
    """Begin the drills that their schedules want and whose target is free; return them.

    One that has to wait stays due. However many ask, each begins once.
    """
    wanting = BackupPolicy.objects.filter(
        database__unregistered_at=None, drill_due_at__isnull=False, drill_target__isnull=False
    )
    _bring_back(wanting, at=at)
    due = wanting.filter(drill_due_at__lte=at)
    begun = []
    for policy_id in list(due.order_by("pk").values_list("pk", flat=True)):
        try:
            pk = _begin_if_free(policy_id, at=at)
        except IntegrityError:
            # Somebody was quicker at the target: it waits, and stays due.
            continue
        except Exception:
            # One that stumbles stays due; the others begin all the same.
            logger.exception("policy %s: its drill could not be begun", policy_id)
            continue
        if pk is not None:
            begun.append(pk)
    return begun


def _bring_back(wanting: "QuerySet[BackupPolicy]", *, at: datetime) -> None:
    """Correct what a clock that ran ahead has put off: no drill is due after the next but one."""
    for policy in wanting.filter(drill_due_at__gt=at):
        try:
            later = schedules.next_after(policy.drill_schedule, policy.tz, at)
        except schedules.BadSchedule:
            # It will be said once it is due.
            continue
        if policy.drill_due_at is not None and is_beyond(policy.drill_due_at, later, at=at):
            rows = BackupPolicy.objects.filter(pk=policy.pk, drill_due_at=policy.drill_due_at)
            rows.update(drill_due_at=later)


def is_held(target: RecoveryTarget) -> bool:
    """Whether a restore is at a target or has stopped there, or a cluster of ours still stands."""
    if Standby.objects.filter(target=target).exists():
        return True
    over = [JobState.SUCCEEDED, JobState.CANCELLED]
    jobs = RestoreJob.objects.filter(target=target)
    return (jobs.exclude(state__in=over) | jobs.filter(drill__state=DrillState.CLEARING)).exists()


def _begin_if_free(policy_id: int, *, at: datetime) -> int | None:
    with transaction.atomic():
        # Whoever unregisters its database at this moment is waited for.
        registered = Database.objects.select_for_update(no_key=True, of=("self",))
        if not list(registered.filter(policy__pk=policy_id)):
            return None
        rows = BackupPolicy.objects.select_for_update(of=("self",), skip_locked=True)
        policy = (
            rows.select_related("database__storage", "drill_target")
            .filter(pk=policy_id, drill_due_at__lte=at)
            .first()
        )
        if policy is None or policy.drill_target is None:
            return None
        if is_held(policy.drill_target) or policy.database.drills.filter(ended_at=None).exists():
            return None
        drill = begin_drill(database=policy.database, target=policy.drill_target, by_id=None, at=at)
        policy.drill_due_at = schedules.next_after(policy.drill_schedule, policy.tz, at)
        policy.save(update_fields=["drill_due_at"])
        return drill.pk


def advance_drills(*, at: datetime) -> list[tuple[int, str]]:
    """Judge drills whose restore is over; return those to be cleared, with their queues."""
    for pk in list(Drill.objects.filter(state=DrillState.RUNNING).values_list("pk", flat=True)):
        try:
            _judge(pk, at=at)
        except Exception:
            # It is judged again the next time; the others are now.
            logger.exception("drill %s could not be judged", pk)
    # Where the restore was in the end: somebody may have changed its plan.
    waiting = Drill.objects.filter(state=DrillState.CLEARING, restore__isnull=False)
    return list(waiting.order_by("pk").values_list("pk", "restore__target__queue"))


def _judge(drill_id: int, *, at: datetime) -> None:
    with transaction.atomic():
        rows = Drill.objects.select_for_update(of=("self",), skip_locked=True)
        drill = rows.filter(pk=drill_id, state=DrillState.RUNNING).first()
        if drill is None or drill.restore_id is None:
            return
        jobs = RestoreJob.objects.select_for_update(of=("self",)).select_related("target")
        job: RestoreJob = jobs.get(pk=drill.restore_id)
        if job.state == JobState.SUCCEEDED:
            _judge_restored(drill, job, at=at)
        elif job.state == JobState.CANCELLED:
            drill.state, drill.ended_at = DrillState.CANCELLED, at
            drill.save(update_fields=["state", "ended_at"])
        elif job.state == JobState.FAILED:
            _fail(drill, _why_stopped(job), at=at)
            job.ask_to_end(at=at)
        elif job.waiting_for == "disk":
            _fail(
                drill,
                f"The disk of {job.target} was full before the restore was done. Make room there, "
                "or hold drills at a larger target.",
                at=at,
            )
            job.ask_to_end(at=at)
        elif at - drill.requested_at > _limit(drill):
            waits = f", waiting for {job.waiting_for}" if job.waiting_for else ""
            _fail(
                drill,
                f"It was not done after {duration(at - drill.requested_at)}"
                f" ({job.get_phase_display().lower()}{waits}).",
                at=at,
            )
            job.ask_to_end(at=at)


def _judge_restored(drill: Drill, job: RestoreJob, *, at: datetime) -> None:
    assert job.ended_at is not None
    drill.measured_seconds = (job.ended_at - drill.requested_at).total_seconds()
    # A newer one may have been there by the time that its plan was made.
    drill.backup = job.backup or drill.backup
    drill.save(update_fields=["measured_seconds", "backup"])
    if job.accepted_at is not None:
        _fail(drill, "Checks failed, and somebody opened it all the same.", at=at, clears=True)
    elif job.database.tenants.exists() and not has_rows(job.evidence):
        _fail(drill, "It came back without a row in it: nothing is proven.", at=at, clears=True)
    else:
        drill.words = f"Restored and verified in {duration(job.ended_at - drill.requested_at)}."
        drill.state = DrillState.CLEARING
        drill.save(update_fields=["words", "state"])


def _why_stopped(job: RestoreJob) -> str:
    """Say what stopped a drill's restore, which nobody goes on with: no advice on how to resume."""
    what = job.failure_advice.partition(". ")[0].rstrip(".") or "The restore stopped"
    last = job.attempts.order_by("-number").values_list("detail", flat=True).first() or ""
    return f"{what}. Its log ends: {' '.join(last[-_MOST_OF_LOG:].split())}" if last else f"{what}."


def _limit(drill: Drill) -> timedelta:
    return max(timedelta(seconds=PATIENCE * (drill.high_seconds or 0)), LEAST_PATIENCE)


def _fail(drill: Drill, words: str, *, at: datetime, clears: bool = False) -> None:
    """Let a drill end as failed; with ``clears``, once its cluster is taken away."""
    drill.words = words[:500]
    drill.has_failed = True
    drill.state = DrillState.CLEARING if clears else DrillState.FAILED
    drill.ended_at = None if clears else at
    drill.incident = _declared(drill, at=at)
    drill.save(update_fields=["words", "has_failed", "state", "ended_at", "incident"])


def _declared(drill: Drill, *, at: datetime) -> Incident | None:
    policy = BackupPolicy.objects.filter(database=drill.database).first()
    if drill.database.unregistered_at is not None:
        return None
    if policy is None or policy.drill_alarm == DrillAlarm.NOTHING:
        return None
    title = f"A restore drill of {drill.database} failed"
    is_drill = policy.drill_alarm == DrillAlarm.DRILL
    return declare_once(
        key=f"drill:{drill.database_id}" if is_drill else key_of(drill.database),
        kind=IncidentKind.DRILL if is_drill else IncidentKind.LIVE,
        title=title,
        about=title,
        words=f"{drill.words}{_link(drill)}",
        severity=Severity.SEV3,
        at=at,
    )


def _link(drill: Drill) -> str:
    """Return where its restore can be looked at; empty if it came to none."""
    if drill.restore_id is None:
        return ""
    return f" {settings.DESK_URL}{reverse('backups:restore-detail', args=[drill.restore_id])}"


def clear_drill(*, drill_id: int, at: datetime) -> None:
    """Take a drill's cluster away, which is on this machine; then it is over. Twice is once."""
    drill = Drill.objects.select_related("restore__target", "restore__database").get(pk=drill_id)
    if drill.state != DrillState.CLEARING or drill.restore is None:
        return
    clear_scratch(drill.restore)
    end = DrillState.FAILED if drill.has_failed else DrillState.PASSED
    Drill.objects.filter(pk=drill_id, state=DrillState.CLEARING).update(state=end, ended_at=at)
