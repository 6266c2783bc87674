"""Deeds on what customers went without."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Impact
from incidents.operations.record import (
    announce,
    keep_revision,
    lock_incident,
    note,
    refuse_outdated,
)
from incidents.times import refuse_out_of_time
from incidents.values import EntryKind, ImpactKind, When


class ImpactEndsBeforeStart(Refused):
    code = "impact-ends-before-start"
    message = _("Customers cannot have it again before they went without. Correct one of the two.")


class ImpactRemoved(Refused):
    code = "impact-removed"
    message = _("This impact has been taken off the record. Bring it back first.")


def record_impact(
    *,
    incident_id: int,
    kind: ImpactKind,
    began_at: datetime,
    at: datetime,
    author: User | None,
    ended_at: datetime | None = None,
    component_id: int | None = None,
    tenant_id: int | None = None,
    data_from_at: datetime | None = None,
    text: str = "",
) -> Impact:
    """Write down what customers go without since ``began_at``, or went without until ``ended_at``.

    ``data_from_at``: for missing data, the moment from which on it is missing. What is of one
    tenant alone is for staff: no page shows it.

    :raises OutOfTime: if one of these times is in a year that cannot be meant
    :raises ImpactEndsBeforeStart: if it ends before it begins
    """
    _refuse_impossible(began_at, ended_at, data_from_at)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        impact = Impact(
            incident=incident,
            component_id=component_id,
            tenant_id=tenant_id,
            kind=kind,
            at=began_at,
            until=ended_at,
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
            when=When(at=began_at, until=ended_at),
            tags=["impact"],
        )
        announce(incident_id)
    return impact


def edit_impact(
    *,
    impact_id: int,
    kind: ImpactKind,
    began_at: datetime,
    ended_at: datetime | None,
    at: datetime,
    author: User | None,
    component_id: int | None = None,
    tenant_id: int | None = None,
    data_from_at: datetime | None = None,
    text: str = "",
    version: int | None = None,
) -> Impact:
    """Say it otherwise, in all its parts. What it said before is kept as a revision.

    :raises OutOfTime: if one of these times is in a year that cannot be meant
    :raises ImpactEndsBeforeStart: if it ends before it begins
    :raises ImpactRemoved: if it was taken off the record
    :raises EditedMeanwhile: if somebody else has changed it since ``version`` was read
    """
    _refuse_impossible(began_at, ended_at, data_from_at)
    with transaction.atomic():
        impact = Impact.objects.select_for_update().get(pk=impact_id)
        if impact.deleted_at is not None:
            raise ImpactRemoved
        refuse_outdated(impact.version, version)
        keep_revision(impact, at=at, author=author)
        impact.kind, impact.text = kind, text
        impact.at, impact.until, impact.data_from_at = began_at, ended_at, data_from_at
        impact.component_id, impact.tenant_id = component_id, tenant_id
        impact.edited_at = at
        impact.version += 1
        impact.save()
        announce(impact.incident_id)
    return impact


def end_impact(*, impact_id: int, at: datetime) -> Impact:
    """Say that customers have it again, from ``at`` on. What is over stays as it is."""
    with transaction.atomic():
        impact = Impact.objects.select_for_update().get(pk=impact_id)
        if impact.until is None:
            impact.until = at
            impact.version += 1
            impact.save(update_fields=["until", "version"])
            announce(impact.incident_id)
    return impact


def remove_impact(*, impact_id: int, at: datetime, author: User | None) -> Impact:
    """Take an impact off the record, and off the page. It can be brought back."""
    return _set_removed(impact_id, removed_at=at, at=at, author=author)


def restore_impact(*, impact_id: int, at: datetime, author: User | None) -> Impact:
    """Bring an impact back that was taken off the record."""
    return _set_removed(impact_id, removed_at=None, at=at, author=author)


def _set_removed(
    impact_id: int, *, removed_at: datetime | None, at: datetime, author: User | None
) -> Impact:
    with transaction.atomic():
        impact = Impact.objects.select_for_update().get(pk=impact_id)
        keep_revision(impact, at=at, author=author)
        impact.deleted_at = removed_at
        impact.save(update_fields=["deleted_at"])
        announce(impact.incident_id)
    return impact


def _refuse_impossible(
    began_at: datetime, ended_at: datetime | None, data_from_at: datetime | None
) -> None:
    refuse_out_of_time(began_at, ended_at, data_from_at)
    if ended_at is not None and ended_at < began_at:
        raise ImpactEndsBeforeStart
