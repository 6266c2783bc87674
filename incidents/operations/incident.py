"""Deeds on the incident as a whole."""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents import wording
from incidents.errors import Refused
from incidents.models import Incident, RoleAssignment
from incidents.operations.record import announce, keep_revision, lock_incident, note
from incidents.operations.updates import (
    change_components,
    move_phase,
    post_status_update,
    publish_in,
)
from incidents.times import refuse_out_of_time
from incidents.values import (
    ComponentStatus,
    EntryKind,
    ImpactLevel,
    IncidentKind,
    Milestone,
    Phase,
    ProgressPolicy,
    Role,
    Severity,
    Source,
    Visibility,
    When,
)

# What customers are told of a severity.
IMPACT = {
    Severity.SEV1: ImpactLevel.CRITICAL,
    Severity.SEV2: ImpactLevel.MAJOR,
    Severity.SEV3: ImpactLevel.MINOR,
    Severity.SEV4: ImpactLevel.NONE,
}


class AlreadyDeclared(Refused):
    code = "already-declared"
    message = _("An incident with this key is open already. Add to that one.")


class NotResolved(Refused):
    code = "not-resolved"
    message = _("The incident is open. There is nothing to reopen.")


def declare_incident(
    *,
    title: str,
    severity: Severity,
    at: datetime,
    author: User | None,
    started: When | None = None,
    detected: When | None = None,
    summary: str = "",
    body: str = "",
    components: Mapping[int, ComponentStatus] | None = None,
    kind: IncidentKind = IncidentKind.LIVE,
    visibility: Visibility = Visibility.PUBLIC,
    progress_policy: ProgressPolicy = ProgressPolicy.AUTOMATIC,
    tz: str = "UTC",
    source: Source = Source.WEB,
    dedup_key: str = "",
    deliver_notifications: bool = True,
) -> Incident:
    """Open an incident. With a ``body``, customers are told at once.

    ``started`` and ``detected`` are the times of those milestones, ``at`` that of declaring.
    ``components`` are those that suffer, by id, with their status from now on.

    :raises AlreadyDeclared: if an open incident has the same ``dedup_key``
    :raises OutOfTime: if it began or was noticed in a year that cannot be meant
    """
    refuse_out_of_time(started, detected)
    with transaction.atomic():
        incident = Incident(
            title=" ".join(title.split()),
            summary=summary,
            severity=severity,
            impact=IMPACT[severity],
            kind=kind,
            visibility=visibility,
            progress_policy=progress_policy,
            tz=tz,
            source=source,
            dedup_key=dedup_key,
            created_by=author,
            created_at=at,
            updated_at=at,
        )
        _insert(incident)
        incident.components.set(components or {})
        _note_beginning(incident, started=started, detected=detected, at=at, author=author)
        if author is not None:
            incident.roles.create(role=Role.COMMANDER, holder=author, from_at=at, reason="declared")
        if body:
            publish_in(
                incident,
                body=body,
                phase=Phase.INVESTIGATING,
                at=at,
                author=author,
                component_statuses=components or {},
                deliver_notifications=deliver_notifications,
            )
        else:
            change_components(components or {}, at=at)
        announce(incident.pk)
    return incident


def _insert(incident: Incident) -> None:
    try:
        # The constraint decides: of two that are declared at once with one key, one stands.
        with transaction.atomic():
            incident.save(force_insert=True)
    except IntegrityError as fault:
        if "dedup_key" not in str(fault):
            raise
        raise AlreadyDeclared from fault


def _note_beginning(
    incident: Incident,
    *,
    started: When | None,
    detected: When | None,
    at: datetime,
    author: User | None,
) -> None:
    note(
        incident,
        gettext("The incident began."),
        at=at,
        author=author,
        kind=EntryKind.EVENT,
        when=started or When(at=at),
        milestone=Milestone.STARTED,
    )
    if detected is not None:
        note(
            incident,
            gettext("It was noticed."),
            at=at,
            author=author,
            kind=EntryKind.EVENT,
            when=detected,
            milestone=Milestone.DETECTED,
        )
    note(
        incident,
        gettext("Incident declared: %s") % incident.title,
        at=at,
        author=author,
        kind=EntryKind.PHASE,
        milestone=Milestone.DECLARED,
    )


def resolve_incident(
    *,
    incident_id: int,
    body: str,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus] | None = None,
    deliver_notifications: bool = True,
) -> Incident:
    """End the incident and tell customers so: the last update, with all that it brings.

    :raises IncidentResolved: if it is over already
    """
    with transaction.atomic():
        post_status_update(
            incident_id=incident_id,
            body=body,
            phase=Phase.RESOLVED,
            at=at,
            author=author,
            component_statuses=component_statuses,
            deliver_notifications=deliver_notifications,
        )
    return Incident.objects.get(pk=incident_id)


def reopen_incident(
    *, incident_id: int, reason: str, at: datetime, author: User | None
) -> Incident:
    """Open a resolved incident again. Customers who were told of it hear so.

    :raises NotResolved: if it is open
    :raises AlreadyDeclared: if another open incident has its ``dedup_key`` by now
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if not incident.is_resolved:
            raise NotResolved
        incident.entries.filter(milestone=Milestone.RESOLVED).update(milestone="")
        if (
            incident.dedup_key
            and Incident.objects.open().filter(dedup_key=incident.dedup_key).exists()
        ):
            raise AlreadyDeclared
        move_phase(incident, Phase.INVESTIGATING, at=at)
        note(
            incident,
            gettext("Reopened: %s") % reason,
            at=at,
            author=author,
            kind=EntryKind.PHASE,
        )
        if incident.published_at is not None:
            said = wording.update_wording("incident_reopened", dict)
            publish_in(
                incident,
                body=said.text,
                translations=said.translations,
                phase=Phase.INVESTIGATING,
                at=at,
                author=author,
                component_statuses={},
            )
        announce(incident_id)
    return incident


def assign_role(
    *,
    incident_id: int,
    role: Role,
    holder: User,
    at: datetime,
    author: User | None,
    reason: str = "",
) -> RoleAssignment:
    """Give a role to somebody, from now on. Whoever held it hands over."""
    with transaction.atomic():
        incident = lock_incident(incident_id)
        previous = incident.roles.filter(role=role, until_at__isnull=True).first()
        if previous is not None:
            at = max(at, previous.from_at)
            previous.until_at = at
            previous.save(update_fields=["until_at"])
        assignment: RoleAssignment = incident.roles.create(
            role=role, holder=holder, from_at=at, reason=reason, previous=previous
        )
        note(
            incident,
            gettext("%(role)s: %(name)s") % {"role": role.label, "name": holder.label()},
            at=at,
            author=author,
            kind=EntryKind.ROLE,
        )
    return assignment


def edit_incident(
    *,
    incident_id: int,
    title: str,
    summary: str,
    severity: Severity,
    visibility: Visibility,
    at: datetime,
    author: User | None,
) -> Incident:
    """Change what the incident is called, how grave it is, and who may know of it.

    What it said before is kept as a revision; a new severity stands on the timeline.
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        keep_revision(incident, at=at, author=author)
        before = incident.get_severity_display()
        if severity != incident.severity:
            incident.impact = IMPACT[severity]
            _note_severity(incident, before, severity, at=at, author=author)
        incident.title, incident.summary = title, summary
        incident.severity, incident.visibility = severity, visibility
        incident.updated_at = at
        incident.save(
            update_fields=["title", "summary", "severity", "impact", "visibility", "updated_at"]
        )
        announce(incident_id)
    return incident


def _note_severity(
    incident: Incident, before: str, severity: Severity, *, at: datetime, author: User | None
) -> None:
    note(
        incident,
        gettext("Severity: %(before)s became %(after)s")
        % {"before": before, "after": severity.label},
        at=at,
        author=author,
        kind=EntryKind.NOTE,
    )


def set_progress_policy(
    *, incident_id: int, policy: ProgressPolicy, at: datetime, author: User | None
) -> Incident:
    """Say what becomes of the customer updates that jobs propose from now on."""
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if incident.progress_policy == policy:
            return incident
        incident.progress_policy = policy
        incident.save(update_fields=["progress_policy"])
        note(
            incident,
            gettext("Updates that jobs propose: %s") % policy.label,
            at=at,
            author=author,
            kind=EntryKind.NOTE,
        )
    return incident
