"""What is on record: databases, backups, restores."""

from typing import TypeVar

from django.db.models import Case, Count, Model, OuterRef, Q, QuerySet, Subquery, When

from backups.models import (
    Backup,
    BackupQuerySet,
    Database,
    Estimate,
    JobState,
    ManifestJob,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    StorageLocation,
    Tenant,
    TenantRestore,
    TenantRestoreState,
    VerificationCheck,
)
from incidents.errors import Refused

Row = TypeVar("Row", bound=Model)


class NotRegistered(Refused):
    code = "not-registered"
    message = "There is nothing of this name."


def databases() -> "list[Database]":
    """Return the registered databases by name, with their storage."""
    return list(Database.objects.select_related("storage").order_by("name"))


def past_databases() -> "QuerySet[Database]":
    """Return the databases that are not registered any more, the one that went last first."""
    rows = Database.everything.filter(unregistered_at__isnull=False)
    return rows.order_by("-unregistered_at", "-id")


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


def recovery_targets() -> "list[tuple[RecoveryTarget, RestoreJob | None]]":
    """Return the recovery targets by name, each with the restore that has it."""
    having = RestoreJob.objects.filter(
        state__in=[JobState.QUEUED, JobState.RUNNING, JobState.PAUSED]
    )
    by_target = {job.target_id: job for job in having}
    rows = RecoveryTarget.objects.order_by("name")
    return [(target, by_target.get(target.pk)) for target in rows]


def storage_locations() -> "list[StorageLocation]":
    """Return the storage locations by name, with the databases whose backups lie there.

    Those whose archive it is are its ``databases``, those of which it holds a copy its
    ``copied_databases``.
    """
    rows = StorageLocation.objects.order_by("name")
    return list(rows.prefetch_related("databases", "copied_databases"))


def storage_location_named(name: str) -> StorageLocation:
    """Return the storage location.

    :raises NotRegistered: if there is no such location
    """
    return _named(StorageLocation, name)


def tenant_named(database_id: int, name: str) -> Tenant:
    """Return a tenant of a database by its public code, or by its database's name.

    :raises NotRegistered: if it has none of this name
    """
    rows = Tenant.objects.filter(database_id=database_id)
    found = rows.filter(Q(public_code=name) | Q(name=name)).first()
    if found is None:
        raise NotRegistered(f"This database has no tenant named {name!r}.")
    return found


def check_named(database_id: int, name: str) -> VerificationCheck:
    """Return a check that staff wrote for a database.

    :raises NotRegistered: if it has none of this name
    """
    rows = VerificationCheck.objects.filter(database_id=database_id)
    found = rows.filter(name=name).first()
    if found is None:
        known = ", ".join(rows.order_by("name").values_list("name", flat=True))
        raise NotRegistered(f"There is no check named {name!r}. Known: {known or 'none'}.")
    return found


def tenants_of(database_id: int, *, named: str = "") -> "QuerySet[Tenant]":
    """Return the tenants of a database in the order in which they come back.

    With ``named``, those in whose name or public code these words stand.
    """
    rows = Tenant.objects.filter(database_id=database_id).order_by("priority", "id")
    return rows.filter(Q(name__icontains=named) | Q(public_code__icontains=named))


def tenant_restores(
    restore_id: int, *, state: str = "", named: str = ""
) -> "QuerySet[TenantRestore]":
    """Return the tenants of a restore that brings them back one by one, in the order of turns.

    With ``state`` those in it; with ``named`` those in whose name or public code these words stand.
    Those that wait have ``turn``, counted from 1.
    """
    before = (
        TenantRestore.objects.filter(job_id=restore_id)
        .waiting()
        .filter(Q(place__lt=OuterRef("place")) | Q(place=OuterRef("place"), pk__lte=OuterRef("pk")))
        .order_by()
        .values("job_id")
        .annotate(count=Count("pk"))
        .values("count")
    )
    waits = Q(state=TenantRestoreState.WAITING)
    rows = TenantRestore.objects.filter(job_id=restore_id).in_order().select_related("tenant")
    if state:
        rows = rows.filter(state=state)
    if named:
        rows = rows.filter(
            Q(tenant__name__icontains=named) | Q(tenant__public_code__icontains=named)
        )
    return rows.annotate(turn=Case(When(waits, then=Subquery(before))))


def tenant_counts(restore_id: int) -> dict[str, int]:
    """Return how many tenants of a restore are in each state that any is in."""
    rows = TenantRestore.objects.filter(job_id=restore_id).order_by().values_list("state")
    return dict(rows.annotate(count=Count("pk")))


def tenant_restore_named(restore_id: int, code: str) -> TenantRestore:
    """Return one tenant of a restore by the code that customers see, or by its database's name.

    :raises NotRegistered: if it has none of this name
    """
    rows = TenantRestore.objects.filter(job_id=restore_id).select_related("tenant", "job")
    found = rows.filter(Q(tenant__public_code=code) | Q(tenant__name=code)).first()
    if found is None:
        raise NotRegistered(_why_no_turn(restore_id, code))
    return found


def _why_no_turn(restore_id: int, code: str) -> str:
    job = restore(restore_id)
    known = Tenant.objects.filter(database_id=job.database_id)
    begun = TenantRestore.objects.filter(job_id=restore_id).exists()
    if begun or not known.filter(Q(public_code=code) | Q(name=code)).exists():
        return f"Restore {restore_id} brings back no tenant named {code!r}."
    return (
        f"{job} has given its tenants no turns yet: it does when the rest of the data is verified, "
        "and only if it brings them back one by one. From then on each turn can be changed "
        f"(tenant_restores {restore_id} lists them)."
    )


def backups_of(database_id: int) -> BackupQuerySet:
    """Return the backups that can be used, newest first."""
    return Backup.objects.filter(database_id=database_id).usable().newest_first()


def backup_named(database_id: int, name: str) -> Backup:
    """Return the newest usable backup of this label, or of this name in the engine's catalogue.

    :raises NotRegistered: if there is none
    """
    rows = backups_of(database_id)
    found = rows.filter(Q(label=name) | Q(engine_id=name)).first()
    if found is None:
        known = ", ".join(rows.values_list("label", flat=True)[:10])
        raise NotRegistered(f"There is no backup named {name!r}. Known: {known or 'none'}.")
    return found


def manifest_jobs(database_id: int) -> "QuerySet[ManifestJob]":
    """Return the recordings of a database's manifests that are not over or failed, oldest first."""
    over = (JobState.SUCCEEDED, JobState.CANCELLED)
    rows = ManifestJob.objects.filter(database_id=database_id, backup__has_manifest=False)
    return rows.exclude(state__in=over).select_related("backup").order_by("pk")


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


def estimates_of(restore_id: int, *, limit: int) -> list[Estimate]:
    """Return what was forecast of a restore, oldest first: all, or so many evenly spread.

    The first and the last are always among them.
    """
    rows = Estimate.objects.filter(job_id=restore_id)
    known = list(rows.order_by("made_at", "id").values_list("pk", flat=True))
    if len(known) > limit:
        known = [known[place * (len(known) - 1) // (limit - 1)] for place in range(limit)]
    return list(rows.filter(pk__in=known).order_by("made_at", "id"))


def attempts_of(restore_id: int) -> list[RestoreAttempt]:
    return list(RestoreAttempt.objects.filter(job_id=restore_id).order_by("number"))


def _named(model: type[Row], name: str) -> Row:
    found = model._default_manager.filter(name=name).first()
    if found is None:
        known = ", ".join(model._default_manager.order_by("name").values_list("name", flat=True))
        kind = model._meta.verbose_name
        raise NotRegistered(f"There is no {kind} named {name!r}. Known: {known or 'none'}.")
    return found
