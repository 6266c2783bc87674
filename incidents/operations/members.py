"""Deeds on who may know of a private incident."""

from datetime import datetime

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident, Revision
from incidents.operations.record import lock_incident, note
from incidents.values import EntryKind, Visibility


class NotPrivate(Refused):
    code = "not-private"
    message = _("Everybody at the desk knows of this incident. Make it private first.")


class HoldsARole(Refused):
    code = "holds-a-role"
    message = _("They hold a role here. Give that to somebody else first.")


class LastMember(Refused):
    code = "last-member"
    message = _("Nobody else may know of it. Add somebody before this one goes.")


class ToldInPrivate(Refused):
    code = "told-in-private"
    message = _(
        "Updates or promises were written while it was private, and customers would read them. "
        "Leave it to staff, and declare another incident for customers."
    )


def add_member(*, incident_id: int, user: User, at: datetime, author: User | None) -> Incident:
    """Let somebody know of a private incident. Who is a member already stays one.

    :raises NotPrivate: if everybody knows of it
    """
    with transaction.atomic():
        incident = _private(incident_id)
        if not incident.members.filter(pk=user.pk).exists():
            incident.members.add(user)
            _note(incident, gettext("Added: %s may know of it"), user, at=at, author=author)
    return incident


def remove_member(*, incident_id: int, user: User, at: datetime, author: User | None) -> Incident:
    """Let somebody know of a private incident no longer. What they have read, they have read.

    :raises NotPrivate: if everybody knows of it
    :raises HoldsARole: if they hold a role in it
    :raises LastMember: if nobody would be left
    """
    with transaction.atomic():
        incident = _private(incident_id)
        if not incident.members.filter(pk=user.pk).exists():
            return incident
        if incident.roles.filter(holder=user, until_at=None).exists():
            raise HoldsARole
        if incident.members.count() == 1:
            raise LastMember
        incident.members.remove(user)
        _note(incident, gettext("Removed: %s"), user, at=at, author=author)
    return incident


def let_in_who_works(incident: Incident, *, author: User | None) -> None:
    """Make whoever has made it private, and whoever holds a role in it, members."""
    incident.members.add(
        *incident.roles.filter(until_at=None).values_list("holder", flat=True),
        *([author.pk] if author is not None else []),
    )


def refuse_told_in_private(incident: Incident) -> None:
    """Refuse to show customers an incident in which something was said while it was private.

    :raises ToldInPrivate: if there is an update, or a promise, of such a time
    """
    since: datetime | None = None
    stretches: list[tuple[datetime | None, datetime | None]] = []
    kept = Revision.objects.filter(
        content_type=ContentType.objects.get_for_model(incident), object_id=incident.pk
    ).order_by("number")
    rows = kept.values_list("data__visibility", "replaced_at")
    for visibility, until in [*rows, (incident.visibility, None)]:
        if visibility == Visibility.PRIVATE:
            stretches.append((since, until))
        since = until
    for began, ended in stretches:
        told, given = incident.updates.published(), incident.promises.all()
        if began is not None:
            told, given = told.filter(published_at__gte=began), given.filter(made_at__gte=began)
        if ended is not None:
            told, given = told.filter(published_at__lt=ended), given.filter(made_at__lt=ended)
        if told.exists() or given.exists():
            raise ToldInPrivate


def _private(incident_id: int) -> Incident:
    incident = lock_incident(incident_id)
    if not incident.is_private:
        raise NotPrivate
    return incident


def _note(incident: Incident, words: str, user: User, *, at: datetime, author: User | None) -> None:
    note(
        incident,
        words % user.label(),
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        tags=["members"],
    )
