"""Asking for backups, and for what the catalogue holds."""

import re
from datetime import datetime

from django.db import transaction

from backups import runner, tasks
from backups.models import BackupJob, BackupKind, Database
from incidents.errors import Refused


class CatalogueUnreadable(Refused):
    code = "catalogue-unreadable"
    message = "The catalogue of backups cannot be read."


class LabelRefused(Refused):
    code = "backup-label-refused"
    message = (
        "A label has letters, digits, points and dashes, and is none of the words by which the "
        "backup tool names backups itself (first, last, latest, oldest, and the like)."
    )


# Whoever asks for the catalogue waits no longer than this.
LONGEST_LOOK_SECONDS = 25
# Words that barman takes for one of its own names.
RESERVED = {"first", "last", "latest", "oldest", "last-failed", "last-full", "latest-full", "auto"}


def take_backup(
    *,
    database_id: int,
    label: str = "",
    kind: BackupKind = BackupKind.FULL,
    at: datetime,
    by_worker: bool = True,
) -> BackupJob:
    """Queue a backup of a running cluster.

    Where its engine cannot take an incremental one, or there is none to build on, it takes a full
    one. Without ``by_worker`` nobody is sent: the caller works at it.

    :raises LabelRefused: if the backup tool would not take the label
    """
    if label in RESERVED or (label and not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", label)):
        raise LabelRefused
    with transaction.atomic():
        job = BackupJob.objects.create(
            database_id=database_id,
            kind=kind,
            label=label or f"backup-{at:%Y%m%dT%H%M%S}",
            requested_at=at,
            queued_at=at,
        )
        if by_worker:
            _send(job.pk)
    return job


def sync_backups(*, database_id: int, at: datetime) -> Database:
    """Read what a database's archive holds now, and which moments can be restored. Takes seconds.

    :raises CatalogueUnreadable: if it cannot be read, saying what to do; what its copies hold is
    written down all the same
    """
    look = runner.look_at_archive(
        database_id=database_id, at=at, budget_seconds=LONGEST_LOOK_SECONDS
    )
    failure = look.faults.get(look.database.storage_id)
    if failure is not None:
        raise CatalogueUnreadable(failure.advice) from failure
    return look.database


def _send(backup_id: int) -> None:
    # A function, not a partial: Django asks a robust hook that failed for its name.
    def send() -> None:
        tasks.advance_backup.delay(backup_id=backup_id)

    # Robust: with the broker away the job waits in its table, and the beat sends it again.
    transaction.on_commit(send, robust=True)
