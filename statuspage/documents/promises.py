"""The times that customers were given, and what became of each."""

from dataclasses import dataclass

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import AT_WORK, Incident, Promise
from incidents.values import Confidence, PromiseKind, PromiseOutcome
from incidents.wording import basis_words
from statuspage.documents.clauses import Clauses
from statuspage.documents.facts import Facts
from statuspage.documents.moments import clock, due, due_by, tagged, when
from statuspage.documents.progress import reports_of

_OUTCOMES = {
    PromiseOutcome.OPEN: _lazy("stands"),
    PromiseOutcome.MET: _lazy("met"),
    PromiseOutcome.MISSED: _lazy("missed"),
    PromiseOutcome.SUPERSEDED: _lazy("replaced"),
    PromiseOutcome.WITHDRAWN: _lazy("withdrawn"),
}


# How sure of an estimate people were, as it stands behind it.
_CONFIDENCE = {
    Confidence.LOW: _lazy("a rough guess"),
    Confidence.MEDIUM: _lazy("fairly sure"),
    Confidence.HIGH: _lazy("quite sure"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One time that was given."""

    made: SafeString
    due: SafeString
    basis: str
    outcome: SafeString


def promises_of(incident: Incident) -> list[Promise]:
    """Return the promises that came with the incident, newest first."""
    promises: list[Promise] = incident.given  # type: ignore[attr-defined]
    return promises


def expected(facts: Facts, incident: Incident, clauses: Clauses) -> SafeString:
    """Return when people expect the service back; empty if no person's word stands.

    A job's own estimate stands in its panel and is not said twice.
    """
    promise = _open(incident, PromiseKind.ETA)
    if promise is None or promise.made_by_job:
        return _missed(facts, incident)
    words = due(promise, facts.zone)
    if behind := ", ".join(filter(None, [promise.basis, _confidence(promise)])):
        words = format_html('{} <span class="muted" dir="auto">({})</span>', words, behind)
    if promise.expires_at is None:
        return words
    passed = format_html(_('<span class="late">We said {}. That time has passed.</span>'), words)
    return clauses.turn(promise.expires_at, before=words, after=passed)


def _missed(facts: Facts, incident: Incident) -> SafeString:
    """Return that the last estimate was missed: it stands there until there is another."""
    promise = _newest(incident, PromiseKind.ETA)
    if promise is None or promise not in owed(incident):
        return SafeString("")
    if promise.made_by_job and any(row.state in AT_WORK for row in reports_of(incident)):
        # It says so itself.
        return SafeString("")
    words = due(promise, facts.zone)
    if promise.due_at is not None and promise.due_until is None:
        words = format_html(_("by {moment}"), moment=words)
    return format_html(
        _(
            '<span class="late">We expected it back {}; that was missed, and there is no new '
            "estimate yet.</span>"
        ),
        words,
    )


def owed(incident: Incident) -> list[Promise]:
    """Return, of an open incident, what was missed and has nothing newer in its place."""
    if incident.is_resolved:
        return []
    newest = (_newest(incident, kind) for kind in PromiseKind)
    return [
        promise
        for promise in newest
        if promise is not None and promise.outcome == PromiseOutcome.MISSED
    ]


def next_update(facts: Facts, incident: Incident, clauses: Clauses) -> SafeString:
    """Return by when customers hear next, which turns once that time has passed.

    One that was missed stands there until customers have heard.
    """
    promise = _newest(incident, PromiseKind.NEXT_UPDATE)
    if promise is None or promise.due_at is None or incident.is_resolved:
        return SafeString("")
    late = format_html(
        _('<span class="late">It was promised by {} and is late.</span>'), due(promise, facts.zone)
    )
    if promise.outcome == PromiseOutcome.MISSED:
        return late
    if promise.outcome != PromiseOutcome.OPEN:
        return SafeString("")
    return clauses.turn(promise.expires_at, before=due_by(promise, facts.zone), after=late)


def given(facts: Facts, incident: Incident, clauses: Clauses) -> list[Given]:
    """Return every time that was given for the end of the incident, newest first."""
    return [
        Given(
            made=when(promise.made_at, facts.zone),
            due=due(promise, facts.zone),
            basis=", ".join(filter(None, [basis_words(promise.basis), _confidence(promise)])),
            outcome=_outcome(facts, promise, clauses),
        )
        for promise in promises_of(incident)
        if promise.kind == PromiseKind.ETA
    ]


def _confidence(promise: Promise) -> str:
    """Return how sure of it people were, in words; empty where they have not said."""
    return str(_CONFIDENCE[Confidence(promise.confidence)]) if promise.confidence else ""


def _outcome(facts: Facts, promise: Promise, clauses: Clauses) -> SafeString:
    outcome = PromiseOutcome(promise.outcome)
    words = _pill(outcome, str(_OUTCOMES[outcome]))
    if outcome != PromiseOutcome.OPEN or promise.expires_at is None:
        return words
    at = tagged(promise.expires_at, clock(promise.expires_at, facts.zone))
    passed = _pill(PromiseOutcome.MISSED, format_html(_("passed at {}"), at))
    return clauses.turn(promise.expires_at, before=words, after=passed)


def _pill(outcome: PromiseOutcome, words: str) -> SafeString:
    return format_html('<span class="pill is-{}">{}</span>', outcome, words)


def _newest(incident: Incident, kind: PromiseKind) -> Promise | None:
    return next((promise for promise in promises_of(incident) if promise.kind == kind), None)


def _open(incident: Incident, kind: PromiseKind) -> Promise | None:
    return next(
        (
            promise
            for promise in promises_of(incident)
            if promise.kind == kind and promise.outcome == PromiseOutcome.OPEN
        ),
        None,
    )
