"""The live document: what a script needs to follow an open incident, and little of it."""

from datetime import datetime
from typing import Any

from incidents.models import Incident, ProgressReport, Promise
from incidents.values import ProgressPhase, ProgressState, PromiseKind, PromiseOutcome
from incidents.wording import basis_words
from statuspage.documents import v2
from statuspage.documents.clauses import Edition
from statuspage.documents.facts import Facts
from statuspage.documents.horizon import horizon_objects
from statuspage.documents.improvements import improvement_objects
from statuspage.documents.moments import iso, iso_or_none
from statuspage.documents.progress import moves, reports_of, stale_at, title
from statuspage.documents.promises import owed, promises_of
from statuspage.documents.proof import proof_moments, proof_objects

# Where it lies.
LIVE = "/api/status/v1/live.json"


def live(facts: Facts) -> list[Edition]:
    """Return the live document for now and for each moment at which it changes by itself."""
    return [
        Edition(valid_from=moment, body=v2.encode(_document(facts, moment)))
        for moment in [facts.at, *sorted(_moments(facts))]
    ]


def _moments(facts: Facts) -> set[datetime]:
    found: set[datetime | None] = {facts.at + facts.limits.quiet_after}
    for incident in facts.unresolved:
        found.update(promise.expires_at for promise in _open_promises(incident))
        for report in reports_of(incident):
            found.update((stale_at(facts, report), report.eta_high_at))
    found.update(proof_moments(facts))
    return {moment for moment in found if moment is not None and moment > facts.at}


def _document(facts: Facts, now: datetime) -> dict[str, Any]:
    return {
        "revision": facts.revision,
        "generated_at": iso(facts.at, facts.zone),
        "copy_is_old": now >= facts.at + facts.limits.quiet_after,
        "notice": facts.notice.text if facts.notice else None,
        "status": v2.status_object(facts),
        "incidents": [_incident(facts, incident, now) for incident in facts.unresolved],
        "backups": proof_objects(facts, now),
    }


def _incident(facts: Facts, incident: Incident, now: datetime) -> dict[str, Any]:
    return {
        "id": incident.public_id,
        "name": incident.title,
        "status": incident.phase,
        "impact": incident.impact,
        "updated_at": iso(incident.updated_at, facts.zone),
        "horizon": horizon_objects(facts, incident),
        "improvements": improvement_objects(facts, incident),
        "promises": [
            _promise(facts, promise, now)
            for promise in [*_open_promises(incident), *owed(incident)]
        ],
        "progress": [_progress(facts, report, now) for report in reports_of(incident)],
    }


def _open_promises(incident: Incident) -> list[Promise]:
    return [promise for promise in promises_of(incident) if promise.outcome == PromiseOutcome.OPEN]


def _promise(facts: Facts, promise: Promise, now: datetime) -> dict[str, Any]:
    return {
        "kind": PromiseKind(promise.kind).value,
        "from": iso_or_none(promise.due_at, facts.zone),
        "to": iso_or_none(promise.due_until or promise.due_at, facts.zone),
        "basis": basis_words(promise.basis) or None,
        "passed": promise.outcome == PromiseOutcome.MISSED
        or (promise.expires_at is not None and promise.expires_at <= now),
    }


def _progress(facts: Facts, report: ProgressReport, now: datetime) -> dict[str, Any]:
    silent_from = stale_at(facts, report)
    stale = silent_from is not None and silent_from <= now
    # Of a job that is silent, nobody knows how fast it is or when it ends.
    low, high = (None, None) if stale else (report.eta_low_at, report.eta_high_at)
    is_fast = report.state == ProgressState.RUNNING and moves(report) and not stale
    return {
        "title": title(report),
        "state": report.state,
        "stale": stale,
        "waits_for_decision": report.waits_for_decision,
        "paused_since": iso_or_none(report.rests_since, facts.zone),
        "phase": report.phase,
        "phase_description": str(ProgressPhase(report.phase).label),
        "done": report.done,
        "total": report.total,
        "unit": report.unit or None,
        "rate": report.rate if is_fast else None,
        "eta_from": iso_or_none(low, facts.zone),
        "eta_to": iso_or_none(high, facts.zone),
        "eta_basis": (high and basis_words(report.eta_basis)) or None,
        "data_until": iso_or_none(report.data_until_at, facts.zone),
        "started_at": iso(report.started_at, facts.zone),
        "heartbeat_at": iso(report.heartbeat_at, facts.zone),
        "ended_at": iso_or_none(report.ended_at, facts.zone),
    }
