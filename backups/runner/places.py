"""Where a restore has its things on this machine, and how they are cleared away."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from backups.engines.directory import TargetDirectory
from backups.models import JobState, RecoveryTarget, RestoreJob
from backups.models.jobs import OVER
from backups.runner.tools import postgres_at
from backups.runner.workspace import Workspace

# A worker that can reach the former place itself has cleared it long before.
LEFT_AFTER = timedelta(minutes=1)


def workspace_of(job: RestoreJob) -> Workspace:
    return Workspace(Path(job.target.work_dir) / job.key)


def directory_of(job: RestoreJob) -> TargetDirectory:
    return _directory_at(job, job.target)


def _directory_at(job: RestoreJob, target: RecoveryTarget) -> TargetDirectory:
    return TargetDirectory(path=Path(target.data_dir), token=job.key)


def rest(job: RestoreJob) -> None:
    """Let a recovery stop that is under way; it goes on from where PostgreSQL wrote it down."""
    if not workspace_of(job).has_passed("opened") and directory_of(job).is_ours():
        postgres_at(job.target).stop()


def clear_directory(job: RestoreJob, target: RecoveryTarget) -> None:
    """Undo what a restore put into a recovery target's directory, and nothing else."""
    directory = _directory_at(job, target)
    if directory.is_ours():
        postgres_at(target).stop(mode="immediate")
        directory.remove()


def clear_former_place(job: RestoreJob) -> None:
    """Undo what a restore that was moved elsewhere left where it was; on that machine only."""
    former = job.moved_from
    if former is None:
        return
    clear_directory(job, former)
    if former.work_dir != job.target.work_dir:
        shutil.rmtree(Path(former.work_dir) / job.key, ignore_errors=True)
    RestoreJob.objects.filter(pk=job.pk, moved_from=former).update(moved_from=None)
    job.moved_from = None


def clear_left_place(*, restore_id: int) -> None:
    """Clear what a restore left on this machine when it went to another. Done already, nothing."""
    rows = RestoreJob.objects.select_related("moved_from", "target", "database")
    clear_former_place(rows.get(pk=restore_id))


def clear_away(job: RestoreJob) -> None:
    """Undo what a restore did to its target, unless it has opened the cluster already."""
    if job.moved_from is not None and job.moved_from.queue == job.target.queue:
        clear_former_place(job)
    workspace, directory = workspace_of(job), directory_of(job)
    if job.is_scratch:
        # Opened or not, it was never handed over.
        clear_scratch(job)
        return
    if workspace.has_passed("opened") or not directory.is_ours():
        workspace.drop_stage()
        return
    clear_directory(job, job.target)
    shutil.rmtree(workspace.folder, ignore_errors=True)


def clear_scratch(job: RestoreJob) -> None:
    """Take a cluster away that was restored for a drill. It was never handed over to anybody."""
    clear_directory(job, job.target)
    shutil.rmtree(workspace_of(job).folder, ignore_errors=True)


def left_places(*, at: datetime) -> list[tuple[int, str]]:
    """Return the restores that left things on another machine, with the queue of its worker."""
    moved = RestoreJob.objects.filter(
        moved_from__isnull=False, state__in=[*OVER, JobState.RUNNING], heartbeat_at__isnull=False
    )
    rows = moved.filter(attempts__began_at__lt=at - LEFT_AFTER, attempts__ended_at=None) | (
        moved.filter(state__in=OVER)
    )
    return [(job.pk, job.moved_from.queue) for job in rows.select_related("moved_from").distinct()]
