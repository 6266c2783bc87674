"""Working at a restore from the command line, and telling it in lines."""

import threading

from django.core.management.base import CommandError, OutputWrapper
from django.db import connection
from django.utils import timezone

from backups import queries, runner
from backups.models import JobState, RestoreJob
from backups.operations.restores import send


def told(job: RestoreJob) -> str:
    """Return one line that says how far a restore is."""
    words = [f"{job}: {job.get_state_display()}, {job.get_phase_display()}"]
    if job.total:
        words.append(f"{job.done * 100 // job.total} %")
    if job.waiting_for:
        words.append(f"waiting for the {job.waiting_for}")
    if job.eta_low_at and job.eta_high_at:
        low, high = job.eta_low_at, job.eta_high_at
        ends = "%H:%M" if low.date() == high.date() else "%Y-%m-%d %H:%M"
        words.append(f"done between {low:%Y-%m-%d %H:%M} and {high:{ends}} UTC")
    if job.state == JobState.SUCCEEDED and job.data_until_at:
        how = "verified" if job.accepted_at is None else "opened although checks failed"
        words.append(f"{how}, everything up to {job.data_until_at:%Y-%m-%d %H:%M:%S.%f} UTC")
    if job.failure_advice:
        words.append(job.failure_advice)
    return ", ".join(words)


def follow_restore(restore_id: int, out: OutputWrapper) -> None:
    """Work at a restore until it is over or has stopped, saying how far it is.

    :raises CommandError: if it has stopped
    """
    ended = threading.Event()
    teller = threading.Thread(target=_tell_now_and_then, args=(restore_id, out, ended))
    teller.start()
    try:
        job = queries.restore(restore_id)
        while job.state in {JobState.QUEUED, JobState.RUNNING}:
            runner.run_restore(restore_id=restore_id, now=timezone.now)
            ended.wait(1)  # A worker may have it, or the next attempt may be due.
            _send_others(restore_id)
            job = queries.restore(restore_id)
    finally:
        ended.set()
        teller.join()
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


def _tell_now_and_then(restore_id: int, out: OutputWrapper, ended: threading.Event) -> None:
    try:
        while not ended.wait(2):
            out.write(told(queries.restore(restore_id)))
    finally:
        connection.close()
