"""What the page may show: what customers and tenants may know, and no more."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import (
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    TextField,
    Value,
    prefetch_related_objects,
)
from django.db.models.functions import Cast, JSONArray, Least

from incidents.models import (
    AT_WORK,
    ActionItem,
    BackupProof,
    ComponentChange,
    Impact,
    Incident,
    Maintenance,
    MaintenanceChange,
    MaintenanceUpdate,
    Postmortem,
    ProgressReport,
    Promise,
    StatusUpdate,
    Tenant,
    TenantProgress,
)
from incidents.models.maintenance import FINISHED, MaintenanceQuerySet, MaintenanceUpdateQuerySet
from incidents.queries.components import components
from incidents.values import ImpactKind, Phase

# How many incidents the public lists carry, as every status page does.
LISTED = 50
# How long a tenant sees of a restore that it has ended.
_TENANTS_ARE_TOLD = timedelta(days=7)
# What tells a promise, a report and an impact from what customers read of it before.
_OF_A_PROMISE = ("pk", "outcome", "due_at", "due_until", "expires_at", "basis", "confidence")
_OF_A_REPORT = ("pk", "state", "phase", "done", "total", "ended_at", "data_until_at", "title")
_OF_AN_ACTION = (
    "pk", "text", "state", "due_at", "due_until", "due_precision", "due_approx", "due_tz",
    "done_at", "done_until", "done_tz",
)  # fmt: skip
_OF_AN_IMPACT = ("pk", "kind", "data_from_at", "component_id")


def public_incidents(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return what customers may know of, with all that the page shows of each prefetched.

    As ``public_listed`` does, and completed as by ``complete``.
    """
    return public_listed(touching=touching).prefetch_related(*_story())


def public_bare(*, touching: Collection[int] | None = None) -> QuerySet[Incident]:
    """Return what customers may know of, without what belongs to it."""
    found = Incident.objects.public()
    if touching is None:
        return found
    return found.filter(pk__in=Incident.objects.filter(components__in=touching).values("pk"))


def public_listed(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return what customers may know of, with what lists show of each prefetched.

    With ``touching``, only the incidents that concern at least one of these components. The rows
    are incidents with attributes more, which is why they are typed loosely.
    ``told``: the updates that were for customers, newest first, each with ``changes``.
    ``affected``: the components. ``whole``: of what it is a part, if the same readers may know of
    that. Three levels, a fixed number of queries.
    """
    return public_bare(touching=touching).prefetch_related(
        *listed_parts(), Prefetch("parent", public_bare(touching=touching), to_attr="whole")
    )


def listed_parts() -> list[Prefetch[Any, Any, Any]]:
    """Return what brings ``told`` and ``affected`` to incidents."""
    # What was said again of a component that was so already is no change.
    changes = ComponentChange.objects.exclude(old_status=F("new_status"))
    changes = changes.select_related("component__group").order_by("pk")
    told = (
        StatusUpdate.objects.told()
        .newest_first()
        .prefetch_related(Prefetch("component_changes", changes, to_attr="changes"))
    )
    return [
        Prefetch("updates", told, to_attr="told"),
        Prefetch("components", components(), to_attr="affected"),
    ]


def complete(incidents: Sequence[Incident]) -> None:
    """Add to incidents, where it is not there yet, what only their own pages show.

    ``reports``: the jobs' progress. ``given``: promises, newest first. ``missing``: the impacts
    by which data is missing. ``improvements``: the action items that customers may see. A fixed
    number of queries.
    """
    prefetch_related_objects(incidents, *_story())


def _story() -> list[Prefetch[Any, Any, Any]]:
    reports = ProgressReport.objects.with_halts().order_by("-started_at", "-pk")
    return [
        Prefetch("progress_reports", reports, to_attr="reports"),
        Prefetch("promises", Promise.objects.newest_first(), to_attr="given"),
        Prefetch("impacts", _missing_data(), to_attr="missing"),
        Prefetch("postmortem", published_accounts(), to_attr="account"),
        Prefetch("actions", _improvements(), to_attr="improvements"),
    ]


def looks(incident_ids: Collection[int]) -> dict[int, list[str]]:
    """Return, by incident, words that differ where anything does that ``complete`` would add.

    One query for all of them: of hundreds of promises, most publishes want to know no more.
    """
    first, *others = (
        rows.filter(incident__in=incident_ids)
        .order_by()
        .values_list("incident_id", Value(kind), Cast(JSONArray(*names), TextField()))
        for kind, rows, names in (
            ("postmortem", published_accounts(), ("pk", "published_at")),
            ("promise", Promise.objects.all(), _OF_A_PROMISE),
            ("report", ProgressReport.objects.all(), _OF_A_REPORT),
            ("impact", _missing_data(), _OF_AN_IMPACT),
            ("action", _improvements(), _OF_AN_ACTION),
        )
    )
    found: dict[int, list[str]] = {}
    for incident_id, kind, words in first.union(*others, all=True):
        found.setdefault(incident_id, []).append(f"{kind} {words}")
    return {pk: sorted(lines) for pk, lines in found.items()}


def _improvements() -> QuerySet[ActionItem]:
    """Return the action items that were chosen for customers, in the order of their adding."""
    return ActionItem.objects.filter(is_public=True).order_by("pk")


def published_accounts() -> QuerySet[Postmortem]:
    return Postmortem.objects.filter(published_at__isnull=False)


def _missing_data() -> QuerySet[Impact]:
    """Return the impacts by which data is missing now, and from when on.

    What one tenant alone went without is nobody else's business.
    """
    kinds = [ImpactKind.DATA_UNAVAILABLE, ImpactKind.DATA_LOST]
    return (
        Impact.objects.live()
        .filter(kind__in=kinds, until=None, tenant=None, data_from_at__isnull=False)
        .select_related("component")
        .order_by("data_from_at", "pk")
    )


def public_unresolved(*, touching: Collection[int] | None = None) -> QuerySet[Incident]:
    """Return the open ones of the public incidents, by newest activity."""
    found = public_bare(touching=touching)
    return found.exclude(phase=Phase.RESOLVED).order_by("-updated_at", "-id")


def public_recent(
    limit: int = LISTED, *, touching: Collection[int] | None = None
) -> QuerySet[Incident]:
    """Return the public incidents with the newest updates."""
    return public_bare(touching=touching).order_by("-updated_at", "-id")[:limit]


def public_touches(
    component_ids: Collection[int], *, since: datetime
) -> Iterator[tuple[int, Incident | Maintenance]]:
    """Yield what went on since then and customers may know of, with each of these components."""
    lasting = Incident.objects.public().filter(Q(resolved_at=None) | Q(resolved_at__gte=since))
    incidents = Incident.components.through.objects.filter(
        component_id__in=component_ids, incident__in=lasting
    )
    for touched in incidents.select_related("incident").order_by("incident_id"):
        yield touched.component_id, touched.incident
    # What was only noted as over took no time, and may never have been.
    took_time = Q(ended_at__isnull=True) | Q(ended_at__gt=F("began_at"))
    works = Maintenance.components.through.objects.filter(
        component_id__in=component_ids,
        maintenance__in=Maintenance.objects.public().filter(took_time, began_at__isnull=False),
    ).exclude(maintenance__ended_at__lt=since)
    for worked_on in works.select_related("maintenance").order_by("maintenance_id"):
        yield worked_on.component_id, worked_on.maintenance


def public_maintenances(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return planned work that customers may know of, with all that the page shows prefetched.

    The rows are maintenances with attributes more: ``told``, their updates, newest first, each
    with ``changes``; ``affected``, their components. What was said while only staff knew of it
    is not told. A fixed number of queries. ``touching`` as for incidents.
    """
    changes = MaintenanceChange.objects.select_related("component__group").order_by("pk")
    told = _told_of_work().prefetch_related(
        Prefetch("component_changes", changes, to_attr="changes")
    )
    return _public_work(touching).prefetch_related(
        Prefetch("updates", told, to_attr="told"),
        Prefetch("components", components(), to_attr="affected"),
    )


def public_calendar(*, since: datetime, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return what a calendar carries, in the order of the plan: the rows with ``told`` alone.

    All that are to come or that run, and those whose time ended after ``since``.
    """
    kept = ~Q(state__in=FINISHED) | Q(scheduled_until__gt=since)
    return (
        _public_work(touching)
        .filter(kept)
        .soonest_first()
        .prefetch_related(Prefetch("updates", _told_of_work(), to_attr="told"))
    )


def _public_work(touching: Collection[int] | None) -> MaintenanceQuerySet:
    found = Maintenance.objects.public()
    if touching is None:
        return found
    return found.filter(pk__in=Maintenance.objects.filter(components__in=touching).values("pk"))


def _told_of_work() -> MaintenanceUpdateQuerySet:
    """Return what customers were told, newest first; staff may have said more among themselves."""
    return MaintenanceUpdate.objects.filter(
        published_at__gte=F("maintenance__published_at")
    ).newest_first()


def public_past_maintenances(*, touching: Collection[int] | None = None) -> QuerySet[Any]:
    """Return the public maintenances that are over, by the time at which they are ``dated``."""
    found = public_maintenances(touching=touching).filter(state__in=FINISHED)
    dated: QuerySet[Any] = found.alias(dated=Least("scheduled_for", "ended_at"))
    return dated.order_by("-dated", "-id")


def hidden_incidents(
    incident_ids: Collection[int], *, touching: Collection[int] | None = None
) -> QuerySet[Incident]:
    """Return those of these incidents that are not public, or are of other components."""
    # Of these alone: else PostgreSQL would list all of history to see who is not in it.
    shown = public_bare(touching=touching).filter(pk__in=incident_ids).values("pk")
    return Incident.objects.filter(pk__in=incident_ids).exclude(pk__in=shown)


def public_ids(*, touching: Collection[int] | None = None) -> set[str]:
    """Return the public ids of all that is public, incidents and maintenances."""
    return {
        public_id
        for found in (public_incidents(touching=touching), public_maintenances(touching=touching))
        for public_id in found.prefetch_related(None).values_list("public_id", flat=True)
    }


def named(public_ids: Collection[str]) -> list[Incident | Maintenance]:
    """Return what has these public ids, whether it is public or not."""
    return [
        *Incident.objects.filter(public_id__in=public_ids),
        *Maintenance.objects.filter(public_id__in=public_ids),
    ]


def recently_changed_maintenances(limit: int = LISTED) -> QuerySet[Maintenance]:
    """Return the maintenances that changed last, public or not."""
    return Maintenance.objects.order_by("-updated_at", "-id")[:limit]


def public_maintenance_ids(
    *, touching: Collection[int] | None = None, limit: int = LISTED
) -> set[int]:
    """Return the ids of those that lists carry: what is over no more than these have room for.

    All that are to come or that run; those with the newest activity.
    """
    found = _public_work(touching)
    return {
        *found.exclude(state__in=FINISHED).values_list("pk", flat=True),
        *found.order_by("-updated_at", "-id").values_list("pk", flat=True)[:limit],
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

    Those at work, those of incidents that are open, and those that ended in the last days; all of
    public incidents.
    """
    told = TenantProgress.objects.filter(report=OuterRef("pk"))
    is_recent = (
        Q(state__in=AT_WORK)
        | ~Q(incident__phase=Phase.RESOLVED)
        | Q(ended_at__gt=at - _TENANTS_ARE_TOLD)
    )
    return list(
        ProgressReport.objects.filter(is_recent, incident__in=Incident.objects.public())
        .filter(Exists(told))
        .with_halts()
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
            "eta_low_at", "eta_high_at", "eta_basis", "updated_at",
        )
    )  # fmt: skip
    return [dict(row) for row in rows]


def proofs() -> list[BackupProof]:
    """Return what is known of backups, by the name that customers read."""
    return list(BackupProof.objects.order_by("name", "pk"))


def touched(incident_ids: Collection[int], component_ids: Collection[int]) -> set[int]:
    """Return those of these incidents that concern at least one of these components."""
    found = Incident.objects.filter(pk__in=incident_ids, components__in=component_ids)
    return set(found.values_list("pk", flat=True))
