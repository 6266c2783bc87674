"""What jobs push into the record: how far they are, and what is worth telling."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import TextChoices

from incidents import spoken, wording
from incidents.models import AT_WORK, OVER, Incident, ProgressReport, TimelineEntry
from incidents.operations import jobs
from incidents.operations.record import announce, lock_incident, note
from incidents.values import (
    EntryKind,
    Looked,
    Outcome,
    ProgressPhase,
    ProgressState,
    Source,
    zone,
)


class JobEvent(TextChoices):
    """What happens to a restore that the record shall show."""

    STARTED = "restore_started"
    ATTEMPT_FAILED = "restore_attempt_failed"
    WAITING = "restore_waiting"
    HELD = "restore_held"
    RESUMED = "restore_resumed"
    PAUSED = "restore_paused"
    PIVOTED = "restore_pivoted"
    PHASE_DONE = "restore_phase_done"
    FAILED = "restore_failed"
    # It is open, up to an earlier moment; what was written later follows in another job.
    REOPENED = "restore_reopened"
    FINISHED = "restore_finished"
    CANCELLED = "restore_cancelled"
    # All that nobody has to decide about is back.
    DECIDING = "restore_deciding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is, in figures alone: nothing here is anybody's text.

    ``done`` and ``total`` count ``unit`` ("bytes", "items" or ""), of ``phase``; ``rate`` is
    units a second; the ETA is the range in which the whole job ends, with its basis: the
    name of a measure and a figure ("last:60", or "usual:"; see ``wording.basis_words``).
    ``is_one_by_one`` says that tenants come back one by one after the whole.
    ``subject`` is what comes back, as the source calls it; nobody is shown it. ``is_checked``
    says that all of it was looked at, and is asked at the end, as ``has_kept`` is: that newer
    work of somebody's was kept in place of what came back. ``looked`` says what the checks were.
    ``resumes_at`` is when a job that is paused goes on by itself, if it does. ``follows_at`` is
    up to when everything is open already where the job brings what was written after that.
    """

    phase: ProgressPhase
    state: ProgressState = ProgressState.RUNNING
    done: int = 0
    total: int | None = None
    unit: str = ""
    rate: float | None = None
    eta_low_at: datetime | None = None
    eta_high_at: datetime | None = None
    eta_basis: str = ""
    data_until_at: datetime | None = None
    attempts: int = 1
    subject: str = ""
    is_checked: bool = False
    looked: Looked | None = None
    is_one_by_one: bool = False
    has_kept: bool = False
    resumes_at: datetime | None = None
    follows_at: datetime | None = None


def report_progress(
    *, incident_id: int, key: str, title: str, progress: Progress, at: datetime
) -> ProgressReport:
    """Say how far a job is: one row a job, edited in place.

    Also keeps what was promised: see ``incidents.operations.jobs``.
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        report = _upsert(incident, key=key, title=title, progress=progress, at=at)
        if not incident.is_resolved and report.ended_at is None:
            figures = partial(_figures, incident, progress)
            goes_on_untold = False
            if progress.state == ProgressState.RUNNING:
                goes_on_untold = not jobs.tell_resumed(incident, report, figures, at=at)
                jobs.keep_eta(incident, report, figures, at=at)
            if progress.state in AT_WORK and not goes_on_untold:
                jobs.keep_next_update(incident, report, figures, at=at)
        announce(incident_id)
    return report


def report_event(
    *,
    incident_id: int,
    key: str,
    title: str,
    event: JobEvent,
    number: int,
    progress: Progress,
    at: datetime,
) -> TimelineEntry:
    """Write down what happened to a job, and tell customers where that is worth an update.

    ``number`` counts the events of this kind in this job; the same event again changes nothing.
    The last restore to finish moves the incident to monitoring.
    """
    external_id = f"{key}:{event.value}:{number}"
    with transaction.atomic():
        incident = lock_incident(incident_id)
        known = TimelineEntry.objects.filter(source=Source.JOB, external_id=external_id).first()
        if known is not None:
            return known
        report = _upsert(incident, key=key, title=title, progress=progress, at=at)
        figures = partial(_figures, incident, progress)
        code = _code(event, progress)
        entry = note(
            incident,
            wording.entry_text(code, figures()),
            at=at,
            author=None,
            kind=EntryKind.JOB,
            source=Source.JOB,
            actor_label=title,
            external_id=external_id,
            outcome=_OUTCOME.get(event, ""),
            is_public=True,
        )
        if event in {JobEvent.FINISHED, JobEvent.REOPENED}:
            jobs.meet_eta(incident, key, at=at, settled_by=entry)
        elif event in _HALTED:
            jobs.withdraw_eta(incident, key, at=at, settled_by=entry)
        if _is_news(incident, key, event, number):
            jobs.tell(incident, report, code, figures, key=external_id, at=at)
        announce(incident_id)
    return entry


# After these nobody can say when the job ends.
_HALTED = {
    JobEvent.FAILED,
    JobEvent.CANCELLED,
    JobEvent.PAUSED,
    JobEvent.PIVOTED,
    JobEvent.DECIDING,
}
_OUTCOME = {
    JobEvent.ATTEMPT_FAILED: Outcome.FAILED,
    JobEvent.FAILED: Outcome.FAILED,
    JobEvent.REOPENED: Outcome.WORKED,
    JobEvent.FINISHED: Outcome.WORKED,
    JobEvent.CANCELLED: Outcome.ABANDONED,
}


def _code(event: JobEvent, progress: Progress) -> str:
    if event == JobEvent.STARTED and progress.follows_at is not None:
        return "restore_started_later"
    if event == JobEvent.FINISHED and progress.has_kept:
        return "restore_finished_apart" + ("" if progress.is_checked else "_unchecked")
    if (
        event in {JobEvent.FINISHED, JobEvent.REOPENED, JobEvent.DECIDING}
        and not progress.is_checked
    ):
        return f"{event.value}_unchecked"
    return event.value


def _is_news(incident: Incident, key: str, event: JobEvent, number: int) -> bool:
    if event == JobEvent.ATTEMPT_FAILED:
        # One attempt that was interrupted is news; the next ones are in the report.
        return number == 1
    if event == JobEvent.RESUMED:
        # Told with the first estimate, and only where a stop was told: see ``jobs.tell_resumed``.
        return False
    if event == JobEvent.FINISHED:
        # All data is back only when the last restore says so, and what failed came back later.
        reports = incident.progress_reports
        return not (reports.at_work().exists() or reports.in_want().exists())
    if event in _HALTED:
        # Customers were not told of a restore that never began.
        began = f"{key}:{JobEvent.STARTED.value}:"
        return incident.entries.filter(external_id__startswith=began).exists()
    return event.value in wording.UPDATES


def _upsert(
    incident: Incident, *, key: str, title: str, progress: Progress, at: datetime
) -> ProgressReport:
    over = progress.state in OVER
    ended = ProgressReport.objects.filter(key=key, ended_at__isnull=False).first()
    if ended is not None and not over:
        # A worker that lost its job may still have a report under way; the end stands.
        return ended
    values: dict[str, Any] = {
        "title": title,
        "subject": progress.subject,
        "state": progress.state,
        "phase": progress.phase,
        "done": progress.done if progress.total is None else min(progress.done, progress.total),
        "total": progress.total,
        "unit": progress.unit,
        "rate": progress.rate,
        "eta_low_at": progress.eta_low_at,
        "eta_high_at": progress.eta_high_at,
        "eta_basis": progress.eta_basis,
        "data_until_at": progress.data_until_at,
        "is_one_by_one": progress.is_one_by_one,
        "heartbeat_at": at,
        "ended_at": at if over else None,
    }
    report, _created = ProgressReport.objects.update_or_create(
        key=key,
        defaults=values,
        create_defaults=values | {"incident": incident, "started_at": at},
    )
    return report


def _figures(incident: Incident, progress: Progress) -> dict[str, str]:
    """Return what a job's sentences may name, in the language that is active."""
    phase, tz = ProgressPhase(progress.phase), zone(incident.tz)
    percent = progress.done * 100 // progress.total if progress.total else None
    return {
        "phase": wording.phase_words(phase),
        "percent": "" if percent is None else spoken.share(percent),
        "progress": wording.progress_words(phase, percent),
        "eta": wording.eta_words(progress.eta_low_at, progress.eta_high_at, tz),
        "data_until": wording.horizon_words(progress.data_until_at, tz),
        "data_since": wording.horizon_words(progress.follows_at, tz),
        "attempts": str(progress.attempts),
        "amount": wording.amount_words(progress.done, progress.unit),
        "counted": wording.counted_words(progress.done, progress.total, progress.unit),
        "checks": wording.checks_words(progress.looked),
        "resumes": wording.resume_words(progress.resumes_at, tz),
    }
