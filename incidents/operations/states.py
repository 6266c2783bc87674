"""What an update brings beside its words: states of components, and the end of impacts."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F, OuterRef, Q, Subquery

from incidents.models import Component, ComponentChange, Incident, StatusInterval, StatusUpdate
from incidents.operations.history import move_component
from incidents.operations.maintenance.record import worked_on
from incidents.values import (
    ComponentStatus,
    ImpactKind,
    Phase,
    Source,
    UpdateState,
    Visibility,
)

# That a maintenance was at work then says nothing of now.
_NO_TROUBLE = (ComponentStatus.OPERATIONAL, ComponentStatus.UNDER_MAINTENANCE)


def change_components(
    statuses: Mapping[int, ComponentStatus], *, at: datetime
) -> list[tuple[Component, str]]:
    """Set component statuses; return the components, each with its status before."""
    said: list[tuple[Component, str]] = []
    parts = Component.objects.filter(pk__in=statuses, is_group=False)
    for component in parts.select_for_update().order_by("pk"):
        said.append((component, component.status))
        move_component(component, statuses[component.pk], at=at)
    return said


def repaired(
    incident: Incident, asked: Mapping[int, ComponentStatus]
) -> dict[int, ComponentStatus]:
    """Return what was asked for, and the incident's other components as working again.

    Those stay out that another open incident holds; one on which a maintenance is at work goes
    back to that.
    """
    own = set(incident.components.values_list("pk", flat=True)) - holders(incident).keys()
    if incident.duplicate_of is not None and not incident.duplicate_of.is_resolved:
        # Its original has taken them over, whoever may know of that.
        own -= set(incident.duplicate_of.components.values_list("pk", flat=True))
    # All locks at once and in order, and before it is asked which maintenances are at work: one
    # that ends meanwhile has let go of them, or waits until it can.
    locked = Component.objects.select_for_update().filter(pk__in=own | asked.keys())
    list(locked.order_by("pk"))
    repaired = dict.fromkeys(own, ComponentStatus.OPERATIONAL)
    repaired |= dict.fromkeys(own & worked_on(), ComponentStatus.UNDER_MAINTENANCE)
    return repaired | dict(asked)


def before_its_end(incident: Incident) -> dict[int, ComponentStatus]:
    """Return how a resolved incident's components were until its end, by id.

    That is what suffered then and shows as working now; what somebody has said otherwise of since
    then stays out.
    """
    last = incident.updates.published().filter(
        phase=Phase.RESOLVED, published_at=incident.resolved_at
    )
    if word := last.newest_first().first():
        were = dict(word.component_changes.values_list("component", "old_status"))
    else:
        # It ended without a word.
        ended = StatusInterval.objects.filter(
            component__in=incident.components.all(), ended_at=incident.resolved_at
        )
        were = dict(ended.values_list("component", "status"))
    suffered = {pk: status for pk, status in were.items() if status not in _NO_TROUBLE}
    works = Component.objects.filter(pk__in=suffered, status=ComponentStatus.OPERATIONAL)
    return {pk: ComponentStatus(suffered[pk]) for pk in works.values_list("pk", flat=True)}


def holders(incident: Incident) -> dict[int, list[Incident]]:
    """Return, by the id of a component of the incident, the other open ones that hold it.

    That is one that customers see, or shall once its first words are approved, and that has
    itself said last that the component does not work. What an alert only names, nobody has said.
    """
    told = Q(published_at__isnull=False) | Q(updates__state=UpdateState.IN_REVIEW)
    others = Incident.objects.open().moving_components().filter(told, visibility=Visibility.PUBLIC)
    said = ComponentChange.objects.filter(
        update__state=UpdateState.PUBLISHED,
        update__incident=OuterRef("incident"),
        component=OuterRef("component"),
    ).order_by("-update__published_at", "-pk")
    silent = Q(said=None) & ~Q(incident__source=Source.WEBHOOK)
    down = Q(said__isnull=False) & ~Q(said=ComponentStatus.OPERATIONAL)
    links = Incident.components.through.objects.exclude(incident=incident).filter(
        component__in=incident.components.all(), incident__in=others
    )
    links = links.annotate(said=Subquery(said.values("new_status")[:1])).filter(silent | down)
    found: dict[int, list[Incident]] = {}
    for link in links.select_related("incident").order_by("incident"):
        found.setdefault(link.component_id, []).append(link.incident)
    return found


def merely_named(incident: Incident) -> set[int]:
    """Return the ids of the components that an alert has named, and of which nobody said a word."""
    if incident.source != Source.WEBHOOK:
        return set()
    said = ComponentChange.objects.filter(update__incident=incident).values("component")
    return set(incident.components.exclude(pk__in=said).values_list("pk", flat=True))


def record_changes(update: StatusUpdate, said: list[tuple[Component, str]]) -> None:
    """Keep what an update said of components, each with its status before.

    Those that it changed, or that do not work, are the incident's from now on.
    """
    ComponentChange.objects.bulk_create(
        ComponentChange(
            update=update, component=component, old_status=before, new_status=component.status
        )
        for component, before in said
    )
    update.incident.components.add(
        *(
            component
            for component, before in said
            if component.status != ComponentStatus.OPERATIONAL or component.status != before
        )
    )


def end_impacts(incident: Incident, *, at: datetime) -> None:
    """Say that customers have all again; what is lost does not come back by the incident's end."""
    still = incident.impacts.live().filter(until=None, at__lte=at)
    still.exclude(kind=ImpactKind.DATA_LOST).update(until=at, version=F("version") + 1)
