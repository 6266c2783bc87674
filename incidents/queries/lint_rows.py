"""The rows that the lint looks at: fetched in as many queries, whatever there is."""

from dataclasses import dataclass

from django.db.models import Q

from incidents.models import (
    ActionItem,
    Impact,
    Incident,
    Postmortem,
    PostmortemSection,
    Promise,
    RootCause,
    StatusUpdate,
    TimelineEntry,
)
from incidents.models.timeline import in_order
from incidents.values import Precision, PromiseKind, UpdateState, Visibility

# Of incidents that hang together with this one, so many entries are compared.
_COMPARED = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one incident. ``told`` are its updates by entry, ``related`` others' entries."""

    incident: Incident
    entries: list[TimelineEntry]
    told: dict[int, StatusUpdate]
    causes: list[RootCause]
    actions: list[ActionItem]
    impacts: list[Impact]
    promises: list[Promise]
    sections: list[PostmortemSection]
    related: list[TimelineEntry]
    document: str


def rows_of(incident_id: int) -> Rows:
    """Fetch what the lint looks at.

    :raises Incident.DoesNotExist: if there is none
    """
    incident = Incident.objects.get(pk=incident_id)
    updates = StatusUpdate.objects.filter(incident=incident, state=UpdateState.PUBLISHED)
    written = Postmortem.objects.filter(incident=incident).values_list("document", flat=True)
    return Rows(
        incident=incident,
        entries=in_order(TimelineEntry.objects.live().filter(incident=incident)),
        told={update.entry_id: update for update in updates if update.entry_id is not None},
        causes=list(RootCause.objects.live().filter(incident=incident).in_order()),
        actions=list(
            ActionItem.objects.filter(incident=incident).select_related("owner").order_by("pk")
        ),
        impacts=list(Impact.objects.live().filter(incident=incident).order_by("at", "pk")),
        promises=list(
            Promise.objects.filter(incident=incident, kind=PromiseKind.ETA)
            .select_related("made_in")
            .order_by("made_at", "pk")
        ),
        sections=list(
            PostmortemSection.objects.live().filter(postmortem__incident=incident).in_order()
        ),
        related=_related(incident),
        document="".join(written),
    )


def _related(incident: Incident) -> list[TimelineEntry]:
    """Return the entries of its whole, its parts and what tells of the same; nothing private."""
    beside = Q(parent=incident) | Q(duplicate_of=incident)
    beside |= Q(pk__in=[pk for pk in (incident.parent_id, incident.duplicate_of_id) if pk])
    return list(
        TimelineEntry.objects.live()
        .filter(
            precision=Precision.MINUTE,
            incident__in=Incident.objects.filter(beside).exclude(visibility=Visibility.PRIVATE),
        )
        .select_related("incident")
        .order_by("incident", "at", "pk")[:_COMPARED]
    )
