"""One worker's go at a restore: claimed, told, and ended in a way that somebody can act on."""

import logging

from django.db.models import Max

from backups.errors import CredentialsMissing, EngineFailed
from backups.models import AttemptOutcome, JobState, RestoreAttempt, RestoreJob
from backups.runner.credentials import redacted, storage_credentials
from backups.runner.lease import Clock, Lease, LeaseLost
from backups.runner.proofs import tell_proof
from backups.runner.restore import Restoration, clear_away
from backups.runner.telling import Telling, tell_end, tell_requeued
from backups.runner.tools import opened_archive
from incidents.operations.progress import JobEvent

logger = logging.getLogger(__name__)

# What may be better a moment later by itself is tried again so often, without being asked.
RETRIED = {"replay-stopped", "stage-in-use", "tool-failed", "tool-silent"}
TRIES = 3


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
        self._attempt = self._begin_attempt()
        self._telling = Telling(job, self._attempt, self._lease, self._now)
        try:
            self._tell_start()
            with opened_archive(job.database) as archive:
                self._secrets = archive.secrets
                Restoration(job, self._telling, archive).carry()
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
            tell_end(self._job, at=at)
            tell_proof(self._job.database, at=at)

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
        if self._release(JobState.FAILED, **why, **failed):
            self._job.refresh_from_db()
            tell_end(self._job, at=at)

    def _is_worth_another_try(self, failure: EngineFailed) -> bool:
        last = self._job.attempts.order_by("-number").values_list("failure_code", flat=True)[:TRIES]
        return failure.code in RETRIED and list(last) != [failure.code] * TRIES

    def _let_go(self) -> None:
        """Stop without touching a thing, unless it was this very job's end that was asked for."""
        logger.warning("restore %s: the lease is lost", self._job.pk)
        self._job.refresh_from_db(fields=["cancel_requested_at", "leased_by"])
        asked = self._job.cancel_requested_at is not None
        if asked and self._job.leased_by == self._lease.worker:
            self._end_attempt(AttemptOutcome.STOPPED)
            self._cancel()
        else:
            self._end_attempt(AttemptOutcome.LOST)

    def _cancel(self) -> None:
        clear_away(self._job)
        if self._release(JobState.CANCELLED, eta_low_at=None, eta_high_at=None, waiting_for=""):
            self._job.refresh_from_db()
            tell_end(self._job, at=self._now())

    def _release(self, state: JobState, **values: object) -> bool:
        return RestoreJob.objects.all().release(
            self._job.pk, worker=self._lease.worker, state=state, at=self._now(), **values
        )

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
