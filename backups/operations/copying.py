"""Keeping copies of archives in other places, and moving an archive to another one."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from backups import queries, runner, tasks
from backups.models import (
    BackupJob,
    BackupPolicy,
    CopyJob,
    CopyKind,
    CopyPhase,
    Database,
    JobState,
    ObjectReading,
    PolicyChange,
    ReadingState,
    ReplicaState,
    RestoreJob,
    StorageLocation,
)
from backups.models.jobs import OVER
from backups.options.words import duration
from incidents.errors import Refused

_AT_WORK = (JobState.QUEUED, JobState.RUNNING)


class NoReplicaNamed(Refused):
    code = "no-replica-named"
    message = "The policy names no second place. Name a location, or set one in the policy."


class NotAnotherPlace(Refused):
    code = "copy-not-elsewhere"
    message = (
        "This location is where the archive lies already, or one lies inside of the other. Choose "
        "another bucket, or another prefix."
    )


class PlaceOnlyRead(Refused):
    code = "copy-place-only-read"
    message = (
        "The keys of this location are only to read, so nothing can be copied there. Give it keys "
        "that may write and say so at the location, or choose another one."
    )


class CopyRuns(Refused):
    code = "copy-runs"
    message = "A copy to this location is under way already. Wait for it, or call it off."


class ArchiveNameTaken(Refused):
    code = "archive-name-taken"
    message = (
        "Another database has an archive of this name there, or a copy of one. Choose another "
        "location, or register one with a prefix of its own."
    )


class MoveNotReady(Refused):
    code = "move-not-ready"
    message = "Not everything is there yet. Wait until the move says that it is ready to switch."


class LocationNameDiffers(Refused):
    code = "location-name-differs"
    message = "Type the name of the new location exactly as it is written, to switch to it."


class DatabaseAtWork(Refused):
    code = "move-database-at-work"
    message = (
        "A backup or a restore of this database is under way. Wait until it is over, or cancel it, "
        "and switch then."
    )


class MoveNotSwitched(Refused):
    code = "move-not-switched"
    message = "This move was not switched. Switch it, or call it off."


class OldPlaceInUse(Refused):
    code = "move-old-place-in-use"
    message = (
        "New files still arrive at the old place. Change the server's archive_command as the move "
        "says, wait for the next comparison, and end it then."
    )


class CopyOver(Refused):
    code = "copy-over"
    message = "This copy is over, or was switched already. Begin another one."


def replicate_backups(
    *, database_id: int, at: datetime, location_id: int | None = None, by_worker: bool = True
) -> CopyJob:
    """Bring a second place up to date with a database's archive now.

    Without a location, the one that the policy names. Without ``by_worker`` nobody is sent.

    :raises NoReplicaNamed: if there is none
    :raises NotAnotherPlace: if it is the same place
    :raises PlaceOnlyRead: if nothing is to be written there
    :raises ArchiveNameTaken: if another database's archive is in the way
    :raises CopyRuns: if somebody is at it
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    if location_id is None:
        policy = BackupPolicy.objects.filter(database=database).first()
        location_id = policy.replicate_to_id if policy else None
    if location_id is None:
        raise NoReplicaNamed
    return _begin(database, location_id, CopyKind.REPLICATION, at=at, by_worker=by_worker)


def begin_migration(
    *, database_id: int, destination_id: int, at: datetime, by_worker: bool = True
) -> CopyJob:
    """Begin to move a database's archive: all of it is copied, and kept up to date there.

    Nothing else changes until it is switched. A replication to that place becomes the move.

    :raises NotAnotherPlace: if it is the same place
    :raises PlaceOnlyRead: if nothing is to be written there
    :raises ArchiveNameTaken: if another database's archive is in the way
    :raises CopyRuns: if a move of it is under way
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    if _moves(database).exists():
        raise CopyRuns(
            "A move of this archive is under way already. Switch and end it, or call it off."
        )
    replication = CopyJob.objects.filter(
        database=database,
        source=database.storage_id,
        destination=destination_id,
        kind=CopyKind.REPLICATION,
        state__in=_AT_WORK,
    )
    with transaction.atomic():
        # Held, so that its worker does not end it as the other meanwhile.
        job: CopyJob | None = replication.select_for_update().first()
        if job is not None:
            job.kind = CopyKind.MIGRATION
            job.save(update_fields=["kind"])
            return job
    return _begin(database, destination_id, CopyKind.MIGRATION, at=at, by_worker=by_worker)


def switch_migration(*, copy_id: int, typed: str, at: datetime) -> CopyJob:
    """Make the new place the database's own. The old one becomes a copy, and is kept until told.

    From now on backups go to the new place; the server's archive_command has to be changed by hand
    (see ``archiving_at``). What still arrives at the old place is brought over every ten minutes.

    :raises LocationNameDiffers: if what was typed is not the new location's name
    :raises MoveNotReady: if not everything is there and sound, by a comparison of the last minutes
    :raises DatabaseAtWork: while a backup or a restore is under way
    :raises ArchiveNameTaken: if another database has its archive there by now
    """
    with transaction.atomic():
        job: CopyJob = CopyJob.objects.select_for_update().get(pk=copy_id)
        if job.kind != CopyKind.MIGRATION or job.state in {*OVER, JobState.FAILED}:
            raise CopyOver
        if job.phase != CopyPhase.SWITCH or job.switched_at is not None:
            raise CopyOver if job.switched_at else MoveNotReady
        if job.state != JobState.PAUSED:
            raise MoveNotReady("It is being compared just now. Try again in a minute.")
        if typed.strip() != job.destination.name:
            raise LocationNameDiffers
        state = ReplicaState.objects.filter(
            database=job.database_id, location=job.destination_id
        ).first()
        if state is None or state.missing_objects or _is_damaged_at(job):
            raise MoveNotReady
        if job.failure_code:
            raise MoveNotReady(
                "The last comparison failed: the move says why. Mend that, and switch after the "
                "next one that does not."
            )
        if at - state.compared_at > runner.COMPARED_WITHIN:
            # What came since would be nobody's: later on, only what is newer is looked for.
            raise MoveNotReady(
                f"It was last compared {duration(at - state.compared_at)} ago. See that the beat "
                "and a worker run and that both places answer; switch after the next comparison."
            )
        database = Database.objects.select_for_update().get(pk=job.database_id)
        _require_idle(database)
        _require_free(database, job.destination)
        _make_primary(database, job)
        job.switched_at, job.phase = at, CopyPhase.KEEP
        job.save(update_fields=["switched_at", "phase"])
        _follow_with_policy(job, at=at)
        _read_soon(database.pk)
    return job


def end_migration(*, copy_id: int, at: datetime) -> CopyJob:
    """Say that the old place is needed no more: it is no copy any longer, and nothing is deleted.

    Where the policy replicates to it, it stays a copy.

    :raises MoveNotSwitched: if the archive still has its old place
    :raises OldPlaceInUse: if files arrived there since the switch, an hour ago or less, or nobody
        has looked for an hour
    :raises CopyRuns: while a worker is at it
    """
    with transaction.atomic():
        job: CopyJob = CopyJob.objects.select_for_update().get(pk=copy_id)
        if job.kind != CopyKind.MIGRATION or job.is_over:
            raise CopyOver
        if job.switched_at is None:
            raise MoveNotSwitched
        if job.state == JobState.RUNNING:
            raise CopyRuns("It is being brought up to date just now. Try again in a minute.")
        if runner.still_arrives(job, at=at):
            raise OldPlaceInUse
        # An old place that is gone for good cannot be compared: then the last try has failed.
        if not job.failure_code and not runner.was_compared(job, at=at):
            raise OldPlaceInUse(
                "Nobody has looked of late for what still arrives at the old place. See that the "
                "beat and a worker run, and end it after the next comparison."
            )
        policy = BackupPolicy.objects.filter(database=job.database_id).first()
        if policy is None or policy.replicate_to_id != job.source_id:
            job.database.copies.remove(job.source)
        job.state, job.phase, job.ended_at = JobState.SUCCEEDED, CopyPhase.DONE, at
        job.save(update_fields=["state", "phase", "ended_at"])
    return job


def cancel_copy(*, copy_id: int, at: datetime) -> CopyJob:
    """Call a copy off. What is there stays there.

    :raises CopyOver: if it is over, or a move that was switched
    """
    with transaction.atomic():
        job: CopyJob = CopyJob.objects.select_for_update().get(pk=copy_id)
        if job.is_over or job.switched_at is not None:
            raise CopyOver
        if job.state == JobState.RUNNING:
            # Its worker notices within seconds.
            job.cancel_requested_at = job.cancel_requested_at or at
        else:
            job.state, job.ended_at = JobState.CANCELLED, at
        job.save(update_fields=["state", "ended_at", "cancel_requested_at"])
    return job


def _begin(
    database: Database, destination_id: int, kind: CopyKind, *, at: datetime, by_worker: bool
) -> CopyJob:
    destination = StorageLocation.objects.get(pk=destination_id)
    if destination.is_read_only:
        raise PlaceOnlyRead
    _require_elsewhere(database.storage, destination)
    _require_free(database, destination)
    try:
        with transaction.atomic():
            job = CopyJob.objects.create(
                database=database,
                kind=kind,
                source=database.storage,
                destination=destination,
                requested_at=at,
                queued_at=at,
            )
            if by_worker:
                _send(job.pk)
    except IntegrityError as error:
        raise CopyRuns from error
    return job


def _require_elsewhere(source: StorageLocation, destination: StorageLocation) -> None:
    if source.pk == destination.pk:
        raise NotAnotherPlace
    here = (source.endpoint.rstrip("/"), source.bucket)
    if here != (destination.endpoint.rstrip("/"), destination.bucket):
        return
    one, other = (f"{each.prefix}/".lstrip("/") for each in (source, destination))
    if one.startswith(other) or other.startswith(one):
        raise NotAnotherPlace


def _require_free(database: Database, destination: StorageLocation) -> None:
    if destination.pk in queries.places_taken(database):
        raise ArchiveNameTaken


def _require_idle(database: Database) -> None:
    backup = BackupJob.objects.filter(database=database, state__in=_AT_WORK)
    restore = RestoreJob.objects.unfinished().filter(database=database)
    if backup.exists() or restore.exists():
        raise DatabaseAtWork


def _is_damaged_at(job: CopyJob) -> bool:
    """Whether something was found damaged at the new place, and not copied anew since."""
    bad = ObjectReading.objects.filter(
        database=job.database_id,
        location=job.destination_id,
        state__in=[ReadingState.DAMAGED, ReadingState.RESIZED],
    )
    return bad.exists()


def _moves(database: Database) -> "QuerySet[CopyJob]":
    unfinished = [*_AT_WORK, JobState.PAUSED]
    return CopyJob.objects.filter(database=database, kind=CopyKind.MIGRATION, state__in=unfinished)


def _make_primary(database: Database, job: CopyJob) -> None:
    database.storage = job.destination
    # That was of the other place.
    database.listed_at = None
    database.save(update_fields=["storage", "listed_at"])
    database.copies.remove(job.destination)
    database.copies.add(job.source)
    # How far it was behind is no question any more.
    ReplicaState.objects.filter(database=database, location=job.destination).delete()
    # What was read of it as a copy holds for it as the archive.
    ObjectReading.objects.filter(database=database, location=job.source).delete()


def _follow_with_policy(job: CopyJob, *, at: datetime) -> None:
    """Where the new place was the replica, the old one becomes it: there are to be two."""
    policy = BackupPolicy.objects.select_for_update().filter(database=job.database_id).first()
    if policy is None or policy.replicate_to_id != job.destination_id:
        return
    policy.replicate_to, policy.version = job.source, policy.version + 1
    policy.save(update_fields=["replicate_to", "version"])
    PolicyChange.objects.create(
        policy=policy,
        version=policy.version,
        at=at,
        why=f"The archive was moved to {job.destination}, which had been its replica.",
        changes={"replicate_to": [job.destination.name, job.source.name]},
    )


def _send(copy_id: int) -> None:
    # A function, not a partial: Django asks a robust hook that failed for its name.
    def send() -> None:
        tasks.advance_copy.delay(copy_id=copy_id)

    # Robust: with the broker away the job waits in its table, and the beat sends it again.
    transaction.on_commit(send, robust=True)


def _read_soon(database_id: int) -> None:
    def read() -> None:
        tasks.read_archive.delay(database_id=database_id)

    transaction.on_commit(read, robust=True)
