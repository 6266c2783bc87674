"""What programs may manage by the management API: what its page shows, and what they posted."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from incidents.models import (
    Incident,
    MaintenanceTemplate,
    MaintenanceUpdate,
    MessageTemplate,
    StatusUpdate,
)
from incidents.queries.public import listed_parts, public_maintenances, published_accounts
from incidents.values import IncidentKind, TemplateKind, Visibility

_INCIDENT, _MAINTENANCE = "incident", "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Managed:
    """The ids of what one page of a list holds, in its order: what it is, and its id."""

    rows: list[tuple[str, int]]

    @property
    def incidents(self) -> list[int]:
        return [pk for kind, pk in self.rows if kind == _INCIDENT]

    @property
    def maintenances(self) -> list[int]:
        return [pk for kind, pk in self.rows if kind == _MAINTENANCE]


def managed_incidents(
    *, user_id: int, touching: Collection[int] | None = None
) -> QuerySet[Any, Any]:
    """Return the incidents of a page, as lists show them, for somebody's program.

    What customers may know of; and what this user has posted for customers while it waits for
    approval. Never what is internal, private or a drill. The rows come with ``told``,
    ``affected`` and ``account``, the published postmortem or None.
    """
    account = Prefetch("postmortem", published_accounts(), to_attr="account")
    return _bare(user_id, touching).prefetch_related(*listed_parts(), account)


def managed_maintenances(*, touching: Collection[int] | None = None) -> QuerySet[Any, Any]:
    """Return the planned work of a page, as lists show it."""
    return public_maintenances(touching=touching)


def managed_newest(
    *, user_id: int, touching: Collection[int] | None, text: str, first: int, limit: int
) -> Managed:
    """Return one page of a list of both, the newest first; only what holds the text, if any."""
    incidents: QuerySet[Any] = _bare(user_id, touching)
    works: QuerySet[Any] = public_maintenances(touching=touching).prefetch_related(None)
    if text:
        told = StatusUpdate.objects.told().filter(incident=OuterRef("pk"), body__icontains=text)
        said = MaintenanceUpdate.objects.filter(maintenance=OuterRef("pk"), body__icontains=text)
        account = Q(postmortem__public_body__icontains=text)
        incidents = incidents.filter(
            Q(title__icontains=text) | Q(phase__iexact=text) | account | Exists(told)
        )
        works = works.filter(Q(title__icontains=text) | Q(state__iexact=text) | Exists(said))
    of_incidents = incidents.annotate(
        what=Value(_INCIDENT), dated=Coalesce("started_at", "created_at")
    ).values_list("what", "pk", "dated")
    of_works = works.annotate(what=Value(_MAINTENANCE), dated=Coalesce("created_at", "created_at"))
    both = of_incidents.union(of_works.values_list("what", "pk", "dated"), all=True)
    rows = both.order_by("-dated", "-pk")[first : first + limit]
    return Managed(rows=[(what, pk) for what, pk, _dated in rows])


def templates_of_programs() -> list[MessageTemplate | MaintenanceTemplate]:
    """Return what staff have prepared for new incidents and for planned work, by name."""
    messages = MessageTemplate.objects.filter(kind=TemplateKind.INCIDENT)
    works = MaintenanceTemplate.objects.all()
    rows: list[MessageTemplate | MaintenanceTemplate] = [
        *messages.prefetch_related("components__group"),
        *works.prefetch_related("components__group"),
    ]
    return sorted(rows, key=lambda row: (row.name, row.pk))


def _bare(user_id: int, touching: Collection[int] | None) -> QuerySet[Incident]:
    known = Q(published_at__isnull=False) | Q(created_by=user_id)
    found = Incident.objects.filter(known, visibility=Visibility.PUBLIC)
    found = found.exclude(kind=IncidentKind.DRILL)
    if touching is None:
        return found
    return found.filter(pk__in=Incident.objects.filter(components__in=touching).values("pk"))
