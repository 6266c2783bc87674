"""Deeds on promises, and how soon customers hear. People and jobs promise; the clock settles."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.cadence import LONG, morning_after
from incidents.errors import Refused
from incidents.models import (
    Cadence,
    DeskRules,
    Incident,
    Promise,
    StatusUpdate,
    TimelineEntry,
)
from incidents.operations.notices.telling import tell_promise_missed
from incidents.operations.record import announce, lock_incident, note
from incidents.times import refuse_out_of_time
from incidents.values import (
    Confidence,
    EntryKind,
    Milestone,
    Phase,
    PromiseKind,
    PromiseOutcome,
    Severity,
    Source,
    When,
    zone,
)


class IncidentResolved(Refused):
    code = "incident-resolved"
    message = _("The incident is resolved. Reopen it first.")


class DueInThePast(Refused):
    code = "due-in-the-past"
    message = _("This time has passed already. Promise a later one.")


class PromisedTimePassed(Refused):
    code = "promised-time-passed"
    message = _("A time that this update promises has passed meanwhile. Give a later one first.")


class NotForCustomers(Refused):
    code = "not-for-customers"
    message = _(
        "Customers do not see this incident, so nothing can be promised to them. Show it on the "
        "page first."
    )


class PromiseSettled(Refused):
    code = "promise-settled"
    message = _("This promise is settled already.")


class ClockSettles(Refused):
    code = "clock-settles"
    message = _("The clock settles this one. Post the update that it needs, or withdraw it.")


def make_promise(
    *,
    incident_id: int,
    kind: PromiseKind,
    due: When,
    at: datetime,
    author: User | None,
    text: str = "",
    basis: str = "",
    confidence: Confidence | Literal[""] = "",
    made_by_job: str = "",
) -> Promise:
    """Give customers a time. An open promise of the same kind is replaced, and stays on record.

    :raises IncidentResolved: if the incident is over
    :raises NotForCustomers: if they do not see it
    :raises DueInThePast: if the time has passed already
    :raises OutOfTime: if it is in a year that cannot be meant
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if incident.is_resolved:
            raise IncidentResolved
        if not incident.is_for_customers:
            raise NotForCustomers
        refuse_past(due, at=at)
        promise = open_promise(
            incident,
            kind=kind,
            due=due,
            at=at,
            text=text,
            basis=basis,
            confidence=confidence,
            made_by_job=made_by_job,
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
    :raises ClockSettles: if an update alone can keep it, or if it would be met after its time
    """
    with transaction.atomic():
        promise = _open_one(promise_id)
        is_late = promise.expires_at is not None and promise.expires_at < at
        if promise.kind == PromiseKind.NEXT_UPDATE or (is_late and outcome == PromiseOutcome.MET):
            raise ClockSettles
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
            tell_promise_missed(promise, at=at)
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
    confidence: str = "",
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
        confidence=confidence,
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
    due_at = due_at or next_update_due(incident, Phase(incident.phase), at=at)
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


def open_again(incident: Incident, *, at: datetime, author: User | None) -> None:
    """Open the ETA again that the end of a locked incident has kept: it was not the end.

    The promise of an update that the last word kept stays kept: customers did hear.
    """
    by_its_end = Q(settled_by__update__phase=Phase.RESOLVED) | Q(
        settled_by__milestone=Milestone.RESOLVED
    )
    etas = incident.promises.filter(kind=PromiseKind.ETA)
    kept = etas.filter(by_its_end, outcome=PromiseOutcome.MET).newest_first().first()
    if kept is None or etas.open().exists():
        return
    kept.outcome, kept.settled_at, kept.settled_by = PromiseOutcome.OPEN, None, None
    kept.save(update_fields=["outcome", "settled_at", "settled_by"])
    note(
        incident,
        gettext("%(kind)s open again: it is due %(due)s")
        % {"kind": kept.get_kind_display(), "due": _due_words(kept)},
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        tags=["promise"],
    )


def withdraw_all(incident: Incident, *, at: datetime, settled_by: TimelineEntry) -> None:
    """Take back what is open in a locked incident that customers see no longer."""
    for promise in incident.promises.open():
        _settle(promise, PromiseOutcome.WITHDRAWN, at=at, settled_by=settled_by)


def refuse_past(due: When, *, at: datetime) -> None:
    """Refuse a time that cannot be kept any more, or cannot be meant."""
    refuse_out_of_time(due)
    if due.latest is not None and due.latest < at:
        raise DueInThePast


def refuse_passed(times: Iterable[When], *, at: datetime) -> None:
    """Refuse to publish at a moment by which one of the times that are promised has passed.

    :raises PromisedTimePassed: if one has
    """
    if any(due.latest is not None and due.latest < at for due in times):
        raise PromisedTimePassed


def next_update_due(incident: Incident, phase: Phase, *, at: datetime) -> datetime:
    """Return by when customers hear next, unless they are told otherwise.

    That is after the cadence of severity and phase. Of a long incident they hear at its own pace,
    and what would fall into the night of the incident's zone comes when that ends.
    """
    severity = Severity(incident.severity)
    if not incident.is_long:
        return at + Cadence.objects.in_force(severity, phase)
    return quiet_until(incident, at=at) or at + Cadence.objects.in_force(severity, LONG)


def quiet_until(incident: Incident, *, at: datetime) -> datetime | None:
    """Return the end of the night, if the next update of a long incident waits for it."""
    if not incident.is_long:
        return None
    rules = DeskRules.objects.in_force()
    return morning_after(
        at + Cadence.objects.in_force(Severity(incident.severity), LONG),
        begins=rules.night_begins,
        ends=rules.night_ends,
        zone=zone(incident.tz),
    )


def set_long(*, incident_id: int, is_long: bool, at: datetime, author: User | None) -> Incident:
    """Say whether customers hear of an incident at the pace of a long one, from the next update on.

    What they were promised last stands.

    :raises IncidentResolved: if the incident is over
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if incident.is_resolved:
            raise IncidentResolved
        if incident.is_long == is_long:
            return incident
        incident.is_long = is_long
        incident.save(update_fields=["is_long"])
        note(
            incident,
            gettext("From now on a long incident: fewer updates, none by night.")
            if is_long
            else gettext("No long incident any more: updates at the usual pace."),
            at=at,
            author=author,
            kind=EntryKind.NOTE,
            tags=["promise"],
        )
    return incident


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
            "due": _due_words(promise),
        },
        at=at,
        author=author,
        kind=EntryKind.NOTE,
        tags=["promise"],
        is_public=promise.kind == PromiseKind.ETA,
    )
    promise.save(update_fields=["settled_by"])


def _due_words(promise: Promise) -> str:
    return promise.due_said or _spoken(When.of(promise, "due_"), promise.incident.tz)


def _spoken(when: When, tz: str) -> str:
    """Return a time in figures, in the incident's zone, the zone named."""
    if when.at is None:
        return gettext("at an unknown time")
    start, end = (
        f"{at.astimezone(zone(tz)):%Y-%m-%d %H:%M %Z}" for at in (when.at, when.until or when.at)
    )
    return start if start == end else f"{start} – {end}"
