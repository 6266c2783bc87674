"""Deeds on the timeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident, TimelineEntry
from incidents.operations.record import (
    announce,
    holder_of,
    keep_revision,
    lock_incident,
    next_position,
    read_milestone,
)
from incidents.times import refuse_out_of_time
from incidents.values import EntryKind, Milestone, Source, When


class EndsBeforeStart(Refused):
    code = "ends-before-start"
    message = _("The end is before the start. Give the end a later time, or its date.")


class ExternalIdTaken(Refused):
    code = "external-id-taken"
    message = _("This external id belongs to an entry of another incident. Send another one.")


class CorrectTheUpdate(Refused):
    code = "correct-the-update"
    message = _("This entry is what customers were told. Correct the update instead.")


class ResolveInstead(Refused):
    code = "resolve-instead"
    message = _("The incident is open. Resolve it, and the timeline says so by itself.")


class MilestoneTaken(Refused):
    code = "milestone-taken"
    message = _("Another entry marks this milestone. Take it off there first.")


def add_entry(
    *,
    incident_id: int,
    text: str,
    when: When,
    at: datetime,
    author: User | None,
    kind: EntryKind = EntryKind.EVENT,
    tags: Sequence[str] = (),
    outcome: str = "",
    milestone: str = "",
    is_public: bool = False,
    actor_label: str = "",
    source: Source = Source.WEB,
    external_id: str = "",
    evidence_url: str = "",
) -> TimelineEntry:
    """Write down something that happened. ``when`` is its own time, ``at`` that of writing.

    ``evidence_url`` is a link to what shows that it is so.

    The same ``source`` and ``external_id`` again returns the entry that is there.

    :raises EndsBeforeStart: if the range runs backwards
    :raises OutOfTime: if it is in a year that cannot be meant
    :raises MilestoneTaken: if another live entry of the incident holds the milestone
    :raises ResolveInstead: if an open incident is to get the milestone of its end
    :raises ExternalIdTaken: if an entry of another incident has the external id
    """
    _refuse_impossible(when)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if external_id and (known := _known(source, external_id)):
            if known.incident_id != incident_id:
                raise ExternalIdTaken
            return known
        _refuse_early_end(incident, milestone)
        if milestone and holder_of(incident, milestone):
            raise MilestoneTaken
        entry = TimelineEntry(
            incident=incident,
            position=next_position(incident),
            kind=kind,
            text=text,
            tags=list(tags),
            outcome=outcome,
            milestone=milestone,
            is_public=is_public,
            actor_label=actor_label,
            source=source,
            external_id=external_id,
            created_by=author,
            recorded_at=at,
            **when.fields(),
        )
        entry.save(force_insert=True)
        if evidence_url:
            entry.evidence.create(url=evidence_url)
        read_milestone(incident, milestone)
        announce(incident_id)
    return entry


def edit_entry(
    *,
    entry_id: int,
    at: datetime,
    author: User | None,
    when: When | None = None,
    reason: str = "",
    **changes: Any,
) -> TimelineEntry:
    """Change what an entry says, or when it was. What it said before is kept as a revision.

    ``changes``: any of text, tags, outcome, milestone, is_public, is_pinned, kind, position.

    :raises EndsBeforeStart: if the range runs backwards
    :raises OutOfTime: if it is in a year that cannot be meant
    :raises MilestoneTaken: if another live entry of the incident holds the milestone
    :raises ResolveInstead: if an open incident is to get the milestone of its end
    :raises CorrectTheUpdate: if the text is what customers were told
    """
    unknown = set(changes) - {
        "text", "tags", "outcome", "milestone", "is_public", "is_pinned", "kind", "position",
    }  # fmt: skip
    if unknown:
        raise TypeError(f"An entry has no {', '.join(sorted(unknown))} to edit.")
    if when is not None:
        _refuse_impossible(when)
        changes |= when.fields()
    with transaction.atomic():
        entry = TimelineEntry.objects.select_related("incident").get(pk=entry_id)
        incident = lock_incident(entry.incident_id)
        milestone = changes.get("milestone", "")
        _refuse_early_end(incident, milestone)
        if changes.get("text", entry.text) != entry.text and hasattr(entry, "update"):
            raise CorrectTheUpdate
        if milestone and (holder := holder_of(incident, milestone)) and holder.pk != entry_id:
            raise MilestoneTaken
        keep_revision(entry, at=at, author=author, reason=reason)
        before = entry.milestone
        for name, value in changes.items():
            setattr(entry, name, value)
        entry.edited_at = at
        entry.save(update_fields=[*changes, "edited_at"])
        read_milestone(incident, before)
        read_milestone(incident, entry.milestone)
        announce(incident.pk)
    return entry


def delete_entry(*, entry_id: int, at: datetime, author: User | None) -> TimelineEntry:
    """Take an entry off the timeline. It can be brought back."""
    return _set_deleted(entry_id, deleted_at=at, at=at, author=author)


def restore_entry(*, entry_id: int, at: datetime, author: User | None) -> TimelineEntry:
    """Bring a deleted entry back.

    :raises MilestoneTaken: if another entry holds its milestone by now
    """
    return _set_deleted(entry_id, deleted_at=None, at=at, author=author)


def _set_deleted(
    entry_id: int, *, deleted_at: datetime | None, at: datetime, author: User | None
) -> TimelineEntry:
    with transaction.atomic():
        entry = TimelineEntry.objects.get(pk=entry_id)
        incident = lock_incident(entry.incident_id)
        if deleted_at is None and entry.milestone and holder_of(incident, entry.milestone):
            raise MilestoneTaken
        keep_revision(entry, at=at, author=author)
        entry.deleted_at = deleted_at
        entry.save(update_fields=["deleted_at"])
        if entry.milestone in Milestone.values:
            read_milestone(incident, entry.milestone)
        announce(incident.pk)
    return entry


def _known(source: Source, external_id: str) -> TimelineEntry | None:
    return TimelineEntry.objects.filter(source=source, external_id=external_id).first()


def _refuse_early_end(incident: Incident, milestone: str) -> None:
    if milestone == Milestone.RESOLVED and not incident.is_resolved:
        raise ResolveInstead


def _refuse_impossible(when: When) -> None:
    refuse_out_of_time(when)
    if when.at is not None and when.until is not None and when.until < when.at:
        raise EndsBeforeStart
