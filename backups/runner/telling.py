"""Saying how far a restore is: to its own row, and to the record of the incident it belongs to.

Codes and figures only. What customers read is made of the incidents app's sentences; no word of a
tool gets there.
"""

import logging
import time
from datetime import datetime, timedelta

from django.db import DatabaseError, connection

from backups import estimate
from backups.models import (
    JobState,
    RestoreAttempt,
    RestoreJob,
    RestorePhase,
    RestorePoint,
    RestoreStep,
    TenantRestoreState,
)
from backups.runner import tenants
from backups.runner.lanes import TenantsUnfinished
from backups.runner.lease import Clock, Lease
from backups.runner.outlook import Ahead, Outlook
from backups.runner.recovered import not_brought
from backups.runner.verification import are_whole, looked_at
from backups.steps import Step
from incidents.errors import Refused
from incidents.operations.progress import JobEvent, Progress, report_event, report_progress
from incidents.values import ProgressPhase, ProgressState

logger = logging.getLogger(__name__)

STORED_EVERY_SECONDS = 2.0
WAITING_TOLD_EVERY = timedelta(minutes=10)
# After a wait that was told, the work has to go on for so long before that is told as well.
FLOWS_SECONDS = 5.0
TITLE = "Database restore"
PUBLIC_PHASE = {
    RestorePhase.PLAN: ProgressPhase.PREPARING,
    RestorePhase.FETCH: ProgressPhase.FETCHING,
    RestorePhase.UNPACK: ProgressPhase.UNPACKING,
    RestorePhase.REPLAY: ProgressPhase.REPLAYING,
    RestorePhase.VERIFY: ProgressPhase.VERIFYING,
    RestorePhase.TENANTS: ProgressPhase.TENANTS,
    RestorePhase.READY: ProgressPhase.READY,
}
ORDER = list(RestorePhase)
# What the work may come to a halt for, and how that is told.
HALTS = {
    "storage": (JobEvent.WAITING, ProgressState.WAITING),
    "disk": (JobEvent.HELD, ProgressState.HELD),
    "credentials": (JobEvent.HELD, ProgressState.HELD),
}
_ENDS = {
    JobState.SUCCEEDED: (JobEvent.FINISHED, ProgressState.SUCCEEDED),
    JobState.CANCELLED: (JobEvent.CANCELLED, ProgressState.CANCELLED),
    JobState.FAILED: (JobEvent.FAILED, ProgressState.FAILED),
}


def promised_until(job: RestoreJob) -> datetime | None:
    """Return up to when data comes back; before the plan, as the catalogue has it."""
    if job.data_until_at is not None or job.target_at is not None:
        return job.data_until_at or job.target_at
    if job.point == RestorePoint.BACKUP and job.backup is not None:
        return job.backup.ended_at
    return job.database.latest_restorable_at


def figures_of(
    job: RestoreJob, *, state: ProgressState = ProgressState.RUNNING, attempts: int = 1
) -> Progress:
    """Return what the row knows of the job, as figures for the record.

    While it waits or rests its end is not known, as ``RestoreJob.has_eta`` has it.
    """
    is_at_work = state == ProgressState.RUNNING
    return Progress(
        phase=PUBLIC_PHASE[RestorePhase(job.phase)],
        state=state,
        done=job.done,
        total=job.total,
        unit=job.unit,
        rate=job.rate,
        eta_low_at=job.eta_low_at if is_at_work else None,
        eta_high_at=job.eta_high_at if is_at_work else None,
        eta_basis=job.eta_basis if is_at_work else "",
        data_until_at=promised_until(job),
        attempts=attempts,
        subject=job.database.key,
        is_checked=are_whole(job.evidence) and job.accepted_at is None,
        looked=looked_at(job) if state == ProgressState.SUCCEEDED else None,
        is_one_by_one=job.brings_forward_id is not None,
        has_kept=state == ProgressState.SUCCEEDED and _has_kept(job),
        resumes_at=job.resume_at if state == ProgressState.PAUSED else None,
        follows_at=job.brings_forward.data_until_at if job.brings_forward is not None else None,
    )


def _has_kept(job: RestoreJob) -> bool:
    """Whether something is left as it was in the cluster that is open."""
    return bool(not_brought(job.evidence)) or job.tenant_restores.kept_newer().exists()


def _end_of(job: RestoreJob) -> tuple[JobEvent, ProgressState]:
    if job.state == JobState.FAILED and job.failure_code == TenantsUnfinished.code:
        left = job.tenant_restores.undecided()
        if left.exists() and not left.filter(state=TenantRestoreState.FAILED).exists():
            # Nothing has failed: what can come back is back, and it goes on once people decide.
            return JobEvent.DECIDING, ProgressState.PAUSED
    return _ENDS[JobState(job.state)]


def is_told(job: RestoreJob, said: str) -> bool:
    """Whether what was last said of a job that is over, or has stopped, is how it is."""
    return not job.is_over and said == _end_of(job)[1]


def tell_end(job: RestoreJob, *, at: datetime) -> None:
    """Tell that a job is over or has stopped, if it belongs to an incident. Once is enough.

    What cannot be told now is told by the upkeep later: the job's own row is the truth.
    """
    if job.incident_id is None:
        return
    # First: once the report is over, nothing more is said of its tenants.
    tenants.tell_end(job, at=at)
    event, state = _end_of(job)
    if event == JobEvent.FINISHED and job.later_parts.unfinished().exists():
        event = JobEvent.REOPENED
    _tell_event(job, event, state, number=job.attempts.count(), at=at)


def _tell_event(
    job: RestoreJob, event: JobEvent, state: ProgressState, *, number: int, at: datetime
) -> None:
    assert job.incident_id is not None
    try:
        report_event(
            incident_id=job.incident_id,
            key=job.key,
            title=TITLE,
            event=event,
            number=number,
            progress=figures_of(job, state=state, attempts=job.attempts.count()),
            at=at,
        )
    except (DatabaseError, Refused):
        logger.warning("restore %s: %s could not be told", job.pk, event.value, exc_info=True)
        connection.close_if_unusable_or_obsolete()


def tell_queued(job: RestoreJob, *, at: datetime) -> None:
    """Tell that a job waits for a worker, and its tenants with it, if it belongs to an incident."""
    if job.incident_id is None:
        return
    report_progress(
        incident_id=job.incident_id, key=job.key, title=TITLE, progress=figures_of(job), at=at
    )
    tenants.tell_waiting(job, until=promised_until(job), at=at)


def tell_paused(job: RestoreJob, *, at: datetime) -> None:
    """Tell that a job rests, if it belongs to an incident. Each pause is told once."""
    if job.incident_id is None or job.pause_at is None:
        return
    _tell_event(
        job, JobEvent.PAUSED, ProgressState.PAUSED, number=int(job.pause_at.timestamp()), at=at
    )


def tell_still_paused(job: RestoreJob, *, at: datetime) -> None:
    """Keep the promise of a next update while a job rests."""
    if job.incident_id is None:
        return
    report_progress(
        incident_id=job.incident_id,
        key=job.key,
        title=TITLE,
        progress=figures_of(job, state=ProgressState.PAUSED, attempts=job.attempts.count()),
        at=at,
    )


def tell_pivoted(job: RestoreJob, *, at: datetime) -> None:
    """Tell that a job goes on by another plan, if it belongs to an incident."""
    if job.incident_id is not None:
        _tell_event(job, JobEvent.PIVOTED, ProgressState.RUNNING, number=int(at.timestamp()), at=at)


def tell_requeued(job: RestoreJob, *, at: datetime) -> None:
    """Tell the tenants of a job that goes on with another attempt that they wait again."""
    if job.incident_id is not None:
        tenants.tell_waiting(job, until=promised_until(job), at=at)


class Telling:
    """What one attempt at a restore tells. Every method checks the lease first."""

    def __init__(self, job: RestoreJob, attempt: RestoreAttempt, lease: Lease, now: Clock) -> None:
        self._job = job
        self._attempt = attempt
        self._lease = lease
        self._now = now
        self._tenants = tenants.Tenants(job)
        self._pace = estimate.Pace()
        self._phase, self._unit = RestorePhase(job.phase), job.unit
        self._stored = float("-inf")
        self._waiting_told_at: datetime | None = None
        # Whether the wait that is on was told, and since when the work goes on again.
        self._is_wait_told = False
        self._flows_since: float | None = None
        self._outlook = Outlook(job)

    @property
    def ahead(self) -> Ahead:
        """What comes after a phase, for the estimate of the whole; the plan knows."""
        return self._outlook.ahead

    @property
    def now(self) -> Clock:
        """The clock that everything of this attempt is dated by."""
        return self._now

    def begin(self, phase: RestorePhase, *, unit: str = "bytes") -> None:
        """Enter a phase.

        Of one that an earlier attempt was in, nothing is told before a step says how far it is:
        what was told last stands. One that was passed is told again only if it takes its time.
        """
        self._lease.check()
        at = self._now()
        known, is_fresh = RestoreStep.objects.get_or_create(
            job=self._job, phase=phase, defaults={"began_at": at, "unit": unit}
        )
        self._attempt.phase = phase
        self._attempt.save(update_fields=["phase"])
        self._phase, self._unit = phase, unit
        self._pace = estimate.Pace()
        self._outlook.begin(phase)
        if is_fresh:
            self._store(Step(done=0), at=at)
        else:
            self._stored = float("-inf") if known.ended_at is None else time.monotonic()

    def step(self, step: Step) -> None:
        """Take a step down, and tell it if the last one told is two seconds old."""
        self._lease.check()
        self._pace.note(time.monotonic(), step.done)
        self._outlook.note(step)
        if step.counters:
            self._attempt.counters = dict(step.counters)
        if not step.waiting and self._job.waiting_for in HALTS:
            now = time.monotonic()
            self._flows_since = self._flows_since or now
            if now - self._flows_since >= FLOWS_SECONDS:
                self._tell_resumed()
        else:
            self._flows_since = None
            if step.waiting in HALTS and step.waiting != self._job.waiting_for:
                self._tell_waiting(step)
            self._job.waiting_for = step.waiting
        if time.monotonic() - self._stored >= STORED_EVERY_SECONDS:
            self._store(step, at=self._now())

    def finish(self, phase: RestorePhase, step: Step) -> None:
        """Leave a phase that is done; told once, however often it is passed."""
        self._lease.check()
        if self._job.waiting_for in HALTS:
            self._tell_resumed()
        at = self._now()
        fresh = RestoreStep.objects.filter(job=self._job, phase=phase, ended_at=None).update(
            ended_at=at, done=step.done, total=step.total
        )
        # Where it was passed before, what was told of a later phase may still stand.
        if fresh or self._job.phase == phase:
            self._store(step, at=at)
        # That it is ready is an event of its own.
        if fresh and phase != RestorePhase.READY:
            self.event(JobEvent.PHASE_DONE, number=ORDER.index(phase), at=at)

    def started(self) -> None:
        """Tell that the restore is under way; once, however often it is passed."""
        self.event(JobEvent.STARTED, number=1, at=self._now())

    def event(
        self,
        event: JobEvent,
        *,
        number: int,
        at: datetime,
        state: ProgressState = ProgressState.RUNNING,
    ) -> None:
        """Put an event on the incident's record, if the restore belongs to one."""
        if self._job.incident_id is None:
            return
        try:
            report_event(
                incident_id=self._job.incident_id,
                key=self._job.key,
                title=TITLE,
                event=event,
                number=number,
                progress=self.progress(state),
                at=at,
            )
        except (DatabaseError, Refused):
            # A restore is never given up because it could not be told.
            logger.warning("restore %s: an event could not be told", self._job.pk, exc_info=True)
            connection.close_if_unusable_or_obsolete()

    def progress(self, state: ProgressState) -> Progress:
        """Return the figures of the row as they stand."""
        return figures_of(self._job, state=state, attempts=self._attempt.number)

    def _tell_waiting(self, step: Step) -> None:
        at = self._now()
        self._job.waiting_for = step.waiting
        self._store(step, at=at)
        if self._waiting_told_at is None or at - self._waiting_told_at > WAITING_TOLD_EVERY:
            self._waiting_told_at, self._is_wait_told = at, True
            event, state = HALTS[step.waiting]
            self.event(event, number=int(at.timestamp()), at=at, state=state)

    def _tell_resumed(self) -> None:
        self._job.waiting_for, self._flows_since = "", None
        if self._is_wait_told:
            self._is_wait_told = False
            at = self._now()
            self.event(JobEvent.RESUMED, number=int(at.timestamp()), at=at)

    def _store(self, step: Step, *, at: datetime) -> None:
        self._stored = time.monotonic()
        job = self._job
        job.phase, job.unit = self._phase, self._unit
        job.total = step.total
        job.done = step.done if step.total is None else min(step.done, step.total)
        job.rate = self._pace.rate() or None
        try:
            self._estimate(step, at=at)
            RestoreJob.objects.filter(pk=job.pk, leased_by=self._lease.worker).update(
                phase=job.phase, done=job.done, total=job.total, unit=job.unit, rate=job.rate,
                eta_low_at=job.eta_low_at, eta_high_at=job.eta_high_at, eta_basis=job.eta_basis,
                waiting_for=job.waiting_for, data_until_at=job.data_until_at,
            )  # fmt: skip
            self._attempt.save(update_fields=["counters"])
            if job.incident_id is not None:
                _event, state = HALTS.get(job.waiting_for, (None, ProgressState.RUNNING))
                report_progress(
                    incident_id=job.incident_id,
                    key=job.key,
                    title=TITLE,
                    progress=self.progress(state),
                    at=at,
                )
                self._tenants.tell(at=at, until=promised_until(job), left=self._outlook.tenants)
        except (DatabaseError, Refused):
            logger.warning("restore %s: progress could not be told", job.pk, exc_info=True)
            connection.close_if_unusable_or_obsolete()

    def _estimate(self, step: Step, *, at: datetime) -> None:
        job = self._job
        job.eta_low_at = job.eta_high_at = None
        job.eta_basis = ""
        if job.waiting_for not in ("", "storage"):
            return
        given = self._outlook.look(step, at=at)
        if given is not None:
            job.eta_low_at, job.eta_high_at = given.low_at, given.high_at
            job.eta_basis = self._outlook.basis
