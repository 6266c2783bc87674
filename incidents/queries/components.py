"""Questions about components and their history."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from incidents.models import Component, StatusInterval


def components() -> QuerySet[Component]:
    """Return every component and group, by position among siblings."""
    return Component.objects.in_order().select_related("group")


def component_tree() -> QuerySet[Component]:
    """Return the same for forms: each group with its members right behind it."""
    return Component.objects.in_tree()


def status_intervals(
    component_ids: Collection[int], *, since: datetime
) -> QuerySet[StatusInterval]:
    """Return how these components were since then, oldest first by component.

    The first of each may have begun before; the last has no end.
    """
    return StatusInterval.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=since), component_id__in=component_ids
    ).oldest_first()


def status_during(component_id: int, since: datetime, until: datetime) -> list[StatusInterval]:
    """Return how a component was during a stretch of time, oldest first, cut to the stretch."""
    found = list(status_intervals([component_id], since=since).filter(began_at__lt=until))
    for interval in found:
        interval.began_at = max(interval.began_at, since)
        interval.ended_at = min(interval.ended_at or until, until)
    return found
