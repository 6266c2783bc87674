"""Having a database looked at now, instead of when its turn comes."""

import contextlib
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction

from backups import runner, tasks
from backups.errors import EngineFailed
from backups.models import BackupCheck, BackupCheckName, Database
from backups.operations.backups import CatalogueUnreadable, sync_backups
from incidents.errors import Refused


class StorageNotListed(Refused):
    code = "storage-not-listed"
    message = "The storage could not be listed: look at what its probes were told."


class BeingListed(Refused):
    code = "storage-being-listed"
    message = "The storage is being listed just now: look again in a minute."


def list_now(*, database_id: int, at: datetime) -> None:
    """List a database's own storage, and write down what is missing or of another size.

    Takes a second for some thousand objects. Nothing of their content is read.

    :raises StorageNotListed: if it does not answer, saying what to do
    :raises BeingListed: if somebody else is at it
    """
    database = Database.objects.get(pk=database_id)
    try:
        count = runner.read_content(
            database_id=database_id, location_id=database.storage_id, at=at, only_lists=True
        )
    except EngineFailed as failure:
        raise StorageNotListed(failure.advice) from failure
    if count is None:
        raise BeingListed


def ask_to_list(*, database_id: int) -> None:
    """Have a database's own storage listed by a worker, and read what is due of it."""
    place = Database.objects.get(pk=database_id).storage_id

    # A function, not the task itself: Django asks a robust hook that failed for its name.
    def ask() -> None:
        tasks.read_content.delay(database_id=database_id, location_id=place)

    transaction.on_commit(ask, robust=True)


def check_now(
    *, database_id: int, at: datetime, names: Collection[BackupCheckName] = ()
) -> Sequence[BackupCheck]:
    """Read the archive, look with every check or those named, and return what was found.

    Takes seconds. Of objects and probes it goes by what was last written down, and the evidence
    says when that was; ``list_now`` before it lists them anew. An archive that does not answer is
    no reason to say nothing: the checks then say what they can of what is on record, and unknown
    where it is too old.
    """
    with contextlib.suppress(CatalogueUnreadable):
        sync_backups(database_id=database_id, at=at)
    runner.renew_forecast(database_id=database_id, at=at)
    return runner.check_database(database_id=database_id, at=at, names=names)
