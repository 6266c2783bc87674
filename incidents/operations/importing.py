"""Taking a written postmortem into the record."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from incidents.importer.reading import Action, Entry, Reading, read_iso
from incidents.models import (
    ActionItem,
    Incident,
    Postmortem,
    RootCause,
    StatusUpdate,
    TimelineEntry,
)
from incidents.operations.record import announce
from incidents.times import is_in_time
from incidents.values import (
    ActionState,
    EntryKind,
    IncidentKind,
    Milestone,
    Outcome,
    Phase,
    Precision,
    Source,
    UpdateState,
    Visibility,
    When,
    zone,
)

_KINDS = {"customer_update": EntryKind.UPDATE, "update": EntryKind.UPDATE}
# Words by which an update says how far the incident is; the first that fits counts.
_PHASE_WORDS = (
    (Phase.RESOLVED, ("fully operational", "fully restored", "has been resolved", "is resolved")),
    (Phase.MONITORING, ("monitoring", "have been able to restore", "are watching")),
    (Phase.IDENTIFIED, ("identified", "found the cause", "know the cause")),
)


def import_reading(
    *,
    reading: Reading,
    text: str,
    title: str,
    source_name: str,
    at: datetime,
    author: User | None,
    skip_lines: Collection[int] = (),
    visibility: Visibility = Visibility.INTERNAL,
    summary: str = "",
) -> Incident:
    """Write an incident down from a postmortem that has been read, as one that is over.

    ``text`` is the document to the letter; it is kept, and every row points at its line.
    What stands in ``skip_lines`` is left out. Times without a zone are taken as UTC. Nobody is
    notified: what customers were told then is shown with its own times.
    """
    with transaction.atomic():
        incident = Incident(
            title=title[:140],
            summary=summary,
            phase=Phase.RESOLVED,
            kind=IncidentKind.BACKFILLED,
            visibility=visibility,
            source=Source.IMPORT,
            tz=reading.timezone.name if reading.timezone else "UTC",
            created_by=author,
            created_at=at,
            updated_at=at,
            # Set below, once the timeline is there.
            resolved_at=at,
        )
        incident.save(force_insert=True)
        entries = {
            entry.n: _add_entry(incident, entry, at=at, author=author)
            for entry in reading.entries
            if entry.line not in skip_lines
        }
        _add_updates(incident, reading, entries, at=at)
        _add_causes_and_actions(incident, reading, skip_lines, at=at, author=author)
        Postmortem.objects.create(
            incident=incident, document=text, source_name=source_name[:300], created_at=at
        )
        _read_times(incident, at=at)
        announce(incident.pk)
    return incident


def _add_entry(
    incident: Incident, entry: Entry, *, at: datetime, author: User | None
) -> TimelineEntry:
    milestone = entry.milestone if entry.milestone in Milestone.values else ""
    tags = [*entry.tags]
    if entry.milestone and not milestone:
        tags.append(entry.milestone)
    taken = milestone and incident.entries.filter(milestone=milestone).exists()
    row = TimelineEntry(
        incident=incident,
        position=float(entry.n),
        kind=_KINDS.get(entry.kind, EntryKind.EVENT),
        text=entry.text or gettext("(no text)"),
        tags=[tag[:40] for tag in dict.fromkeys(tags)],
        outcome=Outcome.FAILED if "failed" in entry.tags else "",
        milestone="" if taken else milestone,
        source=Source.IMPORT,
        import_line=entry.line,
        created_by=author,
        recorded_at=at,
        **_when(entry, incident.tz).fields(),
    )
    row.save(force_insert=True)
    return row


def _when(entry: Entry, tz: str) -> When:
    if entry.at is None or not is_in_time(entry.at):
        return When.unknown(entry.said[:200])
    start, end = (
        _aware(entry.at, entry.zone or tz),
        entry.until and _aware(entry.until, entry.zone or tz),
    )
    return When(
        at=start,
        # A document may be wrong; the record holds what can be, the lint says what was written.
        until=end if end is not None and end >= start and is_in_time(end) else None,
        precision=entry.precision,
        approx=entry.approx,
        tz=entry.zone,
        said=entry.said[:200],
    )


def _aware(moment: datetime, tz: str) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone(tz))


def _add_updates(
    incident: Incident, reading: Reading, entries: dict[int, TimelineEntry], *, at: datetime
) -> None:
    phase = Phase.INVESTIGATING
    first = None
    dated = [entry.at for entry in entries.values() if entry.at is not None]
    last_at = min(dated, default=at)
    for update in reading.updates:
        entry = entries.get(update.n)
        if entry is None:
            continue
        phase = _phase_of(update.body, phase)
        # An update without a time stands where its neighbour does.
        told_at = last_at = entry.at or last_at
        StatusUpdate.objects.create(
            incident=incident,
            entry=entry,
            body=update.body,
            phase=phase,
            state=UpdateState.PUBLISHED,
            deliver_notifications=False,
            created_at=told_at,
            published_at=told_at,
        )
        entry.is_public = True
        entry.save(update_fields=["is_public"])
        first = first or entry
    taken = incident.entries.filter(milestone=Milestone.FIRST_UPDATE).exists()
    if first is not None and not first.milestone and not taken:
        first.milestone = Milestone.FIRST_UPDATE
        first.save(update_fields=["milestone"])


def _phase_of(body: str, before: Phase) -> Phase:
    words = body.lower()
    return next(
        (phase for phase, marks in _PHASE_WORDS if any(mark in words for mark in marks)), before
    )


def _add_causes_and_actions(
    incident: Incident,
    reading: Reading,
    skip_lines: Collection[int],
    *,
    at: datetime,
    author: User | None,
) -> None:
    for cause in reading.causes:
        if cause.line not in skip_lines:
            RootCause.objects.create(
                incident=incident,
                kind=cause.kind,
                text=cause.text,
                import_line=cause.line,
                created_by=author,
                created_at=at,
            )
    for action in reading.actions:
        if action.line not in skip_lines:
            _add_action(incident, action, at=at, author=author)


def _add_action(incident: Incident, action: Action, *, at: datetime, author: User | None) -> None:
    done = _coarse(action.done, action, incident.tz)
    state = (
        ActionState(action.state) if action.state in ActionState.values else ActionState.PROPOSED
    )
    if state == ActionState.DONE and done.at is None:
        # It is done, and the document does not say when: known on the day it was imported.
        done = When(at=at, precision=Precision.DAY, approx=True)
    ActionItem.objects.create(
        incident=incident,
        text=action.text,
        kind=action.kind,
        state=state,
        state_reason=gettext("as imported") if state == ActionState.WONT_DO else "",
        owner_label=action.owner[:140],
        # A longer one would be no address; the document keeps it.
        tracker_url=action.tracker_url if len(action.tracker_url) <= 500 else "",  # noqa: PLR2004
        import_line=action.line,
        created_by=author,
        created_at=at,
        **_coarse(action.due, action, incident.tz).fields("due_"),
        **done.fields("done_"),
    )


def _coarse(words: str | None, action: Action, tz: str) -> When:
    if not words:
        return When.unknown()
    first, _slash, last = words.partition("/")
    start, end = read_iso(first), read_iso(last)
    if start is None or not is_in_time(start):
        return When.unknown(words)
    if end is not None and (end < start or not is_in_time(end)):
        end = None
    precision = Precision.MONTH if len(first) == len("2026-02") else Precision.DAY
    return When(
        at=_aware(start, tz),
        until=_aware(end, tz) if end else None,
        precision=Precision.YEAR if len(first) == len("2026") else precision,
        tz=tz,
        said=action.said[:200],
    )


def _read_times(incident: Incident, *, at: datetime) -> None:
    """Set the incident's cached times from the timeline that has been written."""
    entries = list(incident.entries.exclude(at=None).order_by("at"))
    for entry in entries:
        if entry.milestone:
            incident.note_milestone(entry.milestone, entry.at)
    told = list(incident.updates.order_by("published_at").values_list("published_at", flat=True))
    latest = max((entry.until or entry.at or at for entry in entries), default=at)
    by_milestone = {entry.milestone for entry in entries}
    if Milestone.RESOLVED not in by_milestone:
        incident.resolved_at = latest
    if incident.started_at is None and entries:
        incident.started_at = entries[0].at
    incident.published_at = told[0] if told else incident.started_at
    incident.updated_at = (told[-1] if told else None) or latest
    incident.save()
