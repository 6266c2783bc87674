"""Deeds on what customers went without."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from incidents.models import Impact
from incidents.operations.record import announce, lock_incident, note
from incidents.times import refuse_out_of_time
from incidents.values import EntryKind, ImpactKind, When


def record_impact(
    *,
    incident_id: int,
    kind: ImpactKind,
    began_at: datetime,
    at: datetime,
    author: User | None,
    component_id: int | None = None,
    data_from_at: datetime | None = None,
    text: str = "",
) -> Impact:
    """Write down what customers go without since ``began_at``.

    ``data_from_at``: for missing data, the moment from which on it is missing.

    :raises OutOfTime: if one of these times is in a year that cannot be meant
    """
    refuse_out_of_time(began_at, data_from_at)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        impact = Impact(
            incident=incident,
            component_id=component_id,
            kind=kind,
            at=began_at,
            data_from_at=data_from_at,
            text=text,
        )
        impact.save(force_insert=True)
        note(
            incident,
            gettext("Impact: %s") % (text or kind.label),
            at=at,
            author=author,
            kind=EntryKind.NOTE,
            when=When(at=began_at),
            tags=["impact"],
        )
        announce(incident_id)
    return impact


def end_impact(*, impact_id: int, at: datetime) -> Impact:
    """Say that customers have it again, from ``at`` on. What is over stays as it is."""
    with transaction.atomic():
        impact = Impact.objects.select_for_update().get(pk=impact_id)
        if impact.until is None:
            impact.until = at
            impact.save(update_fields=["until"])
            announce(impact.incident_id)
    return impact
