"""What every deed on planned work shares: the locked row, what is told, components that follow."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db.models import OuterRef, Q, Subquery

from accounts.models import User
from incidents import spoken, wording
from incidents.models import (
    Component,
    ComponentChange,
    Incident,
    Maintenance,
    MaintenanceChange,
    MaintenanceUpdate,
)
from incidents.operations.history import move_component
from incidents.operations.record import announce
from incidents.values import ComponentStatus, zone

# A component with its status before.
Change = tuple[Component, str]


def lock_maintenance(maintenance_id: int) -> Maintenance:
    """Return the maintenance, locked until the transaction ends."""
    return Maintenance.objects.select_for_update().get(pk=maintenance_id)


def not_before(maintenance: Maintenance, at: datetime) -> datetime:
    """Return ``at``, or the time of the newest update if that is later.

    Two callers took the time before either had the lock: what is told later is later.
    """
    newest = maintenance.updates.newest_first().values_list("published_at", flat=True).first()
    return max(at, newest) if newest else at


def tell(
    maintenance: Maintenance,
    code: str,
    *,
    body: str = "",
    at: datetime,
    author: User | None,
    changes: Sequence[Change] = (),
    deliver: bool | None = None,
    idempotency_key: str = "",
) -> MaintenanceUpdate:
    """Tell customers how far it is: in these words, or in those that go by the code."""
    said = words_for(maintenance, code, body)
    update = MaintenanceUpdate(
        maintenance=maintenance,
        state=maintenance.state,
        body=said.text,
        translations=dict(said.translations),
        author=author,
        idempotency_key=idempotency_key,
        deliver_notifications=maintenance.deliver_notifications if deliver is None else deliver,
        published_at=at,
    )
    update.save(force_insert=True)
    MaintenanceChange.objects.bulk_create(
        MaintenanceChange(
            update=update, component=component, old_status=before, new_status=component.status
        )
        for component, before in changes
    )
    maintenance.updated_at = at
    maintenance.save(update_fields=["updated_at"])
    announce(None)
    return update


def parts_of(maintenance: Maintenance) -> list[Component]:
    """Return its components, locked in the order in which everybody locks them."""
    ids = maintenance.components.values_list("pk", flat=True)
    return list(Component.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk"))


def unchanged(parts: Iterable[Component]) -> list[Change]:
    """Return components as an update names them that leaves them as they are."""
    return [(part, part.status) for part in parts]


def take_components(
    maintenance: Maintenance, *, at: datetime, only: Collection[int] | None = None
) -> list[Change]:
    """Put its components under maintenance; return all of them, each with its status before.

    One that is worse, by an open incident or by hand, stays so.
    """
    parts = _among(parts_of(maintenance), only)
    changes = unchanged(parts)
    if maintenance.component_status == ComponentStatus.UNDER_MAINTENANCE:
        for part in parts:
            if part.status == ComponentStatus.OPERATIONAL:
                move_component(part, ComponentStatus.UNDER_MAINTENANCE, at=at)
    return changes


def release_components(
    maintenance: Maintenance, *, at: datetime, only: Collection[int] | None = None
) -> list[Change]:
    """Make its components work again; return all of them, each with its status before.

    One that is not under maintenance any more stays as it is, and so does one on which another
    maintenance is at work, or that an open incident has put there.
    """
    parts = _among(parts_of(maintenance), only)
    changes = unchanged(parts)
    if maintenance.component_status == ComponentStatus.UNDER_MAINTENANCE:
        # Asked once the components are locked: of two that finish at once, the second lets go.
        held = worked_on(except_for=maintenance) | _held_by_incidents()
        for part in parts:
            if part.status == ComponentStatus.UNDER_MAINTENANCE and part.pk not in held:
                move_component(part, ComponentStatus.OPERATIONAL, at=at)
    return changes


def _among(parts: list[Component], only: Collection[int] | None) -> list[Component]:
    return [part for part in parts if only is None or part.pk in only]


def _held_by_incidents() -> set[int]:
    """Return the ids of the components that open incidents have under maintenance.

    One of which an incident said something else last was put there by the maintenance itself.
    """
    said = ComponentChange.objects.filter(
        component=OuterRef("component"), update__incident=OuterRef("incident")
    ).order_by("-pk")
    held = Incident.components.through.objects.filter(incident__in=Incident.objects.open())
    found = held.annotate(said=Subquery(said.values("new_status")[:1])).filter(
        Q(said=None) | Q(said=ComponentStatus.UNDER_MAINTENANCE)
    )
    return set(found.values_list("component", flat=True))


def worked_on(*, except_for: Maintenance | None = None) -> set[int]:
    """Return the ids of the components that a running maintenance keeps under maintenance."""
    running = Maintenance.objects.running().filter(
        component_status=ComponentStatus.UNDER_MAINTENANCE
    )
    if except_for is not None:
        running = running.exclude(pk=except_for.pk)
    return set(Component.objects.filter(maintenances__in=running).values_list("pk", flat=True))


def words_for(maintenance: Maintenance, code: str, body: str = "") -> wording.Wording:
    """Return what customers are told: these words, or the usual ones that go by the code."""
    if body.strip():
        return wording.Wording(text=body, translations={})
    here = zone(maintenance.tz)
    return wording.update_wording(
        code,
        lambda: {
            "begins": spoken.moment_within(maintenance.scheduled_for, here),
            "ends": spoken.moment_within(maintenance.scheduled_until, here),
        },
    )
