"""What the page may show: what customers and tenants may know, and no more."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Least

from incidents.models import (
    BackupProof,
    ComponentChange,
    Impact,
    Incident,
    Maintenance,
    MaintenanceChange,
    MaintenanceUpdate,
    ProgressReport,
    Promise,
    StatusUpdate,
    Tenant,
    TenantProgress,
)
from incidents.models.maintenance import FINISHED
from incidents.queries.components import components
from incidents.values import ImpactKind, Phase

# How many incidents the public lists carry, as every status page does.
LISTED = 50
# How long a tenant sees of a restore that it has ended.
_TENANTS_ARE_TOLD = timedelta(days=7)


def public_incidents(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return what customers may know of, with all that the page shows of each prefetched.

    With ``touching``, only the incidents that concern at least one of these components. The rows
    are incidents with attributes more, which is why they are typed loosely.
    ``told``: published updates, newest first, each with ``changes``. ``reports``: the jobs'
    progress. ``given``: promises, newest first. ``missing``: the impacts by which data is
    missing. Three levels, a fixed number of queries.
    """
    changes = ComponentChange.objects.select_related("component__group").order_by("pk")
    told = (
        StatusUpdate.objects.published()
        .newest_first()
        .prefetch_related(Prefetch("component_changes", changes, to_attr="changes"))
    )
    found = Incident.objects.public()
    if touching is not None:
        found = found.filter(pk__in=Incident.objects.filter(components__in=touching).values("pk"))
    return found.prefetch_related(
        Prefetch("updates", told, to_attr="told"),
        Prefetch(
            "progress_reports", ProgressReport.objects.order_by("-started_at"), to_attr="reports"
        ),
        Prefetch("promises", Promise.objects.newest_first(), to_attr="given"),
        Prefetch("components", components(), to_attr="affected"),
        Prefetch("impacts", _missing_data(), to_attr="missing"),
    )


def _missing_data() -> QuerySet[Impact]:
    """Return the impacts by which data is missing now, and from when on."""
    kinds = [ImpactKind.DATA_UNAVAILABLE, ImpactKind.DATA_LOST]
    return (
        Impact.objects.filter(kind__in=kinds, until__isnull=True, data_from_at__isnull=False)
        .select_related("component")
        .order_by("data_from_at", "pk")
    )


def public_unresolved(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return the open ones of the public incidents, by newest activity."""
    found = public_incidents(touching=touching)
    return found.exclude(phase=Phase.RESOLVED).order_by("-updated_at", "-id")


def public_recent(limit: int = LISTED, *, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return the public incidents with the newest updates."""
    return public_incidents(touching=touching).order_by("-updated_at", "-id")[:limit]


def public_touches(
    component_ids: Collection[int], *, since: datetime
) -> Iterator[tuple[int, Incident | Maintenance]]:
    """Yield what went on since then and customers may know of, with each of these components."""
    incidents = Incident.components.through.objects.filter(
        component_id__in=component_ids, incident__in=Incident.objects.public()
    ).exclude(incident__resolved_at__lt=since)
    for touched in incidents.select_related("incident").order_by("incident_id"):
        yield touched.component_id, touched.incident
    works = Maintenance.components.through.objects.filter(
        component_id__in=component_ids,
        maintenance__in=Maintenance.objects.public().filter(began_at__isnull=False),
    ).exclude(maintenance__ended_at__lt=since)
    for worked_on in works.select_related("maintenance").order_by("maintenance_id"):
        yield worked_on.component_id, worked_on.maintenance


def public_maintenances(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return planned work that customers may know of, with all that the page shows prefetched.

    The rows are maintenances with attributes more: ``told``, their updates, newest first, each
    with ``changes``; ``affected``, their components. A fixed number of queries. ``touching`` as
    for incidents.
    """
    changes = MaintenanceChange.objects.select_related("component__group").order_by("pk")
    told = MaintenanceUpdate.objects.newest_first().prefetch_related(
        Prefetch("component_changes", changes, to_attr="changes")
    )
    found = Maintenance.objects.public()
    if touching is not None:
        found = found.filter(
            pk__in=Maintenance.objects.filter(components__in=touching).values("pk")
        )
    return found.prefetch_related(
        Prefetch("updates", told, to_attr="told"),
        Prefetch("components", components(), to_attr="affected"),
    )


def public_past_maintenances(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return the public maintenances that are over, by the time at which they are ``dated``."""
    found = public_maintenances(touching=touching).filter(state__in=FINISHED)
    dated: QuerySet[Any] = found.alias(dated=Least("scheduled_for", "ended_at"))
    return dated.order_by("-dated", "-id")


def recently_changed_maintenances(limit: int = LISTED) -> QuerySet[Maintenance]:
    """Return the maintenances that changed last, public or not."""
    return Maintenance.objects.order_by("-updated_at", "-id")[:limit]


def public_maintenance_ids(
    *, since: datetime, touching: Collection[int] | None = None, limit: int = LISTED
) -> set[int]:
    """Return the ids of those that lists and calendar carry.

    All that are to come or that run; those with the newest activity; those whose time ended
    after ``since``.
    """
    found = public_maintenances(touching=touching).prefetch_related(None)
    return {
        *found.exclude(state__in=FINISHED).values_list("pk", flat=True),
        *found.order_by("-updated_at", "-id").values_list("pk", flat=True)[:limit],
        *found.filter(scheduled_until__gt=since).values_list("pk", flat=True),
    }


def tenants(keys: Collection[str]) -> dict[str, Tenant]:
    """Return those of these tenants that are registered, by key."""
    return {tenant.key: tenant for tenant in Tenant.objects.filter(key__in=keys)}


def tenant_count() -> int:
    """Return how many tenants are registered."""
    return Tenant.objects.count()


def tenant_codes() -> list[tuple[int, str, str]]:
    """Return every tenant's id, code and name. For the publisher and the desk, nobody else."""
    return list(Tenant.objects.order_by("pk").values_list("pk", "lookup_code", "name"))


def reports_with_tenants(*, at: datetime) -> list[ProgressReport]:
    """Return the reports of which tenants are told, the newest last, with their incidents.

    Those of public incidents that are open, and those that ended in the last days.
    """
    told = TenantProgress.objects.filter(report=OuterRef("pk"))
    is_recent = ~Q(incident__phase=Phase.RESOLVED) | Q(ended_at__gt=at - _TENANTS_ARE_TOLD)
    return list(
        ProgressReport.objects.filter(is_recent, incident__in=Incident.objects.public())
        .filter(Exists(told))
        .select_related("incident")
        .order_by("started_at", "pk")
    )


def tenant_progress(report_ids: Collection[int]) -> list[dict[str, Any]]:
    """Return how far tenants are in these reports, the newest report last."""
    rows = (
        TenantProgress.objects.filter(report_id__in=report_ids)
        .order_by("report__started_at", "report_id")
        .values(
            "report_id", "tenant_id", "state", "place", "data_until_at",
            "eta_low_at", "eta_high_at", "eta_basis",
        )
    )  # fmt: skip
    return [dict(row) for row in rows]


def proofs() -> list[BackupProof]:
    """Return what is known of backups, by the name that customers read."""
    return list(BackupProof.objects.order_by("name", "pk"))


def is_touched(incident_id: int, component_ids: Collection[int]) -> bool:
    """Whether the incident concerns at least one of these components."""
    return Incident.objects.filter(pk=incident_id, components__in=component_ids).exists()
