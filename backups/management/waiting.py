"""Working at a restore from the command line, and telling it in lines."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone

from backups import queries, runner
from backups.management.telling import told_meanwhile
from backups.models import AttemptOutcome, JobState, RestoreJob
from backups.operations.restores import send, waits_for_first
from backups.options.words import duration

# So long a worker that took over may have nothing to show but what was there.
_BEGINS_FOR = timedelta(minutes=1)


def told(job: RestoreJob) -> str:
    """Return one line that says how far a restore is."""
    words = [f"{job}: {job.get_state_display()}, {job.get_phase_display()}"]
    if job.total:
        words.append(f"{job.done * 100 // job.total} %")
    at = timezone.now()
    words += [*_told_of_now(job, at=at), *_told_of_pause(job, at=at)]
    if job.state == JobState.SUCCEEDED and job.data_until_at:
        how = "verified" if job.accepted_at is None else "opened although checks failed"
        words.append(f"{how}, everything up to {job.data_until_at:%Y-%m-%d %H:%M:%S.%f} UTC")
    if job.failure_advice:
        words.append(job.failure_advice)
    return ", ".join(words)


def _told_of_now(job: RestoreJob, *, at: datetime) -> Iterator[str]:
    """Say what keeps it, and when it is done."""
    if job.is_silent(at=at):
        yield f"no news of its worker since {job.heartbeat_at:%H:%M:%S} UTC"
        yield "another goes on when its lease runs out"
    elif job.state == JobState.RUNNING and job.waiting_for:
        yield f"waiting for the {job.waiting_for}"
    elif job.has_eta:
        assert job.eta_low_at is not None
        assert job.eta_high_at is not None
        low, high = job.eta_low_at, job.eta_high_at
        ends = "%H:%M" if low.date() == high.date() else "%Y-%m-%d %H:%M"
        yield f"done between {low:%Y-%m-%d %H:%M} and {high:{ends}} UTC"
    else:
        yield from _told_of_beginning(job, at=at)


def _told_of_beginning(job: RestoreJob, *, at: datetime) -> Iterator[str]:
    """Say that a worker has only just taken over from another: for a while nothing advances."""
    attempt = max(job.attempts.all(), key=lambda each: each.number, default=None)
    if attempt is None or attempt.outcome != AttemptOutcome.RUNNING or attempt.number == 1:
        return
    if job.rate is None and at - attempt.began_at < _BEGINS_FOR:
        ago = duration(at - attempt.began_at)
        yield f"attempt {attempt.number} began {ago} ago and takes up what was there"


def _told_of_pause(job: RestoreJob, *, at: datetime) -> Iterator[str]:
    """Say what becomes of a pause."""
    until = "until it is resumed"
    if job.resume_at is not None:
        until = f"until {job.resume_at:%Y-%m-%d %H:%M} UTC"
    elif waits_for_first(job):
        until = f"until {job.brings_forward} is open"
    match job.pause_stage(at=at):
        case "rests":
            yield until
        case "goes on":
            yield "its rest is over: it goes on within seconds"
        case "changes plan":
            yield "goes on by another plan within seconds"
        case "comes to rest":
            yield f"about to pause {until}"
        case "planned":
            yield f"to pause from {job.pause_at:%Y-%m-%d %H:%M} UTC {until}"


def follow_restore(restore_id: int, out: OutputWrapper) -> None:
    """Work at a restore until it is over or has stopped, saying how far it is.

    :raises CommandError: if it has stopped
    """
    with told_meanwhile(lambda: told(queries.restore(restore_id)), out) as ended:
        job = queries.restore(restore_id)
        while job.state in {JobState.QUEUED, JobState.RUNNING}:
            runner.run_restore(restore_id=restore_id, now=timezone.now)
            ended.wait(1)  # A worker may have it, or the next attempt may be due.
            _send_others(restore_id)
            job = queries.restore(restore_id)
    if job.state != JobState.SUCCEEDED:
        raise CommandError(told(job))
    out.write(told(job))
    # The rest of a staged recovery begins when its first part is open.
    for later in job.later_parts.unfinished().values_list("pk", flat=True):
        follow_restore(later, out)


def _send_others(restore_id: int) -> None:
    """Stand in for the beat: send a worker to whatever wants one, but for what is worked at here.

    The look marks all that it returns as sent.
    """
    for waiting, _queue in runner.waiting_restores(at=timezone.now()):
        if waiting != restore_id:
            send(queries.restore(waiting))
