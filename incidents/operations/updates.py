"""Deeds on what customers are told."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Component, ComponentChange, Incident, StatusUpdate
from incidents.operations.history import move_component
from incidents.operations.maintenance.record import worked_on
from incidents.operations.promises import (
    IncidentResolved,
    close_promises,
    keep_next_update,
    open_promise,
    promise_next_update,
    refuse_past,
)
from incidents.operations.record import announce, keep_revision, lock_incident, note
from incidents.values import (
    ComponentStatus,
    EntryKind,
    ImpactKind,
    Milestone,
    Phase,
    PromiseKind,
    Source,
    UpdateState,
    When,
)


class DraftOutdated(Refused):
    code = "draft-outdated"
    message = _("A newer update of the same job is published. Discard this one.")


class NotADraft(Refused):
    code = "not-a-draft"
    message = _("This update is no draft any more. Look at the timeline for what became of it.")


def post_status_update(
    *,
    incident_id: int,
    body: str,
    phase: Phase,
    at: datetime,
    author: User | None,
    component_statuses: Mapping[int, ComponentStatus] | None = None,
    next_update_at: datetime | None = None,
    eta: When | None = None,
    eta_basis: str = "",
    author_label: str = "",
    idempotency_key: str = "",
    deliver_notifications: bool = True,
) -> StatusUpdate:
    """Tell customers what is known, and move the incident to the phase that it implies.

    Makes the promise of the next update (from the cadence, unless told when), and with ``eta``
    the promise of when the service is back. The same ``idempotency_key`` again returns the
    update that is there. Resolving makes the incident's components work again, unless told
    otherwise or another open incident has them, and ends its impacts but for what is lost.

    :raises IncidentResolved: if the incident is over already
    :raises DueInThePast: if a time that is promised has passed
    :raises OutOfTime: if it is in a year that cannot be meant
    """
    if phase != Phase.RESOLVED:
        for due in filter(None, (When(at=next_update_at), eta)):
            refuse_past(due, at=at)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if known := _known(incident, idempotency_key):
            return known
        if incident.is_resolved:
            raise IncidentResolved
        update = publish_in(
            incident,
            body=body,
            phase=phase,
            at=at,
            author=author,
            component_statuses=component_statuses or {},
            next_update_at=next_update_at,
            author_label=author_label,
            idempotency_key=idempotency_key,
            deliver_notifications=deliver_notifications,
        )
        if eta is not None and phase != Phase.RESOLVED:
            open_promise(
                incident,
                kind=PromiseKind.ETA,
                due=eta,
                at=at,
                made_in=update,
                basis=eta_basis,
                text=body[:300],
            )
    return update


def draft_status_update(
    *,
    incident_id: int,
    body: str,
    phase: Phase,
    at: datetime,
    author: User | None,
    author_label: str = "",
    idempotency_key: str = "",
    translations: Mapping[str, str] | None = None,
) -> StatusUpdate:
    """Put an update aside until somebody approves it. The same key returns the same draft."""
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if known := _known(incident, idempotency_key):
            return known
        update = StatusUpdate(
            incident=incident,
            body=body,
            translations=dict(translations or {}),
            phase=phase,
            author=author,
            author_label=author_label,
            idempotency_key=idempotency_key,
            created_at=at,
        )
        update.save(force_insert=True)
    return update


def publish_draft(*, update_id: int, at: datetime, approver: User | None) -> StatusUpdate:
    """Approve a draft and tell customers. It never moves the incident back to an earlier phase.

    :raises NotADraft: if it has been published or discarded
    :raises DraftOutdated: if the job that proposed it has told something newer since
    :raises IncidentResolved: if the incident is over already
    """
    with transaction.atomic():
        update = _locked(update_id)
        incident = update.incident
        if update.state != UpdateState.DRAFT:
            raise NotADraft
        if incident.is_resolved:
            raise IncidentResolved
        newer = incident.updates.published().filter(created_at__gt=update.created_at)
        if update.author_label and newer.filter(author_label=update.author_label).exists():
            raise DraftOutdated
        update.phase = max(Phase(update.phase), Phase(incident.phase), key=list(Phase).index)
        update.approver = approver
        update.approved_at = at
        _publish(update, incident, at=at, component_statuses={}, next_update_at=None)
    return update


def discard_draft(*, update_id: int, at: datetime, author: User | None) -> StatusUpdate:
    """Put a draft away for good. What it said is kept.

    :raises NotADraft: if it has been published or discarded
    """
    with transaction.atomic():
        update = _locked(update_id)
        if update.state != UpdateState.DRAFT:
            raise NotADraft
        keep_revision(update, at=at, author=author, reason="discarded")
        update.state = UpdateState.DISCARDED
        update.save(update_fields=["state"])
    return update


def correct_status_update(
    *, update_id: int, body: str, at: datetime, author: User | None, reason: str = ""
) -> StatusUpdate:
    """Correct what customers were told. The page shows that it was edited, and what it said.

    A draft is corrected silently: nobody has read it.
    """
    with transaction.atomic():
        update = _locked(update_id)
        keep_revision(update, at=at, author=author, reason=reason)
        update.body = body
        # What a person has put right is said in that person's words, in every language.
        update.translations = {}
        if update.entry is not None:
            update.edited_at = at
            update.entry.text = body
            update.entry.edited_at = at
            update.entry.save(update_fields=["text", "edited_at"])
        update.save(update_fields=["body", "translations", "edited_at"])
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
    next_update_at: datetime | None = None,
    author_label: str = "",
    idempotency_key: str = "",
    deliver_notifications: bool = True,
    translations: Mapping[str, str] | None = None,
) -> StatusUpdate:
    """Publish an update in an incident that the caller has locked, in the caller's transaction."""
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
    _publish(
        update,
        incident,
        at=at,
        component_statuses=component_statuses,
        next_update_at=next_update_at,
    )
    return update


def _publish(
    update: StatusUpdate,
    incident: Incident,
    *,
    at: datetime,
    component_statuses: Mapping[int, ComponentStatus],
    next_update_at: datetime | None,
) -> None:
    phase = Phase(update.phase)
    # Two posters took the time before either had the lock: what is published later is later.
    last = incident.updates.published().newest_first().first()
    if last is not None and last.published_at is not None:
        at = max(at, last.published_at)
    update.entry = note(
        incident,
        update.body,
        at=at,
        author=update.author,
        kind=EntryKind.UPDATE,
        milestone=Milestone.FIRST_UPDATE,
        is_public=True,
        actor_label=update.author_label,
        source=Source.JOB if update.author_label else Source.WEB,
    )
    update.state = UpdateState.PUBLISHED
    update.published_at = at
    update.save()
    if phase == Phase.RESOLVED:
        component_statuses = _repaired(incident, component_statuses)
        # What is lost does not come back by the incident's end.
        open_impacts = incident.impacts.filter(until=None, at__lte=at)
        open_impacts.exclude(kind=ImpactKind.DATA_LOST).update(until=at)
    _record_changes(update, change_components(component_statuses, at=at))
    keep_next_update(incident, at=at, settled_by=update.entry)
    if phase != incident.phase:
        _note_phase(incident, phase, at=at, update=update)
    incident.published_at = incident.published_at or at
    incident.updated_at = at
    incident.save(update_fields=["published_at", "updated_at"])
    if phase == Phase.RESOLVED:
        close_promises(incident, at=at, settled_by=update.entry)
    else:
        promise_next_update(incident, update, at=at, due_at=next_update_at)
    announce(incident.pk)


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


def change_components(
    statuses: Mapping[int, ComponentStatus], *, at: datetime
) -> list[tuple[Component, str]]:
    """Set component statuses; return those that changed, each with its status before."""
    changed: list[tuple[Component, str]] = []
    parts = Component.objects.filter(pk__in=statuses, is_group=False)
    for component in parts.select_for_update().order_by("pk"):
        before = component.status
        if move_component(component, statuses[component.pk], at=at):
            changed.append((component, before))
    return changed


def _repaired(
    incident: Incident, asked: Mapping[int, ComponentStatus]
) -> dict[int, ComponentStatus]:
    """Return what was asked for, and the incident's other components as working again.

    Those stay out that another open incident holds down; one on which a maintenance is at work
    goes back to that.
    """
    held = Component.objects.filter(incidents__in=Incident.objects.open().exclude(pk=incident.pk))
    own = set(incident.components.exclude(pk__in=held.values("pk")).values_list("pk", flat=True))
    # All locks at once and in order, and before it is asked which maintenances are at work: one
    # that ends meanwhile has let go of them, or waits until it can.
    locked = Component.objects.select_for_update().filter(pk__in=own | asked.keys())
    list(locked.order_by("pk"))
    repaired = dict.fromkeys(own, ComponentStatus.OPERATIONAL)
    repaired |= dict.fromkeys(own & worked_on(), ComponentStatus.UNDER_MAINTENANCE)
    return repaired | dict(asked)


def _known(incident: Incident, idempotency_key: str) -> StatusUpdate | None:
    if not idempotency_key:
        return None
    return incident.updates.filter(idempotency_key=idempotency_key).first()


def _locked(update_id: int) -> StatusUpdate:
    """Return the update, with its incident locked: the incident first, as everywhere."""
    incident_id = StatusUpdate.objects.values_list("incident_id", flat=True).get(pk=update_id)
    incident = lock_incident(incident_id)
    update = StatusUpdate.objects.select_related("entry").get(pk=update_id)
    update.incident = incident
    return update


def _record_changes(update: StatusUpdate, changed: list[tuple[Component, str]]) -> None:
    ComponentChange.objects.bulk_create(
        ComponentChange(
            update=update, component=component, old_status=before, new_status=component.status
        )
        for component, before in changed
    )
    update.incident.components.add(*(component for component, _before in changed))
