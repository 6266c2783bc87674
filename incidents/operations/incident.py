"""Deeds on the incident as a whole."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents import wording
from incidents.errors import Refused
from incidents.models import Incident
from incidents.operations.members import let_in_who_works, refuse_told_in_private
from incidents.operations.notices.telling import tell_declared
from incidents.operations.parents import set_parent
from incidents.operations.promises import open_again, withdraw_all
from incidents.operations.record import (
    announce,
    keep_revision,
    lock_incident,
    note,
    refuse_outdated,
)
from incidents.operations.roles import restart_roles
from incidents.operations.states import before_its_end, change_components
from incidents.operations.updates import (
    move_phase,
    post_status_update,
    publish_in,
    say_first,
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
    RoleReason,
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


_PRIVATE_HAS_IT = _(
    "A private incident with this key is open already. Ask one of its members to add to it."
)


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
    parent_id: int | None = None,
    members: Iterable[int] = (),
) -> Incident:
    """Open an incident. With a ``body``, customers are told at once, or once it is approved.

    ``started`` and ``detected`` are the times of those milestones, ``at`` that of declaring.
    ``components`` are those that suffer, by id, with their status from now on; of a drill, and of
    what is private, the page shows no status. Who declares a private one is its first member, and
    ``members`` are others, by id; with neither, those who may know everything are the only ones.
    It is part of ``parent_id``, if that is given; what that may refuse, ``set_parent`` says.

    :raises AlreadyDeclared: if an open incident has the same ``dedup_key``
    :raises OutOfTime: if it began or was noticed in a year that cannot be meant
    """
    refuse_out_of_time(started, detected)
    incident = Incident(
        title=" ".join(title.split()), summary=summary, severity=severity, impact=IMPACT[severity],
        kind=kind, visibility=visibility, progress_policy=progress_policy, tz=tz, source=source,
        dedup_key=dedup_key, created_by=author, created_at=at, updated_at=at,
    )  # fmt: skip
    suffering = components or {}
    with transaction.atomic():
        _insert(incident)
        incident.components.set(suffering)
        _note_beginning(incident, started=started, detected=detected, at=at, author=author)
        _gather_people(incident, members, at=at, author=author)
        if parent_id is not None:
            set_parent(incident_id=incident.pk, parent_id=parent_id, at=at, author=author)
            incident.parent_id = parent_id
        if body:
            say_first(
                incident, body=body, component_statuses=suffering, at=at, author=author,
                deliver_notifications=deliver_notifications,
            )  # fmt: skip
        elif incident.moves_components:
            change_components(suffering, at=at)
        tell_declared(incident, author=author, at=at)
        announce(incident.pk)
    return incident


def _gather_people(
    incident: Incident, members: Iterable[int], *, at: datetime, author: User | None
) -> None:
    """Whoever declares it commands it; a private one is theirs and the members' to know."""
    if author is not None:
        incident.roles.create(
            role=Role.COMMANDER, holder=author, from_at=at, reason=RoleReason.DECLARED
        )
    if incident.is_private:
        let_in_who_works(incident, author=author)
        incident.members.add(*members)


def _insert(incident: Incident) -> None:
    try:
        # The constraint decides: of two that are declared at once with one key, one stands.
        with transaction.atomic():
            incident.save(force_insert=True)
    except IntegrityError as fault:
        if "dedup_key" not in str(fault):
            raise
        raise _declared_already(incident.dedup_key, incident.created_by) from fault


def _declared_already(dedup_key: str, author: User | None) -> AlreadyDeclared:
    """Return the refusal of a second incident: of a private one it tells no more than that."""
    known = Incident.objects.open().filter(dedup_key=dedup_key)
    if author is not None:
        known = known.hidden_from(author)
    if known.filter(visibility=Visibility.PRIVATE).exists():
        return AlreadyDeclared(str(_PRIVATE_HAS_IT))
    standing = Incident.objects.open().filter(dedup_key=dedup_key).first()
    if standing is None:
        # It was closed just now.
        return AlreadyDeclared()
    return AlreadyDeclared(
        gettext("%s is open already with this key. Add to that one.") % standing,
        where=standing.get_absolute_url(),
    )


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

    Where the severity asks for approval, the incident is open until that update has it.

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
    *,
    incident_id: int,
    reason: str,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus] | None = None,
) -> Incident:
    """Open a resolved incident again. Customers who were told of it hear so.

    ``component_statuses`` are those of components from now on, by id; None for how they were until
    its end (see ``before_its_end``). They show at once, with the word that it is open again.

    :raises NotResolved: if it is open
    :raises AlreadyDeclared: if another open incident has its ``dedup_key`` by now
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if not incident.is_resolved:
            raise NotResolved
        if component_statuses is None:
            component_statuses = before_its_end(incident)
        reopen_in(
            incident,
            gettext("Reopened: %s") % reason,
            at=at,
            author=author,
            component_statuses=component_statuses,
        )
    return incident


def reopen_in(
    incident: Incident,
    text: str,
    *,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus],
) -> None:
    """Open a locked incident that is resolved again, in the caller's transaction.

    Whoever held a role holds it again, and was not on duty in between. What is open is no
    duplicate: a mark that says so is taken off. An ETA that the end has kept is open again, and
    the clock settles it anew; what else was settled stays so.

    :raises AlreadyDeclared: if another open incident has its ``dedup_key`` by now
    """
    if incident.dedup_key and Incident.objects.open().filter(dedup_key=incident.dedup_key).exists():
        raise _declared_already(incident.dedup_key, author)
    if incident.is_for_customers:
        open_again(incident, at=at, author=author)
    incident.entries.filter(milestone=Milestone.RESOLVED).update(
        milestone="", version=F("version") + 1
    )
    ended_at, incident.duplicate_of = incident.resolved_at or at, None
    move_phase(incident, Phase.INVESTIGATING, at=at)
    incident.save(update_fields=["duplicate_of"])
    restart_roles(incident, ended_at=ended_at, at=at)
    note(incident, text, at=at, author=author, kind=EntryKind.PHASE)
    if incident.published_at is not None:
        said = wording.update_wording("incident_reopened", dict)
        publish_in(
            incident,
            body=said.text,
            translations=said.translations,
            phase=Phase.INVESTIGATING,
            at=at,
            author=author,
            component_statuses=component_statuses,
        )
    elif incident.moves_components:
        change_components(component_statuses, at=at)
        incident.components.add(*component_statuses)
    announce(incident.pk)


def edit_incident(
    *,
    incident_id: int,
    title: str,
    summary: str,
    severity: Severity,
    visibility: Visibility,
    at: datetime,
    author: User | None,
    tz: str = "",
    version: int | None = None,
) -> Incident:
    """Change what the incident is called, how grave it is, who may know of it, and its zone.

    What it said before is kept as a revision; a new severity, and who may know from now on, stand
    on the timeline. Whoever makes it private, and whoever holds a role in it, are its members.
    Components keep the status that they have. What customers were promised is withdrawn when they
    see the incident no longer; what staff said among themselves is not shown to customers when
    they see it from now on. An empty ``tz`` leaves the zone as it is. ``version`` is the one that
    was read; None to overwrite whatever it says.

    :raises EditedMeanwhile: if somebody has edited it since
    :raises ToldInPrivate: if customers would read what was said while it was private
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        refuse_outdated(incident.version, version)
        if visibility == Visibility.PUBLIC:
            refuse_told_in_private(incident)
        keep_revision(incident, at=at, author=author)
        before = incident.get_severity_display()
        if severity != incident.severity:
            incident.impact = IMPACT[severity]
            _note_severity(incident, before, severity, at=at, author=author)
        if visibility != incident.visibility:
            _change_visibility(incident, visibility, at=at, author=author)
        incident.title, incident.summary = title, summary
        incident.severity, incident.tz = severity, tz or incident.tz
        incident.updated_at = at
        incident.version += 1
        incident.save(
            update_fields=[
                "title", "summary", "severity", "impact", "visibility", "tz", "updated_at",
                "version",
            ]
        )  # fmt: skip
        if incident.is_private:
            let_in_who_works(incident, author=author)
        announce(incident_id)
        for part_id in incident.children.values_list("pk", flat=True):
            # What the page says of a part may name this one.
            announce(part_id)
    return incident


def _change_visibility(
    incident: Incident, visibility: Visibility, *, at: datetime, author: User | None
) -> None:
    was_for_customers, incident.visibility = incident.is_for_customers, visibility
    entry = note(
        incident,
        gettext("Who may know: %s") % visibility.label,
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        tags=["members"],
    )
    if was_for_customers and not incident.is_for_customers:
        withdraw_all(incident, at=at, settled_by=entry)


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
