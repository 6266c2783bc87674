"""Questions about databases, backups and restores; reading only."""

from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from backups.models import (
    Backup,
    BackupQuerySet,
    Database,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    StorageLocation,
    Tenant,
)
from incidents.errors import Refused

Row = TypeVar("Row", bound=Model)


class NotRegistered(Refused):
    code = "not-registered"
    message = "There is nothing of this name."


def databases() -> "list[Database]":
    """Return the registered databases by name, with their storage."""
    return list(Database.objects.select_related("storage").order_by("name"))


def database_named(name: str) -> Database:
    """Return the database.

    :raises NotRegistered: if there is no such database
    """
    return _named(Database, name)


def recovery_target_named(name: str) -> RecoveryTarget:
    """Return the recovery target.

    :raises NotRegistered: if there is no such target
    """
    return _named(RecoveryTarget, name)


def storage_location_named(name: str) -> StorageLocation:
    """Return the storage location.

    :raises NotRegistered: if there is no such location
    """
    return _named(StorageLocation, name)


def tenants_of(database_id: int, *, named: str = "") -> "QuerySet[Tenant]":
    """Return the tenants of a database in the order in which they come back.

    With ``named``, those in whose name or public code these words stand.
    """
    rows = Tenant.objects.filter(database_id=database_id).order_by("priority", "id")
    return rows.filter(Q(name__icontains=named) | Q(public_code__icontains=named))


def backups_of(database_id: int) -> BackupQuerySet:
    """Return the backups that can be used, newest first."""
    return Backup.objects.filter(database_id=database_id).usable().newest_first()


def restore(restore_id: int) -> RestoreJob:
    """Return one restore with what a page shows of it.

    :raises NotRegistered: if there is none
    """
    rows = RestoreJob.objects.select_related("database", "target", "backup", "incident")
    try:
        found: RestoreJob = rows.prefetch_related("steps", "attempts").get(pk=restore_id)
    except RestoreJob.DoesNotExist as error:
        raise NotRegistered(f"There is no restore number {restore_id}.") from error
    return found


def restores(*, limit: int = 50) -> list[RestoreJob]:
    """Return the newest restores."""
    rows = RestoreJob.objects.select_related("database", "target", "backup", "incident")
    return list(rows.newest_first()[:limit])


def attempts_of(restore_id: int) -> list[RestoreAttempt]:
    return list(RestoreAttempt.objects.filter(job_id=restore_id).order_by("number"))


def _named(model: type[Row], name: str) -> Row:
    found = model._default_manager.filter(name=name).first()
    if found is None:
        known = ", ".join(model._default_manager.order_by("name").values_list("name", flat=True))
        kind = model._meta.verbose_name
        raise NotRegistered(f"There is no {kind} named {name!r}. Known: {known or 'none'}.")
    return found
