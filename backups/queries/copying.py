"""Copies of archives: under way, and how far second places are behind."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from backups.models import CopyJob, CopyKind, Database, JobState, ReplicaState, StorageLocation
from backups.queries.records import NotRegistered


def copy_jobs(*, database_id: int | None = None) -> "QuerySet[CopyJob]":
    """Return copies, the newest first; those that found nothing to copy are left out."""
    found_nothing = Q(kind=CopyKind.REPLICATION, state=JobState.SUCCEEDED, objects_total=0)
    rows = CopyJob.objects.exclude(found_nothing).select_related(
        "database", "source", "destination"
    )
    if database_id is not None:
        rows = rows.filter(database_id=database_id)
    return rows.order_by("-requested_at", "-id")


def copy_job(copy_id: int) -> CopyJob:
    """Return one copy.

    :raises NotRegistered: if there is none
    """
    rows = CopyJob.objects.select_related("database", "source", "destination")
    found: CopyJob | None = rows.filter(pk=copy_id).first()
    if found is None:
        raise NotRegistered(f"There is no copy number {copy_id}.")
    return found


def move_of(database_id: int, destination_id: int) -> CopyJob:
    """Return the move of a database's archive to a place that is not over.

    :raises NotRegistered: if there is none
    """
    unfinished = [JobState.QUEUED, JobState.RUNNING, JobState.PAUSED]
    found = copy_jobs(database_id=database_id).filter(
        destination_id=destination_id, kind=CopyKind.MIGRATION, state__in=unfinished
    )
    job = found.first()
    if job is None:
        raise NotRegistered("No move to this location is under way. Begin one.")
    return job


def places_taken(database: Database) -> frozenset[int]:
    """Return the locations in which another database's archive of this name lies, or a copy of it.

    A copy of this one there would write over it. A place counts by whatever name it is registered,
    and what lies there also when its database is registered no more, unless that was this very one.
    """
    others = Database.everything.filter(archive_name=database.archive_name).exclude(pk=database.pk)
    others = others.exclude(unregistered_at__isnull=False, storage_id=database.storage_id)
    rows = others.values_list("storage", "copies", "policy__replicate_to")
    named = {location for row in rows for location in row if location is not None}
    if not named:
        return frozenset()
    places = ("endpoint", "bucket", "prefix")
    held = set(StorageLocation.objects.filter(pk__in=named).values_list(*places))
    found = StorageLocation.objects.values_list("pk", *places)
    return frozenset(pk for pk, *place in found if tuple(place) in held)


def replica_states() -> Sequence[ReplicaState]:
    """Return how every second place stands, by database."""
    rows = ReplicaState.objects.filter(database__unregistered_at=None)
    rows = rows.select_related("database", "location")
    return list(rows.order_by("database__name", "location__name"))
