"""Deeds on duplicates: one trouble that was declared twice."""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents import wording
from incidents.errors import Refused
from incidents.models import Incident, TimelineEntry
from incidents.operations.closing import resolve_untold
from incidents.operations.incident import reopen_in
from incidents.operations.parents import IsADuplicate, called, lock_both
from incidents.operations.record import announce, note
from incidents.operations.updates import publish_in
from incidents.values import EntryKind, Phase

_TAG, _CLOSED = "duplicate", "closed"


class DuplicateOfItself(Refused):
    code = "duplicate-of-itself"
    message = _("An incident is no duplicate of itself. Choose another.")


class HasDuplicates(Refused):
    code = "has-duplicates"
    message = _(
        "Others are marked as duplicates of this one. Mark them as duplicates of the other one "
        "first."
    )


class HasOwnParts(Refused):
    code = "has-own-parts"
    message = _("Other incidents are parts of this one. Let them stand on their own first.")


class MarkedAlready(Refused):
    code = "marked-already"
    message = _("It is marked as a duplicate of another incident. Undo that first.")


class NotADuplicate(Refused):
    code = "not-a-duplicate"
    message = _("It is not marked as a duplicate. There is nothing to undo.")


def mark_duplicate(
    *, incident_id: int, original_id: int, at: datetime, author: User | None
) -> Incident:
    """Say that an incident is the same as another one, and end it if it is open.

    Customers who were told of it read that it goes on at the other, by name if they may know of
    that; nobody else is told anything. The other one takes over its components while it is open,
    so that nothing is shown as working before it does.

    :raises DuplicateOfItself: if both are the same
    :raises IsADuplicate: if the other is itself marked as a duplicate
    :raises HasDuplicates: if others are marked as duplicates of this one
    :raises HasOwnParts: if others are parts of this one
    :raises MarkedAlready: if it is marked as a duplicate of a third
    """
    if incident_id == original_id:
        raise DuplicateOfItself
    with transaction.atomic():
        rows = lock_both(incident_id, original_id)
        incident, original = rows[incident_id], rows[original_id]
        if incident.duplicate_of_id == original_id:
            return incident
        _refuse_chain(incident, original)
        incident.duplicate_of = original
        incident.updated_at = at
        incident.save(update_fields=["duplicate_of", "updated_at"])
        closes = not incident.is_resolved
        _note(
            incident,
            gettext("Duplicate of %s") % called(original),
            tags=[_TAG, _CLOSED] if closes else [_TAG],
            at=at,
            author=author,
        )
        words = gettext("Has a duplicate: %s") % called(incident)
        _note(original, words, tags=[_TAG], at=at, author=author)
        if closes:
            _close(incident, original, at=at, author=author)
        announce(incident_id)
    return incident


def unmark_duplicate(*, incident_id: int, at: datetime, author: User | None) -> Incident:
    """Take that back. If the mark ended the incident, it is open again, and customers hear so.

    The components that the other one took over stay with it.

    :raises NotADuplicate: if it is not marked
    """
    with transaction.atomic():
        known = Incident.objects.values_list("duplicate_of_id", flat=True).get(pk=incident_id)
        rows = lock_both(incident_id, known or incident_id)
        incident = rows[incident_id]
        if incident.duplicate_of_id is None or incident.duplicate_of_id != known:
            raise NotADuplicate
        original = rows[incident.duplicate_of_id]
        words = gettext("Not a duplicate: %s")
        _note(original, words % called(incident), tags=[_TAG], at=at, author=author)
        text = gettext("Not a duplicate of %s after all") % called(original)
        if incident.is_resolved and _mark_has_closed(incident):
            reopen_in(incident, text, at=at, author=author, component_statuses={})
        else:
            incident.duplicate_of = None
            incident.save(update_fields=["duplicate_of"])
            _note(incident, text, tags=[_TAG], at=at, author=author)
            announce(incident_id)
    return incident


def _refuse_chain(incident: Incident, original: Incident) -> None:
    if original.duplicate_of_id is not None:
        raise IsADuplicate
    if incident.duplicate_of_id is not None:
        raise MarkedAlready
    if incident.duplicates.exists():
        raise HasDuplicates
    if incident.children.exists():
        raise HasOwnParts


def _close(incident: Incident, original: Incident, *, at: datetime, author: User | None) -> None:
    if incident.moves_components and original.moves_components and not original.is_resolved:
        original.components.add(*incident.components.all())
        announce(original.pk)
    if not incident.is_public:
        resolve_untold(incident, at=at, author=author)
        return
    title = original.title if original.is_public else ""
    said = wording.in_every_language(partial(wording.duplicate_words, title))
    publish_in(
        incident,
        body=said.text,
        translations=said.translations,
        phase=Phase.RESOLVED,
        at=at,
        author=author,
        component_statuses={},
    )


def _mark_has_closed(incident: Incident) -> bool:
    marks = TimelineEntry.objects.filter(incident=incident, tags__contains=[_TAG])
    newest = marks.order_by("-pk").first()
    return newest is not None and _CLOSED in newest.tags


def _note(
    incident: Incident, words: str, *, tags: list[str], at: datetime, author: User | None
) -> None:
    note(incident, words, at=at, author=author, kind=EntryKind.NOTE, tags=tags)
