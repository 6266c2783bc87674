"""Deeds on promises. People and jobs make them; the clock settles them."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Cadence, Incident, Promise, StatusUpdate, TimelineEntry
from incidents.operations.record import announce, lock_incident, note
from incidents.times import refuse_out_of_time
from incidents.values import (
    EntryKind,
    Phase,
    PromiseKind,
    PromiseOutcome,
    Severity,
    Source,
    When,
    zone,
)

# Minutes until customers hear next, by severity and phase: GitLab's public handbook.
_CADENCE = {
    Phase.INVESTIGATING: {Severity.SEV1: 10, Severity.SEV2: 15},
    Phase.IDENTIFIED: {Severity.SEV1: 10, Severity.SEV2: 30},
    Phase.MONITORING: {Severity.SEV1: 30, Severity.SEV2: 60},
}
_CADENCE_OF_OTHERS = {Phase.INVESTIGATING: 15, Phase.IDENTIFIED: 30, Phase.MONITORING: 60}


class IncidentResolved(Refused):
    code = "incident-resolved"
    message = _("The incident is resolved. Reopen it first.")


class DueInThePast(Refused):
    code = "due-in-the-past"
    message = _("This time has passed already. Promise a later one.")


class PromiseSettled(Refused):
    code = "promise-settled"
    message = _("This promise is settled already.")


def make_promise(
    *,
    incident_id: int,
    kind: PromiseKind,
    due: When,
    at: datetime,
    author: User | None,
    text: str = "",
    basis: str = "",
    made_by_job: str = "",
) -> Promise:
    """Give customers a time. An open promise of the same kind is replaced, and stays on record.

    :raises IncidentResolved: if the incident is over
    :raises DueInThePast: if the time has passed already
    :raises OutOfTime: if it is in a year that cannot be meant
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if incident.is_resolved:
            raise IncidentResolved
        refuse_past(due, at=at)
        promise = open_promise(
            incident, kind=kind, due=due, at=at, text=text, basis=basis, made_by_job=made_by_job
        )
        note(
            incident,
            gettext("Promised: %(kind)s, %(text)s")
            % {"kind": kind.label, "text": text or due.said or _spoken(due, incident.tz)},
            at=at,
            author=author,
            kind=EntryKind.NOTE,
            tags=["promise"],
            source=Source.JOB if made_by_job else Source.WEB,
        )
        announce(incident_id)
    return promise


def settle_promise(
    *, promise_id: int, outcome: PromiseOutcome, at: datetime, author: User | None
) -> Promise:
    """Say that a promise was met or missed: for those that no clock can settle.

    :raises PromiseSettled: if it is settled already
    """
    with transaction.atomic():
        promise = _open_one(promise_id)
        _settle(promise, outcome, at=at)
        _note_settled(promise, at=at, author=author)
        announce(promise.incident_id)
    return promise


def withdraw_promise(*, promise_id: int, reason: str, at: datetime, author: User | None) -> Promise:
    """Take a promise back, openly.

    :raises PromiseSettled: if it is settled already
    """
    with transaction.atomic():
        promise = _open_one(promise_id)
        entry = note(
            promise.incident,
            gettext("%(kind)s withdrawn: %(reason)s")
            % {"kind": promise.get_kind_display(), "reason": reason},
            at=at,
            author=author,
            kind=EntryKind.NOTE,
            tags=["promise"],
        )
        _settle(promise, PromiseOutcome.WITHDRAWN, at=at, settled_by=entry)
        announce(promise.incident_id)
    return promise


def settle_due_promises(*, at: datetime) -> int:
    """Mark as missed every open promise whose time has passed. Return how many."""
    due = Promise.objects.open().filter(expires_at__lt=at).order_by("expires_at", "id")
    missed = 0
    for promise_id, incident_id in due.values_list("pk", "incident_id"):
        with transaction.atomic():
            lock_incident(incident_id)
            promise = Promise.objects.open().filter(pk=promise_id).first()
            if promise is None:
                continue
            _settle(promise, PromiseOutcome.MISSED, at=promise.expires_at or at)
            _note_settled(promise, at=promise.expires_at or at, author=None)
            announce(incident_id)
            missed += 1
    return missed


def open_promise(
    incident: Incident,
    *,
    kind: PromiseKind,
    due: When,
    at: datetime,
    made_in: StatusUpdate | None = None,
    text: str = "",
    basis: str = "",
    made_by_job: str = "",
) -> Promise:
    """Open a promise in a locked incident; the open one of its kind is replaced by it."""
    before = incident.promises.open().filter(kind=kind).first()
    if before is not None:
        overdue = before.expires_at is not None and before.expires_at < at
        _settle(before, PromiseOutcome.MISSED if overdue else PromiseOutcome.SUPERSEDED, at=at)
    promise = Promise(
        incident=incident,
        kind=kind,
        text=text,
        made_at=at,
        made_in=made_in,
        made_by_job=made_by_job,
        basis=basis,
        expires_at=due.latest,
        **due.fields("due_"),
    )
    promise.save(force_insert=True)
    if before is not None:
        before.replaced_by = promise
        before.save(update_fields=["replaced_by"])
    return promise


def promise_next_update(
    incident: Incident, update: StatusUpdate, *, at: datetime, due_at: datetime | None
) -> Promise:
    """Open the promise that every published update of an open incident makes."""
    due_at = due_at or at + cadence(Severity(incident.severity), Phase(incident.phase))
    return open_promise(
        incident, kind=PromiseKind.NEXT_UPDATE, due=When(at=due_at), at=at, made_in=update
    )


def keep_next_update(incident: Incident, *, at: datetime, settled_by: TimelineEntry) -> None:
    """Settle the promise of the next update: customers hear now."""
    promise = incident.promises.open().filter(kind=PromiseKind.NEXT_UPDATE).first()
    if promise is not None:
        late = promise.expires_at is not None and promise.expires_at < at
        outcome = PromiseOutcome.MISSED if late else PromiseOutcome.MET
        _settle(promise, outcome, at=at, settled_by=settled_by)


def close_promises(incident: Incident, *, at: datetime, settled_by: TimelineEntry) -> None:
    """Settle what is open when the service is back: met, unless its time has passed.

    A vague promise ("in the next hours") has no time that could have passed: a person judges it.
    """
    for promise in incident.promises.open().exclude(expires_at=None):
        late = promise.expires_at is not None and promise.expires_at < at
        outcome = PromiseOutcome.MISSED if late else PromiseOutcome.MET
        _settle(promise, outcome, at=at, settled_by=settled_by)


def refuse_past(due: When, *, at: datetime) -> None:
    """Refuse a time that cannot be kept any more, or cannot be meant."""
    refuse_out_of_time(due)
    if due.latest is not None and due.latest < at:
        raise DueInThePast


def cadence(severity: Severity, phase: Phase) -> timedelta:
    """Return how soon customers hear next: staff's own figure, or that of our table."""
    own = Cadence.objects.filter(severity=severity, phase=phase).first()
    if own is not None:
        return timedelta(minutes=own.minutes)
    others = _CADENCE_OF_OTHERS.get(phase, 60)
    return timedelta(minutes=_CADENCE.get(phase, {}).get(severity, others))


def _open_one(promise_id: int) -> Promise:
    incident_id = Promise.objects.values_list("incident_id", flat=True).get(pk=promise_id)
    lock_incident(incident_id)
    promise = Promise.objects.select_related("incident").get(pk=promise_id)
    if promise.outcome != PromiseOutcome.OPEN:
        raise PromiseSettled
    return promise


def _settle(
    promise: Promise,
    outcome: PromiseOutcome,
    *,
    at: datetime,
    settled_by: TimelineEntry | None = None,
) -> None:
    promise.outcome = outcome
    promise.settled_at = at
    promise.settled_by = settled_by
    promise.save(update_fields=["outcome", "settled_at", "settled_by"])


def _note_settled(promise: Promise, *, at: datetime, author: User | None) -> None:
    promise.settled_by = note(
        promise.incident,
        gettext("%(kind)s %(outcome)s: it was due %(due)s")
        % {
            "kind": promise.get_kind_display(),
            "outcome": promise.get_outcome_display().lower(),
            "due": promise.due_said or _spoken(When.of(promise, "due_"), promise.incident.tz),
        },
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        tags=["promise"],
        is_public=promise.kind == PromiseKind.ETA,
    )
    promise.save(update_fields=["settled_by"])


def _spoken(when: When, tz: str) -> str:
    """Return a time in figures, in the incident's zone, the zone named."""
    if when.at is None:
        return gettext("at an unknown time")
    start, end = (
        f"{at.astimezone(zone(tz)):%Y-%m-%d %H:%M %Z}" for at in (when.at, when.until or when.at)
    )
    return start if start == end else f"{start} – {end}"
