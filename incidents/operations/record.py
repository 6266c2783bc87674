"""What every deed shares: the locked incident, the entry it leaves, the revision it keeps."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.db.models import Max
from django.forms.models import model_to_dict
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident, Revision, TimelineEntry
from incidents.operations.figures import keep_figures
from incidents.signals import public_state_changed
from incidents.values import EntryKind, Milestone, When


class EditedMeanwhile(Refused):
    code = "edited-meanwhile"
    message = _(
        "Somebody else has changed this meanwhile, and nothing was overwritten. Look at what it "
        "says now, then save yours again if it still holds."
    )


def refuse_outdated(version: int, read: int | None) -> None:
    """Refuse to change a row of which somebody has read another version; None: whatever it says.

    :raises EditedMeanwhile: if it was changed since
    """
    if read is not None and read != version:
        raise EditedMeanwhile


def lock_incident(incident_id: int) -> Incident:
    """Return the incident, locked until the transaction ends."""
    return Incident.objects.select_for_update().get(pk=incident_id)


def announce(incident_id: int | None) -> None:
    """Keep the incident's figures, and tell the page after the commit that something has changed.

    The last that a deed does. Robust: a listener's fault must not undo what was said.
    """
    if incident_id is not None:
        keep_figures(incident_id)
    transaction.on_commit(
        partial(public_state_changed.send_robust, sender=Incident, incident_id=incident_id)
    )


def note(
    incident: Incident,
    text: str,
    *,
    at: datetime,
    author: User | None,
    kind: EntryKind,
    when: When | None = None,
    milestone: str = "",
    **fields: Any,
) -> TimelineEntry:
    """Add the entry that a change leaves behind.

    A milestone that another live entry holds already is left there.
    """
    if milestone and holder_of(incident, milestone):
        milestone = ""
    entry = TimelineEntry(
        incident=incident,
        position=next_position(incident),
        kind=kind,
        text=text,
        milestone=milestone,
        created_by=author,
        recorded_at=at,
        **(when or When(at=at)).fields(),
        **fields,
    )
    entry.save(force_insert=True)
    if milestone:
        read_milestone(incident, milestone)
    return entry


def holder_of(incident: Incident, milestone: str) -> TimelineEntry | None:
    """Return the live entry that holds the milestone, if any."""
    return TimelineEntry.objects.live().filter(incident=incident, milestone=milestone).first()


def read_milestone(incident: Incident, milestone: str) -> None:
    """Bring the incident's cached reading of a milestone in line with the timeline.

    The end belongs to the phase: while that is resolved, the time of the end is the entry's.
    """
    if not milestone:
        return
    holder = holder_of(incident, milestone)
    if milestone == Milestone.RESOLVED and (
        not incident.is_resolved or holder is None or holder.at is None
    ):
        return
    incident.note_milestone(milestone, holder.at if holder else None)
    incident.save(update_fields=[f"{milestone}_at"])


def next_position(incident: Incident) -> float:
    """Return a position behind every entry that there is."""
    last = TimelineEntry.objects.filter(incident=incident).aggregate(last=Max("position"))["last"]
    return (last or 0.0) + 1.0


def keep_revision(
    row: models.Model,
    *,
    at: datetime,
    author: User | None,
    reason: str = "",
    also: Mapping[str, Any] | None = None,
) -> Revision:
    """Keep what the row in the database says now, before it is changed.

    ``also`` is kept with it: what other rows say on its behalf.
    """
    kind = ContentType.objects.get_for_model(row)
    stored = type(row)._default_manager.get(pk=row.pk)
    last = Revision.objects.filter(content_type=kind, object_id=row.pk).aggregate(
        last=Max("number")
    )["last"]
    revision = Revision(
        content_type=kind,
        object_id=row.pk,
        number=(last or 0) + 1,
        data=_plain(stored) | dict(also or {}),
        replaced_by=author,
        replaced_at=at,
        reason=reason[:200],
    )
    revision.save(force_insert=True)
    return revision


def _plain(row: models.Model) -> dict[str, Any]:
    """Return the row's own columns as JSON can hold them."""
    names: Iterable[str] = (
        field.name for field in row._meta.concrete_fields if not field.primary_key
    )
    values: Mapping[str, Any] = model_to_dict(row) | {
        field.name: field.value_from_object(row)
        for field in row._meta.concrete_fields
        if not field.editable
    }
    return {name: values[name] for name in names if name in values}
