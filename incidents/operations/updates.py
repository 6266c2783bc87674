"""Deeds on what customers are told: said at once, or handed in for approval; put right."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import (
    Incident,
    SeverityRule,
    StatusUpdate,
    TimelineEntry,
)
from incidents.operations.notices.telling import tell_approval_wanted
from incidents.operations.postmortem import begin_wanted_postmortem
from incidents.operations.promises import (
    IncidentResolved,
    close_promises,
    keep_next_update,
    open_promise,
    promise_next_update,
    refuse_passed,
    refuse_past,
)
from incidents.operations.record import (
    announce,
    keep_revision,
    lock_incident,
    note,
    refuse_outdated,
)
from incidents.operations.states import (
    change_components,
    end_impacts,
    record_changes,
    repaired,
)
from incidents.plans import UpdatePlan
from incidents.values import (
    ComponentStatus,
    EntryKind,
    Milestone,
    Phase,
    PromiseKind,
    Severity,
    Source,
    UpdateState,
    When,
)


class NotToldYet(Refused):
    code = "not-told-yet"
    message = _("Customers have not read this update. Change it as a draft.")


def post_status_update(
    *,
    incident_id: int,
    body: str,
    phase: Phase,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus] | None = None,
    next_update_at: datetime | None = None,
    next_update_in: timedelta | None = None,
    eta: When | None = None,
    eta_basis: str = "",
    eta_confidence: str = "",
    author_label: str = "",
    idempotency_key: str = "",
    deliver_notifications: bool = True,
    title: str = "",
) -> StatusUpdate:
    """Tell customers what is known, and move the incident to the phase that it implies.

    Where the incident's severity asks for approval, nothing of that happens yet: the update that
    is returned is in review, and all that was asked for waits with it.

    Makes the promise of the next update (from the cadence, unless told when), and with ``eta``
    the promise of when the service is back. In an incident that customers do not see, it is for
    staff to read: it promises nothing, and counts as no word to customers.

    With a ``title``, the incident is called that from now on, whatever it was called before.

    The same ``idempotency_key`` again returns the update that is there. Resolving makes the
    incident's components work again, unless told otherwise or another open incident has them,
    and ends its impacts but for what is lost.

    :raises IncidentResolved: if the incident is over already
    :raises DueInThePast: if a time that is promised has passed
    :raises PromisedTimePassed: if it passes before this can be published, behind another update
    :raises OutOfTime: if it is in a year that cannot be meant
    """
    plan = UpdatePlan(
        component_statuses=component_statuses or {},
        next_update_at=next_update_at,
        next_update_in=next_update_in,
        eta=eta,
        eta_basis=eta_basis,
        eta_confidence=eta_confidence,
    )
    if phase != Phase.RESOLVED:
        for due in plan.times():
            refuse_past(due, at=at)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if known := known_update(incident, idempotency_key):
            return known
        if incident.is_resolved:
            raise IncidentResolved
        update = StatusUpdate(
            incident=incident, body=body, phase=phase, author=author, author_label=author_label,
            idempotency_key=idempotency_key, deliver_notifications=deliver_notifications,
            created_at=at,
        )  # fmt: skip
        retitle(incident, title, at=at, author=author)
        say(update, incident, plan, at=at)
    return update


def retitle(incident: Incident, title: str, *, at: datetime, author: User | None) -> None:
    """Call a locked incident otherwise; its name before is kept as a revision. Empty: as it is."""
    title = " ".join(title.split())
    if title in ("", incident.title):
        return
    keep_revision(incident, at=at, author=author)
    incident.title = title
    incident.version += 1
    incident.save(update_fields=["title", "version"])


def correct_status_update(
    *,
    update_id: int,
    body: str,
    at: datetime,
    author: User | None,
    reason: str = "",
    version: int | None = None,
) -> StatusUpdate:
    """Correct what customers were told. The page shows that it was edited, and what it said.

    ``version`` is the one that was read; None to correct whatever it says.

    :raises NotToldYet: if it is a draft, or waits for approval: whoever changes that is its author
    :raises EditedMeanwhile: if somebody else has corrected it since it was read
    """
    with transaction.atomic():
        update = locked_update(update_id)
        if update.state != UpdateState.PUBLISHED:
            raise NotToldYet
        refuse_outdated(update.version, version)
        keep_revision(update, at=at, author=author, reason=reason)
        update.body = body
        update.version += 1
        # What a person has put right is said in that person's words, in every language.
        update.translations = {}
        if update.entry is not None:
            update.edited_at = at
            update.entry.text = body
            update.entry.edited_at = at
            update.entry.version += 1
            update.entry.save(update_fields=["text", "edited_at", "version"])
        update.save(update_fields=["body", "translations", "edited_at", "version"])
        Incident.objects.filter(pk=update.incident_id).update(updated_at=at)
        announce(update.incident_id)
    return update


def publish_in(
    incident: Incident,
    *,
    body: str,
    phase: Phase,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus],
    author_label: str = "",
    idempotency_key: str = "",
    deliver_notifications: bool = True,
    translations: Mapping[str, str] | None = None,
) -> StatusUpdate:
    """Publish an update in an incident that the caller has locked, in the caller's transaction.

    For what is said in the house's own words: nobody is asked to approve it.
    """
    update = StatusUpdate(
        incident=incident,
        body=body,
        translations=dict(translations or {}),
        phase=phase,
        author=author,
        author_label=author_label,
        idempotency_key=idempotency_key,
        deliver_notifications=deliver_notifications,
        created_at=at,
    )
    publish(update, incident, UpdatePlan(component_statuses=component_statuses), at=at)
    return update


def say_first(
    incident: Incident,
    *,
    body: str,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus],
    deliver_notifications: bool = True,
) -> StatusUpdate:
    """Say the first word of an incident that has just been declared.

    What suffers shows at once; where approval is asked for, only the words wait.
    """
    update = StatusUpdate(
        incident=incident,
        body=body,
        phase=Phase.INVESTIGATING,
        author=author,
        deliver_notifications=deliver_notifications,
        created_at=at,
    )
    plan = UpdatePlan(component_statuses=component_statuses)
    if incident.moves_components and needs_approval(incident):
        change_components(component_statuses, at=at)
        plan = UpdatePlan()
    say(update, incident, plan, at=at)
    return update


def say(update: StatusUpdate, incident: Incident, plan: UpdatePlan, *, at: datetime) -> None:
    """Publish what a person has written, or hand it in where that is asked for.

    The caller has locked the incident.
    """
    if needs_approval(incident):
        plan = replace(plan, phase_seen=incident.phase)
        hand_in(update, incident, plan, at=at, author=update.author)
    else:
        publish(update, incident, plan, at=at)


def needs_approval(incident: Incident) -> bool:
    """Whether somebody else than its author reads an update of this incident before customers."""
    return SeverityRule.objects.in_force(Severity(incident.severity)).needs_approval


def hand_in(
    update: StatusUpdate, incident: Incident, plan: UpdatePlan, *, at: datetime, author: User | None
) -> None:
    """Let an update of a locked incident wait for approval, with all that it brings."""
    update.state = UpdateState.IN_REVIEW
    update.plan = plan.as_json()
    update.returned_reason = ""
    update.save()
    note(
        incident,
        gettext("An update waits for approval."),
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        tags=["approval"],
    )
    tell_approval_wanted(update, at=at, asked_by=author)


def publish(update: StatusUpdate, incident: Incident, plan: UpdatePlan, *, at: datetime) -> None:
    """Tell customers, in a locked incident, and do all that the update brings.

    Where they do not see the incident, it is for staff to read, and promises nothing.

    :raises PromisedTimePassed: if a time that it promises has passed by now
    """
    phase = Phase(update.phase)
    # Two posters took the time before either had the lock: what is published later is later.
    last = incident.updates.published().newest_first().first()
    if last is not None and last.published_at is not None:
        at = max(at, last.published_at)
    if phase != Phase.RESOLVED:
        # When it was asked for is not when customers read it: it may have waited.
        refuse_passed(plan.times(), at=at)
    entry = _leave_entry(update, incident, at=at)
    # The page shows nothing of components that a drill, or something private, says.
    statuses = plan.component_statuses if incident.moves_components else {}
    if phase == Phase.RESOLVED:
        statuses = repaired(incident, statuses) if incident.moves_components else {}
        end_impacts(incident, at=at)
    record_changes(update, change_components(statuses, at=at))
    if incident.is_for_customers:
        keep_next_update(incident, at=at, settled_by=entry)
        incident.published_at = incident.published_at or at
    if phase != incident.phase:
        _note_phase(incident, phase, at=at, update=update)
    incident.updated_at = at
    incident.save(update_fields=["published_at", "updated_at"])
    if phase == Phase.RESOLVED:
        close_promises(incident, at=at, settled_by=entry)
    elif incident.is_for_customers:
        _promise(incident, update, plan, at=at)
    announce(incident.pk)


def _leave_entry(update: StatusUpdate, incident: Incident, *, at: datetime) -> TimelineEntry:
    entry = note(
        incident,
        update.body,
        at=at,
        author=update.author,
        kind=EntryKind.UPDATE,
        milestone=Milestone.FIRST_UPDATE if incident.is_for_customers else "",
        is_public=incident.is_for_customers,
        actor_label=update.author_label,
        source=Source.JOB if update.author_label else Source.WEB,
    )
    update.entry = entry
    update.state = UpdateState.PUBLISHED
    update.published_at = at
    update.save()
    return entry


def _promise(incident: Incident, update: StatusUpdate, plan: UpdatePlan, *, at: datetime) -> None:
    due_at = plan.next_update_at
    if due_at is None and plan.next_update_in is not None:
        due_at = at + plan.next_update_in
    promise_next_update(incident, update, at=at, due_at=due_at)
    if plan.eta is not None:
        open_promise(
            incident,
            kind=PromiseKind.ETA,
            due=plan.eta,
            at=at,
            made_in=update,
            basis=plan.eta_basis,
            confidence=plan.eta_confidence,
            text=update.body[:300],
        )


def _note_phase(incident: Incident, phase: Phase, *, at: datetime, update: StatusUpdate) -> None:
    move_phase(incident, phase, at=at)
    note(
        incident,
        gettext("Phase: %s") % phase.label,
        at=at,
        author=update.author,
        kind=EntryKind.PHASE,
        milestone=Milestone.RESOLVED if phase == Phase.RESOLVED else "",
        actor_label=update.author_label,
    )


def move_phase(incident: Incident, phase: Phase, *, at: datetime) -> None:
    """Set the phase of a locked incident, with the times that belong to it."""
    incident.phase = phase
    incident.resolved_at = at if phase == Phase.RESOLVED else None
    if phase == Phase.MONITORING:
        incident.monitoring_at = at
    incident.updated_at = at
    incident.save(update_fields=["phase", "resolved_at", "monitoring_at", "updated_at"])
    if phase == Phase.RESOLVED:
        begin_wanted_postmortem(incident, at=at)


def known_update(incident: Incident, idempotency_key: str) -> StatusUpdate | None:
    """Return the update of this key, if the incident has it."""
    if not idempotency_key:
        return None
    return incident.updates.filter(idempotency_key=idempotency_key).first()


def locked_update(update_id: int) -> StatusUpdate:
    """Return the update, with its incident locked: the incident first, as everywhere."""
    incident_id = StatusUpdate.objects.values_list("incident_id", flat=True).get(pk=update_id)
    incident = lock_incident(incident_id)
    update = StatusUpdate.objects.select_related("entry").get(pk=update_id)
    update.incident = incident
    return update
