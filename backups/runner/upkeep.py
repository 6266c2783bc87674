"""Finding the jobs that nobody works at any more."""

import socket
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from backups.models import (
    AttemptOutcome,
    BackupJob,
    CopyJob,
    JobState,
    ManifestJob,
    RestoreAttempt,
    RestoreJob,
)
from backups.models.jobs import OVER, JobQuerySet
from backups.runner.later_parts import begin_later_parts
from backups.runner.lease import living_processes
from backups.runner.telling import (
    TITLE,
    figures_of,
    is_told,
    tell_end,
    tell_requeued,
    tell_still_paused,
)
from incidents.operations.progress import JobEvent, report_event
from incidents.queries import unfinished_reports


def waiting_restores(*, at: datetime) -> list[tuple[int, str]]:
    """Return the restores that want a worker, with their queues, lost ones among them.

    A job is returned again after a while if nobody took it: its message may have been lost.
    """
    for job in _lost(RestoreJob.objects.all(), at=at):
        _forget_estimate(job)
        _note_lost_attempt(job, at=at)
        tell_requeued(job, at=at)
    _let_rested_go_on(at=at)
    begin_later_parts(at=at)
    _tell_untold_ends(at=at)
    waiting = RestoreJob.objects.all().forgotten(at=at)
    found = [(job.pk, job.target.queue) for job in waiting.select_related("target")]
    waiting.filter(pk__in=[pk for pk, _queue in found]).update(queued_at=at)
    return found


def waiting_backups(*, at: datetime) -> list[int]:
    """Return the backups that want a worker; those that lost theirs are queued again."""
    list(_lost(BackupJob.objects.all(), at=at))
    waiting = BackupJob.objects.all().forgotten(at=at)
    found = list(waiting.values_list("pk", flat=True))
    waiting.filter(pk__in=found).update(queued_at=at)
    return found


def waiting_copies(*, at: datetime) -> list[int]:
    """Return the copies that want a worker; those that lost theirs are queued again."""
    list(_lost(CopyJob.objects.all(), at=at))
    waiting = CopyJob.objects.all().forgotten(at=at)
    found = list(waiting.values_list("pk", flat=True))
    waiting.filter(pk__in=found).update(queued_at=at)
    return found


def waiting_manifests(*, at: datetime) -> list[int]:
    """Return the recordings that want a worker; those that lost theirs are queued again."""
    list(_lost(ManifestJob.objects.all(), at=at))
    waiting = ManifestJob.objects.all().forgotten(at=at)
    found = list(waiting.order_by("pk").values_list("pk", flat=True))
    waiting.filter(pk__in=found).update(queued_at=at)
    return found


def _lost(jobs: JobQuerySet, *, at: datetime) -> list[RestoreJob]:
    """Queue the lost jobs again, and return those that this very call queued."""
    taken = []
    for job in jobs.lost(at=at, host=socket.gethostname(), living=living_processes()):
        # At once due: the message of a lost job is long gone.
        due = at - timedelta(minutes=1)
        queued = jobs.filter(pk=job.pk, state=JobState.RUNNING, leased_by=job.leased_by).update(
            state=JobState.QUEUED, leased_by="", leased_until=None, queued_at=due
        )
        if queued:
            taken.append(job)
    return taken


def _forget_estimate(job: RestoreJob) -> None:
    """Drop what the lost worker foresaw: nobody works at it, so neither speed nor end is known."""
    job.eta_low_at = job.eta_high_at = job.rate = None
    RestoreJob.objects.filter(pk=job.pk, state=JobState.QUEUED).update(
        eta_low_at=None, eta_high_at=None, rate=None
    )


def _let_rested_go_on(*, at: datetime) -> None:
    """Queue those whose pause is over, and speak for those that still rest."""
    due = at - timedelta(minutes=1)
    RestoreJob.objects.rested(at=at).update(
        state=JobState.QUEUED, queued_at=due, ended_at=None, pause_at=None, resume_at=None
    )
    # Of one that no worker has had yet, nobody was ever heard. The rest of a staged recovery rests
    # untold until its first part is open.
    is_first, follows = Q(brings_forward=None), Q(brings_forward__state=JobState.SUCCEEDED)
    unheard = Q(heartbeat_at=None) & (is_first | follows)
    resting = RestoreJob.objects.filter(unheard | Q(heartbeat_at__lt=due), state=JobState.PAUSED)
    for job in resting.select_related("database", "backup"):
        RestoreJob.objects.filter(pk=job.pk, state=JobState.PAUSED).update(heartbeat_at=at)
        tell_still_paused(job, at=at)


def _tell_untold_ends(*, at: datetime) -> None:
    """Tell the ends that a worker did not live to tell. Told twice, they are told once."""
    over = RestoreJob.objects.filter(
        state__in=[*OVER, JobState.FAILED],
        incident__isnull=False,
        ended_at__gt=at - timedelta(days=7),
    )
    by_key = {job.key: job for job in over.select_related("database")}
    for key, said in unfinished_reports(by_key).items():
        # A job that has stopped is told as stopped, and its report stays open for the next go.
        if not is_told(by_key[key], said):
            tell_end(by_key[key], at=at)


def _note_lost_attempt(job: RestoreJob, *, at: datetime) -> None:
    with transaction.atomic():
        attempt = RestoreAttempt.objects.filter(
            job=job, worker=job.leased_by, outcome=AttemptOutcome.RUNNING
        ).first()
        if attempt is None:
            return
        # What came after the worker was last heard of was nobody's work.
        heard_at = max(job.heartbeat_at or at, attempt.began_at)
        attempt.outcome, attempt.ended_at = AttemptOutcome.LOST, min(heard_at, at)
        attempt.failure_code = "worker-lost"
        attempt.save(update_fields=["outcome", "ended_at", "failure_code"])
        if job.incident_id is None:
            return
        report_event(
            incident_id=job.incident_id,
            key=job.key,
            title=TITLE,
            event=JobEvent.ATTEMPT_FAILED,
            number=attempt.number,
            progress=figures_of(job, attempts=attempt.number),
            at=at,
        )
