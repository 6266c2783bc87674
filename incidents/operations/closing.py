"""Deeds that end an incident of which customers were never told, without a word to them."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident
from incidents.operations.drafts import ReasonMissing
from incidents.operations.promises import IncidentResolved, close_promises
from incidents.operations.record import announce, lock_incident, note
from incidents.operations.states import (
    change_components,
    end_impacts,
    merely_named,
    repaired,
)
from incidents.operations.updates import move_phase
from incidents.values import FALSE_ALARM, EntryKind, Milestone, Phase


class ToldAlready(Refused):
    code = "told-already"
    message = _("Customers were told of this incident. Resolve it, and tell them so.")


def close_untold(*, incident_id: int, reason: str, at: datetime, author: User | None) -> Incident:
    """End an incident of which customers were never told, without a word to them: a false alarm.

    The reason stands on the timeline. The page never shows it, not even in its history.

    :raises IncidentResolved: if it is over already
    :raises ToldAlready: if customers were told of it
    :raises ReasonMissing: without a reason
    """
    if not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if incident.is_resolved:
            raise IncidentResolved
        if incident.published_at is not None:
            raise ToldAlready
        # Where they never were to hear of it, that they did not is no news.
        words = (
            gettext("Closed without telling customers: %s")
            if incident.is_for_customers
            else gettext("Closed as a false alarm: %s")
        )
        said = words % reason.strip()
        resolve_untold(incident, at=at, author=author, words=said, tags=[FALSE_ALARM])
        announce(incident_id)
    return incident


def resolve_untold(
    incident: Incident,
    *,
    at: datetime,
    author: User | None,
    words: str = "",
    tags: Iterable[str] = (),
) -> None:
    """End a locked incident of which customers do not know, without a word to them.

    ``words`` and ``tags`` are those of the entry that says so; empty for the usual words.
    """
    entry = note(
        incident,
        words or gettext("Phase: %s") % Phase.RESOLVED.label,
        at=at,
        author=author,
        kind=EntryKind.PHASE,
        milestone=Milestone.RESOLVED,
        tags=list(tags),
    )
    if incident.moves_components:
        named = merely_named(incident)
        works = repaired(incident, {})
        change_components({pk: works[pk] for pk in works.keys() - named}, at=at)
    end_impacts(incident, at=at)
    move_phase(incident, Phase.RESOLVED, at=at)
    close_promises(incident, at=at, settled_by=entry)
