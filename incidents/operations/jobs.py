"""What a job promises and tells by itself: sparse, never more than it knows, never silent.

The first ETA becomes a promise beside the bar. One that moved by a fifth is given anew, and one
that was missed is owned up to; each is an update, and between two of them lies a while. The next
update comes before it is due, also while the job only waits. What people say counts more: their
ETA stands, and one that they withdrew is not given again.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db.models import Q

from incidents import wording
from incidents.calm import allowance
from incidents.models import (
    Cadence,
    Incident,
    ProgressReport,
    Promise,
    StatusUpdate,
    TimelineEntry,
)
from incidents.operations.drafts import draft_status_update
from incidents.operations.promises import open_promise
from incidents.operations.updates import publish_in
from incidents.plans import UpdatePlan, likely_states
from incidents.values import (
    ComponentStatus,
    EntryKind,
    Phase,
    ProgressPolicy,
    ProgressState,
    PromiseKind,
    PromiseOutcome,
    Severity,
    Source,
    When,
)

# What a job's sentences may name, in the language that is active when it is asked.
Figures = Callable[[], Mapping[str, str]]

# An ETA whose end moved by less is not given anew.
_MOVED_AT_LEAST = timedelta(minutes=2)
# An end that is nearer than this is not promised: it is here before anybody has read of it.
_WORTH_PROMISING = timedelta(minutes=1)
# A missed ETA is owned up to this long after the job's last update, at the earliest.
_BETWEEN_MISSES = timedelta(minutes=5)
# A job that goes on after a stop is given so long to find its ETA before that is told without.
_ETA_IS_AWAITED = timedelta(minutes=1)
# An update is posted this long before customers were promised to hear next.
_AHEAD = timedelta(minutes=1)

# What is said of work that does not advance.
_STATE_OF_WORK = {
    ProgressState.WAITING: "restore_waiting",
    ProgressState.HELD: "restore_held",
    ProgressState.PAUSED: "restore_paused",
}
# The updates after which customers wait to hear that it goes on, and the event that it does.
_STOPS = ("restore_failed", "restore_paused", "restore_deciding")
_RESUMED = "restore_resumed"
# Behind these, the service is only watched.
_FINISHED = {
    "restore_finished",
    "restore_finished_unchecked",
    "restore_finished_apart",
    "restore_finished_apart_unchecked",
}


def keep_eta(incident: Incident, report: ProgressReport, figures: Figures, *, at: datetime) -> None:
    """Give the job's ETA, give it anew if it moved, own up to it if it was missed."""
    if not incident.is_for_customers or _somebody_elses_stands(incident, report.key):
        return
    told = _last_eta(incident, report.key)
    if told is None:
        _promise(incident, report, at=at)
        return
    if told.outcome == PromiseOutcome.WITHDRAWN:
        # The job took it back when it stopped; what a person took back stays back.
        if told.settled_by is not None and told.settled_by.kind == EntryKind.JOB:
            _promise(incident, report, at=at)
        return
    late = told.expires_at is not None and told.expires_at < at
    if late:
        if _quiet_since(incident, report, at=at) >= _BETWEEN_MISSES:
            _give_anew(incident, report, told, "restore_eta_missed", figures, at=at)
    elif _has_moved(told, report, at=at):
        pause = Cadence.objects.in_force(Severity(incident.severity), Phase(incident.phase))
        if _quiet_since(incident, report, at=at) >= pause:
            _give_anew(incident, report, told, "restore_eta_moved", figures, at=at)


def keep_next_update(
    incident: Incident, report: ProgressReport, figures: Figures, *, at: datetime
) -> None:
    """Speak before the next update is due, or at once if its time has passed."""
    promise = incident.promises.filter(kind=PromiseKind.NEXT_UPDATE).newest_first().first()
    if promise is None or promise.due_at is None:
        return
    due = promise.outcome == PromiseOutcome.OPEN and promise.due_at - _AHEAD <= at
    if due or promise.outcome == PromiseOutcome.MISSED:
        code = _STATE_OF_WORK.get(ProgressState(report.state), "restore_going_on")
        tell(incident, report, code, figures, key=f"{report.key}:next:{promise.pk}", at=at)


def tell_resumed(
    incident: Incident, report: ProgressReport, figures: Figures, *, at: datetime
) -> bool:
    """Say that a job goes on of which customers were told that it stopped; once for each stop.

    It is told with the ETA, or without one if none is found within a minute. False while it is
    still to be told.
    """
    stops = Q()
    for code in _STOPS:
        stops |= Q(idempotency_key__startswith=f"{report.key}:{code}")
    stop = incident.updates.filter(stops).order_by("-created_at", "-pk").first()
    if stop is None:
        return True
    key = f"{report.key}:{_RESUMED}:{stop.pk}"
    if incident.updates.filter(idempotency_key=key).exists():
        return True
    # Also one that only waits for a worker is called running.
    resumed = incident.entries.filter(
        source=Source.JOB,
        external_id__startswith=f"{report.key}:{_RESUMED}:",
        at__gte=stop.created_at,
    ).first()
    if resumed is None or resumed.at is None:
        return False
    if report.eta_high_at is None and at - resumed.at < _ETA_IS_AWAITED:
        return False
    tell(incident, report, _RESUMED, figures, key=key, at=at)
    return True


def meet_eta(incident: Incident, key: str, *, at: datetime, settled_by: TimelineEntry) -> None:
    """Settle the job's ETA: what it promised is there."""
    incident.promises.open().filter(
        kind=PromiseKind.ETA, made_by_job=key, expires_at__gte=at
    ).update(outcome=PromiseOutcome.MET, settled_at=at, settled_by=settled_by)


def withdraw_eta(incident: Incident, key: str, *, at: datetime, settled_by: TimelineEntry) -> None:
    """Take the job's ETA back: it has stopped, and nobody knows when it goes on."""
    incident.promises.open().filter(kind=PromiseKind.ETA, made_by_job=key).update(
        outcome=PromiseOutcome.WITHDRAWN, settled_at=at, settled_by=settled_by
    )


def tell(
    incident: Incident,
    report: ProgressReport,
    code: str,
    figures: Figures,
    *,
    key: str,
    at: datetime,
) -> StatusUpdate | None:
    """Publish an update in the job's name, or keep it as a draft where staff want that.

    If it is the first that customers read, it brings states of components, unless staff have set
    some. The same key again tells nothing: None.
    """
    if incident.is_resolved or incident.updates.filter(idempotency_key=key).exists():
        return None
    said = wording.update_wording(code, figures)
    phase = Phase.MONITORING if code in _FINISHED else Phase(incident.phase)
    if phase == Phase.INVESTIGATING:
        phase = Phase.IDENTIFIED
    states = _first_states(incident, phase)
    if incident.progress_policy == ProgressPolicy.DRAFT:
        return draft_status_update(
            incident_id=incident.pk,
            body=said.text,
            translations=said.translations,
            phase=phase,
            at=at,
            author=None,
            plan=UpdatePlan(component_statuses=states),
            author_label=report.title,
            idempotency_key=key,
        )
    return publish_in(
        incident,
        body=said.text,
        translations=said.translations,
        phase=phase,
        at=at,
        author=None,
        component_statuses=states,
        author_label=report.title,
        idempotency_key=key,
    )


def _first_states(incident: Incident, phase: Phase) -> dict[int, ComponentStatus]:
    """Return the states that a job's first word to customers brings, by the component's id.

    Nobody is there to choose them. Where staff have said of one how it is, that stands for all.
    """
    is_first = incident.published_at is None and incident.is_for_customers
    if not (is_first and incident.moves_components) or phase == Phase.MONITORING:
        return {}
    if incident.components.exclude(status=ComponentStatus.OPERATIONAL).exists():
        return {}
    return likely_states(incident)


def _somebody_elses_stands(incident: Incident, key: str) -> bool:
    """Whether a person's ETA stands, or that of another job at work."""
    others = incident.promises.open().filter(kind=PromiseKind.ETA).exclude(made_by_job=key)
    at_work = incident.progress_reports.at_work().values_list("key", flat=True)
    return any(
        not maker or maker in at_work for maker in others.values_list("made_by_job", flat=True)
    )


def _last_eta(incident: Incident, key: str) -> Promise | None:
    """Return the last ETA that this job gave and that nothing has replaced."""
    return (
        incident.promises.filter(kind=PromiseKind.ETA, made_by_job=key, replaced_by__isnull=True)
        .exclude(outcome=PromiseOutcome.MET)
        .newest_first()
        .first()
    )


def _has_moved(told: Promise, report: ProgressReport, *, at: datetime) -> bool:
    if told.expires_at is None or report.eta_high_at is None:
        return False
    moved = abs(report.eta_high_at - told.expires_at)
    return moved > allowance(told.expires_at, at=at, least=_MOVED_AT_LEAST)


def _quiet_since(incident: Incident, report: ProgressReport, *, at: datetime) -> timedelta:
    """Return how long ago the job last spoke, drafts included."""
    last = (
        incident.updates.filter(idempotency_key__startswith=f"{report.key}:")
        .order_by("-created_at")
        .values_list("created_at", flat=True)
        .first()
    )
    return at - last if last is not None else timedelta.max


def _give_anew(
    incident: Incident,
    report: ProgressReport,
    told: Promise,
    code: str,
    figures: Figures,
    *,
    at: datetime,
) -> None:
    update = tell(incident, report, code, figures, key=f"{report.key}:eta:{told.pk}", at=at)
    promise = _promise(incident, report, at=at)
    if promise is not None:
        promise.made_in = update
        promise.save(update_fields=["made_in"])
        told.refresh_from_db()
        told.replaced_by = promise
        told.save(update_fields=["replaced_by"])


def _promise(incident: Incident, report: ProgressReport, *, at: datetime) -> Promise | None:
    if report.eta_high_at is None or report.eta_high_at - at < _WORTH_PROMISING:
        return None
    return open_promise(
        incident,
        kind=PromiseKind.ETA,
        due=When(at=report.eta_low_at, until=report.eta_high_at),
        at=at,
        basis=report.eta_basis,
        made_by_job=report.key,
    )
