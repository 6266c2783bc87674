"""What an update brings beside its words: states of components, and the end of impacts."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F

from incidents.models import Component, ComponentChange, Incident, StatusUpdate
from incidents.operations.history import move_component
from incidents.operations.maintenance.record import worked_on
from incidents.values import ComponentStatus, ImpactKind


def change_components(
    statuses: Mapping[int, ComponentStatus], *, at: datetime
) -> list[tuple[Component, str]]:
    """Set component statuses; return those that changed, each with its status before."""
    changed: list[tuple[Component, str]] = []
    parts = Component.objects.filter(pk__in=statuses, is_group=False)
    for component in parts.select_for_update().order_by("pk"):
        before = component.status
        if move_component(component, statuses[component.pk], at=at):
            changed.append((component, before))
    return changed


def repaired(
    incident: Incident, asked: Mapping[int, ComponentStatus]
) -> dict[int, ComponentStatus]:
    """Return what was asked for, and the incident's other components as working again.

    Those stay out that another open incident holds down; one on which a maintenance is at work
    goes back to that.
    """
    others = Incident.objects.open().moving_components().exclude(pk=incident.pk)
    held = Component.objects.filter(incidents__in=others)
    own = set(incident.components.exclude(pk__in=held.values("pk")).values_list("pk", flat=True))
    # All locks at once and in order, and before it is asked which maintenances are at work: one
    # that ends meanwhile has let go of them, or waits until it can.
    locked = Component.objects.select_for_update().filter(pk__in=own | asked.keys())
    list(locked.order_by("pk"))
    repaired = dict.fromkeys(own, ComponentStatus.OPERATIONAL)
    repaired |= dict.fromkeys(own & worked_on(), ComponentStatus.UNDER_MAINTENANCE)
    return repaired | dict(asked)


def record_changes(update: StatusUpdate, changed: list[tuple[Component, str]]) -> None:
    """Keep what an update said of components; those are the incident's from now on."""
    ComponentChange.objects.bulk_create(
        ComponentChange(
            update=update, component=component, old_status=before, new_status=component.status
        )
        for component, before in changed
    )
    update.incident.components.add(*(component for component, _before in changed))


def end_impacts(incident: Incident, *, at: datetime) -> None:
    """Say that customers have all again; what is lost does not come back by the incident's end."""
    still = incident.impacts.live().filter(until=None, at__lte=at)
    still.exclude(kind=ImpactKind.DATA_LOST).update(until=at, version=F("version") + 1)
