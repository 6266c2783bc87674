"""Deeds on the timeline."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident, Revision, TimelineEntry
from incidents.models.timeline import in_order
from incidents.operations.evidence import refuse_other_links
from incidents.operations.record import (
    announce,
    holder_of,
    keep_revision,
    lock_incident,
    next_position,
    read_milestone,
    refuse_outdated,
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

    def __init__(self, holder: TimelineEntry) -> None:
        """``holder`` is the entry that marks it, with its incident."""
        self.holder = holder
        words = gettext(
            "“%(text)s” (entry %(number)s) marks “%(milestone)s”. Take it off there first."
        )
        super().__init__(
            words
            % {
                "text": Truncator(holder.text).chars(_QUOTED),
                "number": holder.pk,
                "milestone": holder.get_milestone_display(),
            },
            where=f"{holder.incident.get_absolute_url()}#e{holder.pk}",
        )


class PlacedByItsTime(Refused):
    code = "placed-by-its-time"
    message = _("This entry stands where its time puts it. Change the time to move it.")


class NothingBeside(Refused):
    code = "nothing-beside"
    message = _("The entry beside which it shall stand is not on the timeline. Choose another one.")


# Enough of an entry to know it again.
_QUOTED = 80
_EDITABLE = frozenset(
    {"text", "tags", "outcome", "milestone", "is_public", "is_pinned", "kind", "position"}
)
# What is the update's, where an entry is one: its words, its time, and that customers know them.
_TOLD = frozenset({"text", "kind", "is_public", "at", "until", "precision", "approx"})
# What a revision brings back: all that a person may change, but where it stands and is pinned.
_SAYS = ("text", "tags", "outcome", "milestone", "is_public", "kind")


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
    moves_from: int | None = None,
) -> TimelineEntry:
    """Write down something that happened. ``when`` is its own time, ``at`` that of writing.

    ``evidence_url`` is a link to what shows that it is so. ``moves_from`` is the entry from which
    the milestone is taken, if that marks it: there, what it said before is kept as a revision.

    The same ``source`` and ``external_id`` again returns the entry that is there.

    :raises EndsBeforeStart: if the range runs backwards
    :raises OutOfTime: if it is in a year that cannot be meant
    :raises MilestoneTaken: if another live entry of the incident holds the milestone
    :raises ResolveInstead: if an open incident is to get the milestone of its end
    :raises ExternalIdTaken: if an entry of another incident has the external id
    :raises LinkNotOfTheWeb: if the link is anything but http or https
    """
    _refuse_impossible(when)
    if evidence_url:
        refuse_other_links(evidence_url)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if external_id and (known := _known(source, external_id)):
            if known.incident_id != incident_id:
                raise ExternalIdTaken
            return known
        _refuse_early_end(incident, milestone)
        _free(incident, milestone, moves_from=moves_from, at=at, author=author)
        entry = TimelineEntry(
            incident=incident, position=next_position(incident), kind=kind, text=text,
            tags=list(tags), outcome=outcome, milestone=milestone, is_public=is_public,
            actor_label=actor_label, source=source, external_id=external_id, created_by=author,
            recorded_at=at, **when.fields(),
        )  # fmt: skip
        entry.save(force_insert=True)
        if evidence_url:
            entry.evidence.create(url=evidence_url, created_by=author, created_at=at)
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
    version: int | None = None,
    moves_from: int | None = None,
    **changes: Any,
) -> TimelineEntry:
    """Change what an entry says, or when it was. What it said before is kept as a revision.

    ``changes``: any of text, tags, outcome, milestone, is_public, is_pinned, kind, position.
    ``version`` is the one that was read: if the entry has another one by now, nothing is changed.
    Each edit raises it. An edit that changes nothing leaves no trace. ``moves_from`` is the entry
    from which the milestone is taken, if another one marks it.

    :raises EditedMeanwhile: if the entry was changed since it was read
    :raises EndsBeforeStart: if the range runs backwards
    :raises OutOfTime: if it is in a year that cannot be meant
    :raises MilestoneTaken: if another live entry of the incident holds the milestone
    :raises ResolveInstead: if an open incident is to get the milestone of its end
    :raises CorrectTheUpdate: if it would say otherwise what customers were told, or when
    """
    if unknown := set(changes) - _EDITABLE:
        raise TypeError(f"An entry has no {', '.join(sorted(unknown))} to edit.")
    if when is not None:
        _refuse_impossible(when)
        changes |= when.fields()
    with transaction.atomic():
        entry, incident = _hold(entry_id, version)
        changes = {name: new for name, new in changes.items() if getattr(entry, name) != new}
        if not changes:
            return entry
        milestone = changes.get("milestone", "")
        _refuse_early_end(incident, milestone)
        if changes.keys() & _TOLD and hasattr(entry, "update"):
            raise CorrectTheUpdate
        _free(incident, milestone, moves_from=moves_from, at=at, author=author)
        before = entry.milestone
        _change(entry, changes | {"edited_at": at}, at=at, author=author, reason=reason)
        read_milestone(incident, before)
        read_milestone(incident, entry.milestone)
        announce(incident.pk)
    return entry


def revert_entry(
    *, entry_id: int, number: int, at: datetime, author: User | None, version: int | None = None
) -> TimelineEntry:
    """Let an entry say again what its revision of this number holds. That is an edit, too.

    :raises EditedMeanwhile: if the entry was changed since it was read
    :raises MilestoneTaken: if another live entry holds the milestone that it had
    :raises ResolveInstead: if an open incident is to get the milestone of its end
    """
    kind = ContentType.objects.get_for_model(TimelineEntry)
    said = Revision.objects.get(content_type=kind, object_id=entry_id, number=number).data
    stated = {name: said[name] for name in When.__slots__}
    for name in ("at", "until"):
        stated[name] = datetime.fromisoformat(stated[name]) if stated[name] else None
    return edit_entry(
        entry_id=entry_id,
        at=at,
        author=author,
        when=When(**stated),
        reason=gettext("Brought back version %s") % said.get("version", number),
        version=version,
        **{name: said[name] for name in _SAYS},
    )


def place_entry(
    *,
    entry_id: int,
    beside_id: int,
    side: Literal["before", "after"],
    at: datetime,
    author: User | None,
    version: int | None = None,
) -> TimelineEntry:
    """Put an entry whose time is not known directly before or after another one.

    :raises EditedMeanwhile: if the entry was changed since it was read
    :raises PlacedByItsTime: if its time is known
    :raises NothingBeside: if the other one is not on the same timeline
    """
    with transaction.atomic():
        entry, incident = _hold(entry_id, version)
        if entry.at is not None:
            raise PlacedByItsTime
        live = TimelineEntry.objects.live().filter(incident=incident)
        others = [row for row in in_order(live) if row.pk != entry_id]
        beside = next((place for place, row in enumerate(others) if row.pk == beside_id), None)
        if beside is None:
            raise NothingBeside
        others.insert(beside + (side == "after"), entry)
        # Positions follow what is shown, so that the entry before it by position is the one before
        # it to the eye.
        for place, row in enumerate(others, start=1):
            row.position = float(place)
        TimelineEntry.objects.bulk_update(
            [row for row in others if row.pk != entry_id], ["position"]
        )
        _change(entry, {"position": entry.position, "edited_at": at}, at=at, author=author)
        announce(incident.pk)
    return entry


def delete_entry(
    *, entry_id: int, at: datetime, author: User | None, version: int | None = None
) -> TimelineEntry:
    """Take an entry off the timeline. It can be brought back.

    :raises EditedMeanwhile: if the entry was changed since it was read
    :raises CorrectTheUpdate: if it is what customers were told
    """
    with transaction.atomic():
        entry, incident = _hold(entry_id, version)
        if hasattr(entry, "update"):
            raise CorrectTheUpdate
        return _set_deleted(entry, incident, deleted_at=at, at=at, author=author)


def restore_entry(
    *, entry_id: int, at: datetime, author: User | None, version: int | None = None
) -> TimelineEntry:
    """Bring a deleted entry back.

    :raises EditedMeanwhile: if the entry was changed since it was read
    :raises MilestoneTaken: if another entry holds its milestone by now
    """
    with transaction.atomic():
        entry, incident = _hold(entry_id, version)
        holder = holder_of(incident, entry.milestone) if entry.milestone else None
        if holder is not None and holder.pk != entry_id:
            raise MilestoneTaken(holder)
        return _set_deleted(entry, incident, deleted_at=None, at=at, author=author)


def _set_deleted(
    entry: TimelineEntry,
    incident: Incident,
    *,
    deleted_at: datetime | None,
    at: datetime,
    author: User | None,
) -> TimelineEntry:
    if (entry.deleted_at is None) == (deleted_at is None):
        return entry
    _change(entry, {"deleted_at": deleted_at}, at=at, author=author)
    if entry.milestone in Milestone.values:
        read_milestone(incident, entry.milestone)
    announce(incident.pk)
    return entry


def _hold(entry_id: int, version: int | None) -> tuple[TimelineEntry, Incident]:
    """Return the entry as it stands once its incident is locked, and the incident."""
    incident_id = TimelineEntry.objects.values_list("incident_id", flat=True).get(pk=entry_id)
    incident = lock_incident(incident_id)
    entry = TimelineEntry.objects.get(pk=entry_id)
    refuse_outdated(entry.version, version)
    return entry, incident


def _change(
    entry: TimelineEntry,
    changes: dict[str, Any],
    *,
    at: datetime,
    author: User | None,
    reason: str = "",
) -> None:
    """Keep what the entry says, then let it say something else."""
    keep_revision(entry, at=at, author=author, reason=reason)
    for name, value in changes.items():
        setattr(entry, name, value)
    entry.version += 1
    entry.save(update_fields=[*changes, "version"])


def _free(
    incident: Incident,
    milestone: str,
    *,
    moves_from: int | None,
    at: datetime,
    author: User | None,
) -> None:
    """Take a milestone off the entry that marks it, if that is the one that was named.

    An entry that is given what it marks already is not asked about.
    """
    holder = holder_of(incident, milestone) if milestone else None
    if holder is None:
        return
    if holder.pk != moves_from:
        raise MilestoneTaken(holder)
    _change(
        holder,
        {"milestone": "", "edited_at": at},
        at=at,
        author=author,
        reason=gettext("Its milestone is marked by another entry"),
    )


def _known(source: Source, external_id: str) -> TimelineEntry | None:
    return TimelineEntry.objects.filter(source=source, external_id=external_id).first()


def _refuse_early_end(incident: Incident, milestone: str) -> None:
    if milestone == Milestone.RESOLVED and not incident.is_resolved:
        raise ResolveInstead


def _refuse_impossible(when: When) -> None:
    refuse_out_of_time(when)
    if when.at is not None and when.until is not None and when.until < when.at:
        raise EndsBeforeStart
