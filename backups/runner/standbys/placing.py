"""What a standby has on its machine: begun with a base, begun anew, and taken away."""

import shutil
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from backups.engines.directory import TargetDirectory
from backups.models import (
    Backup,
    Database,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePoint,
    RestoreStrategy,
    Standby,
    StandbyState,
)
from backups.runner.places import clear_directory, directory_of, workspace_of
from backups.runner.workspace import Workspace

_WORDS_LENGTH = Standby._meta.get_field("trouble").max_length


class BeginAgain(Exception):
    """A standby cannot go on from where it is, and has to begin with a new base; says why."""


def newest_backup(database: Database) -> Backup | None:
    """Return the backup that a standby begins with; None if none can be restored."""
    usable = Backup.objects.filter(database=database, reaches_until_at__isnull=False).usable()
    return usable.newest_first().first()


def base_of(
    *, database: Database, target: RecoveryTarget, backup: Backup, at: datetime
) -> RestoreJob:
    """Write down the restore that unpacks a standby's backup; it waits for a worker.

    :raises IntegrityError: if a restore has the target
    """
    return RestoreJob.objects.create(
        database=database,
        target=target,
        point=RestorePoint.BACKUP,
        backup=backup,
        # It goes on at the byte where its worker died.
        strategy=RestoreStrategy.STAGE,
        reasons="The base of a standby.",
        is_base=True,
        requested_at=at,
        queued_at=at,
    )


def directory_of_standby(standby: Standby) -> TargetDirectory:
    return directory_of(standby.base)


def workspace_of_standby(standby: Standby) -> Workspace:
    return workspace_of(standby.base)


def clear_standby(standby: Standby) -> None:
    """Stop its server and take away what it has on this machine, and nothing else."""
    clear_directory(standby.base, standby.target)
    shutil.rmtree(workspace_of_standby(standby).folder, ignore_errors=True)


def begin_again(standby: Standby, why: str, *, at: datetime) -> None:
    """Begin with the newest backup, unless there is none, or something else is wanted of it."""
    newest = newest_backup(standby.database)
    # From here on nobody can bring it up.
    is_ours = newest is not None and _tended(standby).update(
        state=StandbyState.RESTORING, warm_until_at=None
    )
    if newest is None or not is_ours:
        return
    clear_standby(standby)
    with transaction.atomic():
        base = base_of(database=standby.database, target=standby.target, backup=newest, at=at)
        # At once due: nobody has been sent for it, and the beat sends a worker.
        base.queued_at = at - timedelta(minutes=1)
        base.save(update_fields=["queued_at"])
        begun = _tended(standby).update(
            base=base,
            behind_since_at=None,
            behind_bytes=0,
            unfetched_bytes=0,
            again_bytes=0,
            trouble="",
            trouble_since_at=None,
            times_begun=F("times_begun") + 1,
            begun_again_at=at,
            begun_again_because=why[:_WORDS_LENGTH],
        )
        if not begun:
            # Somebody has asked to take it away meanwhile, and there is nothing left to take.
            transaction.set_rollback(True)


def _tended(standby: Standby) -> "QuerySet[Standby]":
    """Return its row as long as it is to follow: whoever wants something else changes its state."""
    return Standby.objects.filter(
        pk=standby.pk, state__in=[StandbyState.RESTORING, StandbyState.FOLLOWING]
    )


def is_under_way(job: RestoreJob) -> bool:
    """Whether a base is still being made."""
    return job.state in (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)
