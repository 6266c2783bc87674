"""Deeds on sub-incidents: what is part of something larger."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident
from incidents.operations.record import announce, note
from incidents.values import EntryKind


class NoSuchWhole(Refused):
    code = "no-such-whole"
    message = _("There is no such incident of which this could be a part. Leave it out.")


class PartOfItself(Refused):
    code = "part-of-itself"
    message = _("An incident is not part of itself. Choose another.")


class PartOfAPart(Refused):
    code = "part-of-a-part"
    message = _("That one is part of another incident itself. Choose the one at the top.")


class HasParts(Refused):
    code = "has-parts"
    message = _("Other incidents are parts of this one. Make them parts of the other one first.")


class IsADuplicate(Refused):
    code = "is-a-duplicate"
    message = _("That one is marked as a duplicate. Choose the incident that it points to.")


def set_parent(*, incident_id: int, parent_id: int, at: datetime, author: User | None) -> Incident:
    """Make an incident part of another, for one level: parts have no parts.

    :raises PartOfItself: if both are the same
    :raises PartOfAPart: if the other is part of a third
    :raises HasParts: if the incident has parts
    :raises IsADuplicate: if the other is marked as a duplicate
    """
    if incident_id == parent_id:
        raise PartOfItself
    with transaction.atomic():
        rows = lock_both(incident_id, parent_id)
        incident, parent = rows[incident_id], rows[parent_id]
        if incident.parent_id == parent_id:
            return incident
        if parent.parent_id is not None:
            raise PartOfAPart
        if parent.duplicate_of_id is not None:
            raise IsADuplicate
        if incident.children.exists():
            raise HasParts
        before, incident.parent = incident.parent_id, parent
        incident.updated_at = at
        incident.save(update_fields=["parent", "updated_at"])
        _note(incident, gettext("Part of %s") % called(parent), at=at, author=author)
        _note(parent, gettext("Has a part: %s") % called(incident), at=at, author=author)
        if before is not None:
            announce(before)
        announce(incident_id)
        announce(parent_id)
    return incident


def remove_parent(*, incident_id: int, at: datetime, author: User | None) -> Incident:
    """Let an incident stand on its own again. One that does stays as it is."""
    with transaction.atomic():
        known = Incident.objects.values_list("parent_id", flat=True).get(pk=incident_id)
        rows = lock_both(incident_id, known or incident_id)
        incident = rows[incident_id]
        if incident.parent_id is None or incident.parent_id != known:
            return incident
        parent = rows[incident.parent_id]
        incident.parent = None
        incident.updated_at = at
        incident.save(update_fields=["parent", "updated_at"])
        _note(incident, gettext("No longer part of %s") % called(parent), at=at, author=author)
        _note(parent, gettext("No longer a part: %s") % called(incident), at=at, author=author)
        announce(incident_id)
        announce(parent.pk)
    return incident


def lock_both(*incident_ids: int) -> dict[int, Incident]:
    """Return incidents by id, locked in one order, whoever asks for which."""
    rows = Incident.objects.select_for_update().filter(pk__in=incident_ids).order_by("pk")
    return {row.pk: row for row in rows}


def called(incident: Incident) -> str:
    """Name an incident on the timeline of another: one that is private is not named."""
    return gettext("a private incident") if incident.is_private else str(incident)


def _note(incident: Incident, words: str, *, at: datetime, author: User | None) -> None:
    note(incident, words, at=at, author=author, kind=EntryKind.NOTE, tags=["parts"])
