"""Finding out what a page shows."""

from incidents import queries
from incidents.models import Maintenance
from statuspage.documents.scope import Scope
from statuspage.models import Page


def scope_of(page: Page) -> Scope:
    """Return what a page shows now. A group that is chosen stands for all its members."""
    everything = list(queries.components())
    if page.shows_everything:
        return Scope(components=everything, touching=None)
    chosen = set(page.components.values_list("pk", flat=True))
    shown = {part.pk for part in everything if {part.pk, part.group_id} & chosen}
    groups = {part.group_id for part in everything if part.pk in shown}
    return Scope(
        components=[part for part in everything if part.pk in shown | groups],
        touching=frozenset(shown),
    )


def concerns(page: Page, incident_id: int) -> bool:
    """Whether the incident is one that this page shows, if it is public."""
    touching = _touching(page)
    return touching is None or bool(queries.touched([incident_id], touching))


def concerns_maintenance(page: Page, maintenance: Maintenance) -> bool:
    """Whether the maintenance is one that this page shows, if it is public."""
    touching = _touching(page)
    return touching is None or maintenance.components.filter(pk__in=touching).exists()


def _touching(page: Page) -> frozenset[int] | None:
    return None if page.shows_everything else scope_of(page).touching
