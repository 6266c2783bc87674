"""Keeping the figures of incidents: each deed that may change them counts them anew."""

from collections.abc import Iterator

from django.db import transaction

from incidents.models import Incident, IncidentFigures
from incidents.queries.figures import figures_row


def keep_figures(incident_id: int) -> bool:
    """Bring the kept figures of an incident in line with the record; return if they were not.

    In the caller's transaction, behind everything that it changes.
    """
    with transaction.atomic():
        # Whoever tells the page of an incident need not have locked it: of two who count at once,
        # the second counts what the first has written.
        kept = IncidentFigures.objects.select_for_update().filter(pk=incident_id).first()
        found = figures_row(Incident.objects.get(pk=incident_id))
        if kept is not None and _values(kept) == _values(found):
            return False
        found.save(force_insert=kept is None, force_update=kept is not None)
    return True


def rebuild_figures() -> Iterator[bool]:
    """Count the figures of every incident anew, one by one; yield of each if it was out of line."""
    for incident_id in Incident.objects.order_by("pk").values_list("pk", flat=True).iterator():
        yield keep_figures(incident_id)


def _values(row: IncidentFigures) -> list[object]:
    return [getattr(row, field.attname) for field in row._meta.concrete_fields]
