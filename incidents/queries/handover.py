"""What whoever takes over an incident reads first. Made of a constant number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.contenttypes.models import ContentType

from accounts.models import User
from incidents.models import (
    Alert,
    DeskRules,
    Impact,
    Incident,
    ProgressReport,
    Promise,
    Revision,
    RoleAssignment,
    StatusUpdate,
    TimelineEntry,
)
from incidents.queries.alerts import alerts_of
from incidents.queries.promises import drafts
from incidents.queries.record import timeline
from incidents.queries.roles import OnDuty, Resting, assignments, on_duty, resting
from incidents.values import (
    AlertState,
    EntryKind,
    ImpactKind,
    Outcome,
    PromiseKind,
    PromiseOutcome,
    Role,
)

ATTEMPT, DECISION, QUESTION = "attempt", "decision", "question"
_IN_VAIN = (Outcome.FAILED, Outcome.ABANDONED)
# How many notes of earlier handovers are shown.
_NOTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The state of an incident at one moment, for one reader. Entries are in order of time."""

    at: datetime
    # Since when the phase, and the severity, are what they are.
    phase_since: datetime | None
    severity_since: datetime | None
    last_told: StatusUpdate | None
    next_update: Promise | None
    promises: Sequence[Promise]
    # Those that customers were given in vain, the newest first.
    missed: Sequence[Promise]
    drafts: Sequence[StatusUpdate]
    # Jobs that have not ended.
    reports: Sequence[ProgressReport]
    # Alerts that fire, the newest first.
    alerts: Sequence[Alert]
    impacts: Sequence[Impact]
    # The earliest moment from which on data of all is missing now; None if none is. What is of one
    # tenant alone says so itself.
    horizon: datetime | None
    failed: Sequence[TimelineEntry]
    worked: Sequence[TimelineEntry]
    tried: Sequence[TimelineEntry]
    decisions: Sequence[TimelineEntry]
    questions: Sequence[TimelineEntry]
    pinned: Sequence[TimelineEntry]
    held: Sequence[RoleAssignment]
    empty: Sequence[Role]
    on_duty: Sequence[OnDuty]
    resting: Sequence[Resting]
    # What was left at the last handovers, newest first.
    notes: Sequence[RoleAssignment]
    # When the reader last gave up a role here, and what has happened since then.
    left_at: datetime | None
    since_left: Sequence[TimelineEntry]


def handover_of(incident: Incident, *, reader: User, at: datetime) -> Handover:
    """Return what somebody must know to take over. As many queries for a night as for an hour.

    What was tried has the tag ``attempt`` or an outcome; decisions and open questions have their
    tags. Hours on duty end with the incident.
    """
    entries = timeline(incident.pk)
    roles = assignments(incident.pk)
    limit = DeskRules.objects.in_force().duty_limit
    given = list(
        incident.promises.filter(outcome__in=[PromiseOutcome.OPEN, PromiseOutcome.MISSED]).order_by(
            "expires_at", "pk"
        )
    )
    promises = [row for row in given if row.outcome == PromiseOutcome.OPEN]
    impacts = list(
        incident.impacts.live()
        .filter(until=None)
        .select_related("component", "tenant")
        .order_by("at", "pk")
    )
    held = [row for row in roles if row.until_at is None]
    until = min(at, incident.resolved_at or at)
    left_at = _left_at(roles, reader)
    return Handover(
        at=at,
        phase_since=_phase_since(entries),
        severity_since=_severity_since(incident),
        last_told=incident.updates.told().newest_first().select_related("author").first(),
        next_update=next((row for row in promises if row.kind == PromiseKind.NEXT_UPDATE), None),
        promises=promises,
        missed=[row for row in reversed(given) if row.outcome == PromiseOutcome.MISSED],
        drafts=list(drafts(incident.pk)),
        reports=list(incident.progress_reports.unfinished().order_by("-started_at", "-pk")),
        alerts=[row for row in alerts_of(incident.pk) if row.state == AlertState.FIRING],
        impacts=impacts,
        horizon=_horizon(impacts),
        failed=[entry for entry in entries if entry.outcome in _IN_VAIN],
        worked=[entry for entry in entries if entry.outcome == Outcome.WORKED],
        tried=[
            entry
            for entry in entries
            if ATTEMPT in entry.tags and entry.outcome in ("", Outcome.UNKNOWN)
        ],
        decisions=[entry for entry in entries if DECISION in entry.tags],
        questions=[entry for entry in entries if QUESTION in entry.tags],
        pinned=[entry for entry in entries if entry.is_pinned],
        held=held,
        empty=[role for role in Role if role not in {row.role for row in held}],
        on_duty=on_duty(roles, at=until, limit=limit),
        resting=resting(roles, at=at),
        notes=_notes(roles),
        left_at=left_at,
        since_left=[
            entry
            for entry in entries
            if left_at is not None and max(entry.recorded_at, entry.at or left_at) > left_at
        ],
    )


def _phase_since(entries: Sequence[TimelineEntry]) -> datetime | None:
    moments = [entry.at for entry in entries if entry.kind == EntryKind.PHASE and entry.at]
    return max(moments, default=None)


def _severity_since(incident: Incident) -> datetime | None:
    """Return when the severity became what it is; since the start if it always was."""
    other = (
        Revision.objects.filter(
            content_type=ContentType.objects.get_for_model(incident), object_id=incident.pk
        )
        .exclude(data__severity=incident.severity)
        .order_by("-number")
        .values_list("replaced_at", flat=True)
        .first()
    )
    return other or incident.declared_at or incident.created_at


def _horizon(impacts: Sequence[Impact]) -> datetime | None:
    missing = (ImpactKind.DATA_UNAVAILABLE, ImpactKind.DATA_LOST)
    moments = [
        row.data_from_at
        for row in impacts
        if row.kind in missing and row.data_from_at and row.tenant_id is None
    ]
    return min(moments, default=None)


def _notes(roles: Sequence[RoleAssignment]) -> list[RoleAssignment]:
    """Return the newest notes that were left; one that was left with several roles once."""
    left: dict[tuple[int, str, datetime], RoleAssignment] = {}
    for row in roles:
        if row.handover and row.until_at is not None:
            left.setdefault((row.holder_id, row.handover, row.until_at), row)
    return sorted(left.values(), key=lambda row: (row.until_at, row.pk), reverse=True)[:_NOTES]


def _left_at(roles: Sequence[RoleAssignment], reader: User) -> datetime | None:
    ended = [row.until_at for row in roles if row.holder_id == reader.pk and row.until_at]
    return max(ended, default=None)
