"""One worker's go at a restore: claimed, told, and ended in a way that somebody can act on."""

import logging

from django.db import transaction
from django.db.models import Max

from backups.engines.postgres import PostgresFailed
from backups.errors import CredentialsMissing, EngineFailed
from backups.models import AttemptOutcome, JobState, RestoreAttempt, RestoreJob, RestorePhase
from backups.models.tenants import DONE
from backups.runner.credentials import redacted, storage_credentials
from backups.runner.forward import leave_open_cluster
from backups.runner.lanes import TenantsUnfinished
from backups.runner.later_parts import begin_later_parts
from backups.runner.lease import Clock, Lease, LeaseLost
from backups.runner.outlook import came_true
from backups.runner.places import clear_away, rest, workspace_of
from backups.runner.proofs import tell_proof
from backups.runner.restore import Restoration
from backups.runner.telling import Telling, tell_end, tell_paused, tell_requeued
from backups.runner.tools import opened_supply
from incidents.operations.progress import JobEvent

logger = logging.getLogger(__name__)

# What may be better a moment later by itself is tried again so often, without being asked.
RETRIED = {"replay-stopped", "stage-in-use", "tool-failed", "tool-silent"}
TRIES = 3
# What can be in the way when a target is left: a server that does not stop, files of others.
_IN_THE_WAY = (EngineFailed, PostgresFailed, OSError)


class NotAtRest(EngineFailed):
    """The recovery that was to pause could not be stopped."""

    code = "not-at-rest"
    advice = (
        "PostgreSQL at the recovery target could not be stopped (the attempt's log says why). "
        "Mend the cause, then resume the restore, and pause it again if it is still to rest."
    )


class NotCleared(EngineFailed):
    """What a restore that is given up put at its target could not be taken back."""

    code = "not-cleared"
    advice = (
        "What the restore put at its recovery target could not be taken away (the attempt's log "
        "says why). Mend the cause, then cancel the restore again."
    )


def run_restore(*, restore_id: int, now: Clock) -> None:
    """Carry a restore as far as it goes. Called twice at once, one call works."""
    lease = Lease.claim(RestoreJob.objects.all(), restore_id, now=now)
    if lease is None:
        logger.info("restore %s: taken or over already", restore_id)
        return
    with lease:
        _Carrying(restore_id, lease, now).carry()


class _Carrying:
    def __init__(self, restore_id: int, lease: Lease, now: Clock) -> None:
        self._now = now
        self._lease = lease
        self._job = RestoreJob.objects.select_related(
            "database__storage", "target", "incident"
        ).get(pk=restore_id)
        self._secrets: tuple[str, ...] = ()

    def carry(self) -> None:
        job = self._job
        if job.cancel_requested_at is not None:
            self._cancel()
            return
        if job.is_to_pause(self._now()):
            self._pause()
            return
        self._attempt = self._begin_attempt()
        self._telling = Telling(job, self._attempt, self._lease, self._now)
        try:
            self._tell_start()
            folder = workspace_of(job).folder / "relay"
            with opened_supply(job.database, folder, first=job.source) as supply:
                self._secrets = supply.secrets
                Restoration(job, self._telling, supply).carry()
        except LeaseLost:
            self._let_go()
        except EngineFailed as failure:
            self._fail(failure)
        except Exception:
            # A fault of ours: end the attempt, so that nobody waits for it, and let it be seen.
            self._fail(EngineFailed("a fault of Highwater itself; see the worker's log"))
            raise
        else:
            self._succeed()

    def _begin_attempt(self) -> RestoreAttempt:
        before = self._job.attempts.aggregate(Max("number"))["number__max"] or 0
        return RestoreAttempt.objects.create(
            job=self._job,
            number=before + 1,
            worker=self._lease.worker,
            began_at=self._now(),
            phase=self._job.phase,
        )

    def _tell_start(self) -> None:
        # The start itself is told once there is a plan: what cannot begin is no news.
        if self._attempt.number > 1:
            self._telling.event(JobEvent.RESUMED, number=self._attempt.number, at=self._now())

    def _succeed(self) -> None:
        at = self._now()
        self._end_attempt(AttemptOutcome.SUCCEEDED)
        if self._release(JobState.SUCCEEDED, eta_low_at=None, eta_high_at=None, waiting_for=""):
            self._job.refresh_from_db()
            came_true(self._job, at=at)
            tell_end(self._job, at=at)
            tell_proof(self._job.database, at=at)
            begin_later_parts(at=at)

    def _fail(self, failure: EngineFailed) -> None:
        logger.warning("restore %s: stopped: %s", self._job.pk, failure.code)
        detail = redacted(f"{failure.detail or failure}", self._known_secrets())[-8000:]
        self._end_attempt(AttemptOutcome.FAILED, failure_code=failure.code, detail=detail)
        advice = redacted(failure.advice, self._known_secrets())[:500]
        at = self._now()
        failed = {"eta_low_at": None, "eta_high_at": None, "rate": None, "waiting_for": ""}
        self._job.eta_low_at = self._job.eta_high_at = None
        number = self._attempt.number
        if self._is_worth_another_try(failure):
            if self._release(JobState.QUEUED, queued_at=at, **failed):
                self._telling.event(JobEvent.ATTEMPT_FAILED, number=number, at=at)
                tell_requeued(self._job, at=at)
            return
        why = {"failure_code": failure.code, "failure_advice": advice}
        with transaction.atomic():
            # Whoever decides of a tenant holds the job as well: no wish falls in between.
            RestoreJob.objects.select_for_update().get(pk=self._job.pk)
            goes_on = self._has_turns_to_come(failure)
            values = {"queued_at": at} if goes_on else why
            state = JobState.QUEUED if goes_on else JobState.FAILED
            is_ours = self._release(state, **values, **failed)
        if is_ours and goes_on:
            tell_requeued(self._job, at=at)
        elif is_ours:
            self._job.refresh_from_db()
            tell_end(self._job, at=at)

    def _has_turns_to_come(self, failure: EngineFailed) -> bool:
        """Say whether somebody has decided since it was found that there are decisions to make."""
        rows = self._job.tenant_restores
        is_for_them = failure.code == TenantsUnfinished.code
        return is_for_them and (rows.waiting().exists() or not rows.undecided().exists())

    def _is_worth_another_try(self, failure: EngineFailed) -> bool:
        last = self._job.attempts.order_by("-number").values_list("failure_code", flat=True)[:TRIES]
        return failure.code in RETRIED and list(last) != [failure.code] * TRIES

    def _let_go(self) -> None:
        """Stop without touching a thing, unless this very job was asked to pause or to end."""
        job = self._job
        job.refresh_from_db(fields=["cancel_requested_at", "leased_by", "pause_at", "resume_at"])
        if job.leased_by != self._lease.worker:
            logger.warning("restore %s: the lease is lost", job.pk)
            self._end_attempt(AttemptOutcome.LOST)
        elif job.cancel_requested_at is not None:
            self._end_attempt(AttemptOutcome.STOPPED)
            self._cancel()
        elif job.is_to_pause(self._now()):
            self._end_attempt(AttemptOutcome.PAUSED)
            self._pause()
        else:
            logger.warning("restore %s: the lease ran out", job.pk)
            self._end_attempt(AttemptOutcome.LOST)

    def _pause(self) -> None:
        """Let the work rest where it is; PostgreSQL writes down how far it has replayed."""
        try:
            rest(self._job)
        except _IN_THE_WAY as fault:
            self._stop_short(NotAtRest(f"{type(fault).__name__}: {fault}"))
            return
        at = self._now()
        if not self._release(JobState.PAUSED, eta_low_at=None, eta_high_at=None, waiting_for=""):
            return
        self._job.refresh_from_db()
        if self._job.resume_at is None or self._job.resume_at > at:
            tell_paused(self._job, at=at)

    def _cancel(self) -> None:
        try:
            leave_open_cluster(self._job)
            clear_away(self._job)
        except _IN_THE_WAY as fault:
            self._stop_short(NotCleared(f"{type(fault).__name__}: {fault}"))
            return
        self._job.tenant_restores.begin_again()
        if self._release(JobState.CANCELLED, eta_low_at=None, eta_high_at=None, waiting_for=""):
            self._job.refresh_from_db()
            tell_end(self._job, at=self._now())

    def _stop_short(self, failure: EngineFailed) -> None:
        """Leave it to a person what could not be ended: one more go would come to the same."""
        self._attempt = self._begin_attempt()
        self._fail(failure)

    def _release(self, state: JobState, **values: object) -> bool:
        values |= self._turns()
        return RestoreJob.objects.all().release(
            self._job.pk, worker=self._lease.worker, state=state, at=self._now(), **values
        )

    def _turns(self) -> dict[str, int]:
        """Return how many tenants are back, by their own rows; what was told last may be older."""
        job = self._job
        if job.phase != RestorePhase.TENANTS or not (total := job.tenant_restores.count()):
            return {}
        job.done, job.total = job.tenant_restores.filter(state__in=DONE).count(), total
        return {"done": job.done, "total": total}

    def _end_attempt(self, outcome: AttemptOutcome, **values: object) -> None:
        RestoreAttempt.objects.filter(pk=self._attempt.pk, outcome=AttemptOutcome.RUNNING).update(
            outcome=outcome, ended_at=self._now(), **values
        )

    def _known_secrets(self) -> tuple[str, ...]:
        if self._secrets:
            return self._secrets
        try:
            found = storage_credentials(self._job.database.storage.credentials_reference)
        except CredentialsMissing:
            return ()
        return (found.access_key, found.secret_key, found.session_token)
