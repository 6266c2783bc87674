"""Unregistering a database: nothing watches it any more, and nothing of it is deleted."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from backups import runner
from backups.models import (
    BackupJob,
    CopyJob,
    Database,
    Drill,
    DrillState,
    JobState,
    ManifestJob,
    ObjectReading,
    ReplicaState,
    RestoreJob,
    Standby,
    StorageLocation,
)
from backups.operations.drills import DrillOver, cancel_drill
from incidents.errors import Refused
from incidents.operations import add_entry, withdraw_proof
from incidents.operations import tenants as record
from incidents.queries import incident
from incidents.values import When

logger = logging.getLogger(__name__)

UNREGISTERED = "The database was unregistered."
_JOBS = (BackupJob, CopyJob, ManifestJob)
_WAITS = (JobState.QUEUED, JobState.PAUSED)


class DatabaseNameDiffers(Refused):
    code = "database-name-differs"
    message = "Type the name of the database exactly as it is written, to unregister it."


class DatabaseComesBack(Refused):
    code = "database-comes-back"
    message = (
        "A restore of this database is not over. Wait until it is, or cancel it; then unregister "
        "the database."
    )


class StandbyStands(Refused):
    code = "database-has-a-standby"
    message = (
        "A standby of this database is kept warm. Stop keeping it; then unregister the database."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unregistered:
    """A database that is registered no more, and what of it was still under way, by name.

    ``stopped`` will not begin any more; ``ending`` a worker takes back or finishes within seconds
    to minutes.
    """

    database: Database
    stopped: Sequence[str]
    ending: Sequence[str]


def unregister_database(
    *, database_id: int, typed: str, by: User | None, at: datetime
) -> Unregistered:
    """Let go of a database: no check, schedule, probe or drill looks at it from now on.

    Nothing in any storage is deleted, and the cluster is not touched. Its restores, drills, alerts
    and what incidents say of it stay on record under its name. Its tenants' private pages are dead,
    customers read nothing of its backups any more, and what alerts were open is closed with that
    reason. Its name, archive and tenants may be registered again.

    A backup, copy or drill that is under way is asked to end: what its worker does meanwhile is
    written down as it comes out.

    :raises DatabaseNameDiffers: if what was typed is not its name
    :raises DatabaseComesBack: if a restore of it is not over
    :raises StandbyStands: while a standby of it is kept warm
    """
    with transaction.atomic():
        # Whoever tells of alerts holds their rows, and asks for the database's: in this order.
        runner.hold_alerts()
        # Whoever begins something for it asks for this row as well.
        database = Database.objects.select_for_update().get(pk=database_id)
        if typed.strip() != database.name:
            raise DatabaseNameDiffers
        _require_nobody_needs_it(database)
        stopped = [*_stop(database, at=at)]
        ending = [*_ask_to_end(database, at=at)]
        _end_rules(database, at=at)
        _close_findings(database, by=by, at=at)
        _forget_places(database)
        _forget_tenants(database, at=at)
        withdraw_proof(key=database.key)
        database.unregistered_at, database.unregistered_by = at, by
        database.save(update_fields=["unregistered_at", "unregistered_by"])
    logger.info("database %s: unregistered by %s", database.pk, by.pk if by else "a command")
    return Unregistered(database=database, stopped=stopped, ending=ending)


def _require_nobody_needs_it(database: Database) -> None:
    standby = Standby.objects.filter(database=database).select_related("target").first()
    if standby is not None:
        raise StandbyStands(
            f"A standby of this database is kept warm at {standby.target}. End that first; then "
            "unregister the database."
        )
    jobs = RestoreJob.objects.unfinished().filter(database=database, is_scratch=False)
    job = jobs.order_by("pk").first()
    if job is not None:
        raise DatabaseComesBack(
            f"{job} of this database is not over: {job.get_state_display().lower()}. Wait until it "
            "is, or cancel it; then unregister the database."
        )


def _stop(database: Database, *, at: datetime) -> Iterator[str]:
    """End what no worker has; yield what that was."""
    for model in _JOBS:
        for job in model.objects.filter(database=database, state__in=_WAITS).order_by("pk"):
            # Conditional: a worker may take it at this moment, and is then asked to end.
            ended = model.objects.filter(pk=job.pk, state__in=_WAITS).update(
                state=JobState.CANCELLED, ended_at=at, failure_advice=UNREGISTERED
            )
            if ended:
                yield str(job)


def _ask_to_end(database: Database, *, at: datetime) -> Iterator[str]:
    """Ask whoever works for it to end; yield what they work at."""
    for model in _JOBS:
        for job in model.objects.filter(database=database, state=JobState.RUNNING).order_by("pk"):
            asked = model.objects.filter(pk=job.pk, state=JobState.RUNNING).update(
                cancel_requested_at=at, failure_advice=UNREGISTERED
            )
            if asked:
                yield str(job)
    for drill in Drill.objects.filter(database=database, state=DrillState.RUNNING):
        try:
            cancel_drill(drill_id=drill.pk, at=at)
        except DrillOver:
            # Its restore has just ended: what it proved is judged, and its cluster cleared away.
            logger.info("%s: ends by itself", drill)
        yield str(drill)


def _end_rules(database: Database, *, at: datetime) -> None:
    """Switch off the alert rules that mean it alone, and end its silences."""
    database.alert_rules.update(is_enabled=False)
    database.silences.filter(begins_at__gte=at).delete()
    database.silences.filter(ends_at__gt=at).update(ends_at=at)


def _close_findings(database: Database, *, by: User | None, at: datetime) -> None:
    """Let go of what checks found, and close what staff were told of with the reason."""
    database.backup_checks.all().delete()
    closed = runner.close_alerts_of(database, because=UNREGISTERED, at=at)
    for incident_id in sorted({each.incident_id for each in closed if each.incident_id}):
        if incident(incident_id).is_resolved:
            continue
        add_entry(
            incident_id=incident_id,
            text=f"{database.name} was unregistered: no check looks at its backups any more. "
            "Nothing in its storage was deleted.",
            when=When(at=at),
            at=at,
            author=by,
            tags=["backups"],
        )


def _forget_places(database: Database) -> None:
    """Let go of how places stood for it; no probe reads a piece of its backups any more."""
    ObjectReading.objects.filter(database=database).delete()
    ReplicaState.objects.filter(database=database).delete()
    mine = Q(databases=database) | Q(copied_databases=database)
    places = StorageLocation.objects.filter(mine).distinct().values_list("pk", flat=True)
    StorageLocation.objects.filter(pk__in=list(places)).update(probe_key="", probe_bytes=0)


def _forget_tenants(database: Database, *, at: datetime) -> None:
    """Have their private pages lead nowhere; their turns in restores stay on record."""
    tenants = database.tenants.filter(unregistered_at=None)
    record.remove_tenants(keys=[tenant.key for tenant in tenants])
    tenants.update(unregistered_at=at)
