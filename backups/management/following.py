"""Working at a copy from the command line, and telling it in lines."""

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone

from backups import queries, runner
from backups.management.telling import told_meanwhile
from backups.models import CopyJob, JobState, ReplicaState
from backups.options.words import amount


def told(job: CopyJob) -> str:
    """Return one line that says how far a copy is."""
    words = [f"{job}: {job.get_state_display()}, {job.get_phase_display()}"]
    if job.objects_total is not None:
        words.append(f"{job.objects_done} of {job.objects_total} objects")
        words.append(f"{amount(job.bytes_done)} of {amount(job.bytes_total or 0)}")
    elif job.objects_done:
        words.append(f"{job.objects_done} objects listed")
    if job.rate and job.state == JobState.RUNNING:
        words.append(f"{amount(job.rate)}/s")
    if job.failure_advice:
        words.append(job.failure_advice)
    return ", ".join(words)


def follow_copy(copy_id: int, out: OutputWrapper) -> None:
    """Work at a copy until it is over or rests, saying how far it is.

    :raises CommandError: if it has failed
    """

    def say() -> str:
        job = CopyJob.objects.filter(pk=copy_id).first()
        return told(job) if job is not None else ""

    with told_meanwhile(say, out) as ended:
        job = queries.copy_job(copy_id)
        while job.state in {JobState.QUEUED, JobState.RUNNING}:
            runner.run_copy(copy_id=copy_id, now=timezone.now)
            job = queries.copy_job(copy_id)
            if job.state in {JobState.QUEUED, JobState.RUNNING}:
                ended.wait(1)  # A worker has it.
    if job.failure_code or job.state == JobState.CANCELLED:
        raise CommandError(told(job))
    out.write(told(job))
    state = ReplicaState.objects.filter(
        database=job.database_id, location=job.destination_id
    ).first()
    if state is not None and not state.missing_objects:
        out.write(f"{job.destination} holds everything: {_objects(state.objects_there)}.")


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"
