"""What is decided about a database's backups, what that lets go, and what waits for a review."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import QuerySet

from backups.engines import registry
from backups.engines.base import Kind
from backups.models import (
    Backup,
    BackupKind,
    BackupPolicy,
    Database,
    EngineName,
    PolicyChange,
    RecoveryTarget,
    Standby,
    StorageLocation,
)
from backups.options.contradictions import Ground
from backups.options.retention import Held, Verdict, verdicts
from backups.options.terms import Named, Terms, Window
from backups.options.windows import open_window
from backups.queries.copying import places_taken

# Days begin at most so long before and after they do in UTC.
_FURTHEST_ZONE = timedelta(hours=14)
_HERE = frozenset({"127.0.0.1", "::1", "localhost"})


def policy_of(database_id: int) -> BackupPolicy | None:
    """Return the policy of a database with what it names; None if none was ever made."""
    rows = BackupPolicy.objects.select_related("replicate_to", "drill_target")
    return rows.filter(database_id=database_id).first()


def terms_of(database: Database) -> Terms | None:
    """Return what a database's policy says, its objectives with it; None if there is no policy."""
    policy = policy_of(database.pk)
    return None if policy is None else _terms(database, policy)


def no_terms(database: Database) -> Terms:
    """Return what holds of a database without a policy: its objectives, and nothing planned."""
    return Terms(
        archives_log=ground_of(database).keeps_log,
        may_lose=database.recovery_point_objective,
        back_within=database.recovery_time_objective,
    )


def ground_of(database: Database) -> Ground:
    """Return what a policy of this database stands on."""
    engine = registry.known_engines().get(database.engine)
    kinds = engine.capabilities.kinds if engine is not None else frozenset()
    return Ground(
        engine=EngineName(database.engine).label.partition(",")[0].partition(" of ")[0],
        takes_incrementals=Kind.INCREMENTAL in kinds,
        keeps_log=engine is not None and engine.capabilities.keeps_log,
        own_place_ids=frozenset(_same_places(database.storage)),
        own_target_ids=frozenset(_same_address(database)),
        standby_target_ids=frozenset(Standby.objects.values_list("target_id", flat=True)),
        taken_place_ids=places_taken(database),
        read_only_place_ids=frozenset(
            StorageLocation.objects.filter(is_read_only=True).values_list("pk", flat=True)
        ),
    )


def policy_changes(database_id: int) -> "QuerySet[PolicyChange]":
    """Return the changes of a database's policy, the newest first, with who made them."""
    rows = PolicyChange.objects.filter(policy__database_id=database_id)
    return rows.select_related("by", "reviewed_by", "action").order_by("-version")


def workarounds_due(*, at: datetime) -> list[PolicyChange]:
    """Return the workarounds whose day of review has come and that nobody has reviewed.

    The day is one of the policy's own zone. The longest due come first, each with its database.
    """
    latest = (at + _FURTHEST_ZONE).date()
    rows = PolicyChange.objects.filter(
        review_on__lte=latest, reviewed_at__isnull=True, policy__database__unregistered_at=None
    )
    found = rows.select_related("policy__database", "action").order_by("review_on", "id")
    return [
        change
        for change in found
        if change.review_on is not None and change.review_on <= day_at(change.policy.tz, at)
    ]


def day_at(tz: str, at: datetime) -> date:
    """Return which day it is in a zone; in UTC where there is no such zone any more."""
    try:
        return at.astimezone(ZoneInfo(tz)).date()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return at.astimezone(UTC).date()


def window_open(policy: BackupPolicy, *, at: datetime) -> tuple[Window, datetime] | None:
    """Return the maintenance window that is open now, and when it closes.

    :raises BadSchedule: if a row holds a schedule or a zone that cannot be read
    """
    return open_window(_windows(policy), policy.tz, at)


def retention_of(database: Database, *, at: datetime) -> list[Verdict]:
    """Say of each backup in the catalogue whether the policy keeps it, the newest first."""
    terms = terms_of(database) or no_terms(database)
    rows = Backup.objects.filter(database=database, vanished_at__isnull=True)
    return verdicts(
        [
            Held(
                key=row.engine_id,
                name=row.label or row.engine_id,
                ended_at=row.ended_at,
                is_full=row.kind != BackupKind.INCREMENTAL,
                is_whole=row.is_finished and row.reaches_until_at is not None,
                parent=row.parent_engine_id,
            )
            for row in rows
        ],
        keep_for=terms.keep_for,
        keep_fulls=terms.keep_fulls,
        keeps_log=terms.archives_log and ground_of(database).keeps_log,
        at=at,
    )


def _terms(database: Database, policy: BackupPolicy) -> Terms:
    return Terms(
        tz=policy.tz,
        full_schedule=policy.full_schedule,
        incremental_schedule=policy.incremental_schedule,
        archives_log=policy.archives_log,
        may_lose=database.recovery_point_objective,
        back_within=database.recovery_time_objective,
        keep_for=policy.keep_for,
        keep_fulls=policy.keep_fulls,
        wants_encryption=policy.wants_encryption,
        replicate_to=named(policy.replicate_to),
        replica_lag_at_most=policy.replica_lag_at_most,
        read_all_within=policy.read_all_within,
        drill_schedule=policy.drill_schedule,
        drill_target=named(policy.drill_target),
        drill_alarm=policy.drill_alarm,
        windows=_windows(policy),
    )


def named(row: StorageLocation | RecoveryTarget | None) -> Named | None:
    """Return a row as a policy's terms name it."""
    return None if row is None else Named(id=row.pk, name=row.name)


def _windows(policy: BackupPolicy) -> tuple[Window, ...]:
    return tuple(
        Window(schedule=row.schedule, lasts=row.lasts, reason=row.reason)
        for row in policy.maintenance_windows.order_by("id")
    )


def _same_places(storage: StorageLocation) -> list[int]:
    """Return the locations that are this bucket and prefix, by whatever name."""
    rows = StorageLocation.objects.filter(
        bucket=storage.bucket, prefix=storage.prefix, endpoint=storage.endpoint
    )
    return list(rows.values_list("pk", flat=True))


def _same_address(database: Database) -> list[int]:
    """Return the recovery targets that would come up where the database itself listens."""
    rows = RecoveryTarget.objects.filter(port=database.port)
    own = _HERE if database.host in _HERE else {database.host}
    return list(rows.filter(host__in=own).values_list("pk", flat=True))
