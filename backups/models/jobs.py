"""Work that survives its worker: the job's state lives here, the broker carries only its number."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q, TextChoices
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from backups.models.catalogue import BackupKind
from backups.models.protected import Database
from incidents.models.fields import is_known


class JobState(TextChoices):
    QUEUED = "QUEUED", _("Waiting for a worker")
    RUNNING = "RUNNING", _("Running")
    PAUSED = "PAUSED", _("Paused")
    FAILED = "FAILED", _("Stopped")
    SUCCEEDED = "SUCCEEDED", _("Finished")
    CANCELLED = "CANCELLED", _("Cancelled")


OVER = (JobState.SUCCEEDED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The process that has a job, and the machine that it runs on."""

    host: str
    pid: int


class JobQuerySet(models.QuerySet[Any]):
    def unfinished(self) -> Self:
        return self.exclude(state__in=OVER)

    def end_called_off(self, pk: int, *, worker: str, at: datetime) -> None:
        """End a worker's job that was called off, or whose database is registered no more.

        One that had ended by then is what it came to.
        """
        called_off = Q(cancel_requested_at__isnull=False)
        called_off |= Q(database__unregistered_at__isnull=False)
        self.filter(called_off, pk=pk, state=JobState.RUNNING, leased_by=worker).update(
            state=JobState.CANCELLED, leased_by="", leased_until=None, ended_at=at
        )

    def newest_first(self) -> Self:
        return self.order_by("-requested_at", "-id")

    def claim(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Take a queued job for this worker; False if another has it, or it is over.

        A broker may deliver a message twice. The conditional update, not the broker, is what
        makes one worker work.
        """
        return bool(
            self.filter(pk=pk, state=JobState.QUEUED).update(
                state=JobState.RUNNING,
                leased_by=worker,
                leased_until=until,
                heartbeat_at=at,
                started_at=Coalesce("started_at", at),
                ended_at=None,
                failure_code="",
                failure_advice="",
            )
        )

    def renew(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Keep the lease; False if it is lost or the job is to stop."""
        return bool(
            self.filter(
                pk=pk, state=JobState.RUNNING, leased_by=worker, cancel_requested_at=None
            ).update(leased_until=until, heartbeat_at=at)
        )

    def release(
        self, pk: int, *, worker: str, state: JobState, at: datetime, **values: Any
    ) -> bool:
        """Give the job back in this state; False if the lease was lost, and nothing is changed."""
        over = state in (*OVER, JobState.FAILED)
        return bool(
            self.filter(pk=pk, state=JobState.RUNNING, leased_by=worker).update(
                state=state,
                leased_by="",
                leased_until=None,
                heartbeat_at=at,
                ended_at=at if over else None,
                **values,
            )
        )

    def lost(self, *, at: datetime, host: str, living: set[int]) -> Self:
        """Return running jobs whose lease ran out, or whose worker on this machine is no more."""
        rows = self.filter(state=JobState.RUNNING)
        gone = [
            row.pk
            for row in rows
            if row.leased_until is None
            or row.leased_until < at
            or _is_gone(row.worker, host, living)
        ]
        return rows.filter(pk__in=gone)

    def forgotten(self, *, at: datetime) -> Self:
        """Return queued jobs whose message may have got lost on its way."""
        return self.filter(state=JobState.QUEUED, queued_at__lt=at - timedelta(seconds=5))


class LeasedJob(models.Model):
    """A job that one worker at a time holds by a lease that it keeps renewing."""

    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    requested_at = models.DateTimeField()
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # HOST:PID:TOKEN of the worker's claim.
    leased_by = models.CharField(max_length=120, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    # Why it stopped, for operators.
    failure_code = models.CharField(max_length=40, blank=True)
    failure_advice = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_state_is_known", condition=Q(state__in=JobState.values)
            ),
            models.CheckConstraint(
                name="%(class)s_leased_iff_running",
                condition=Q(state=JobState.RUNNING, leased_until__isnull=False)
                | (~Q(state=JobState.RUNNING) & Q(leased_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="%(class)s_says_why_it_stopped",
                condition=~Q(state=JobState.FAILED) | ~Q(failure_code=""),
            ),
        ]

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def worker(self) -> Worker | None:
        """Who is at it; None while nobody is."""
        host, _colon, pid = self.leased_by.rpartition(":")[0].rpartition(":")
        return Worker(host=host, pid=int(pid)) if pid.isdecimal() else None


class BackupJob(LeasedJob):
    """A backup that is to be taken."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="backup_jobs")
    label = models.CharField(max_length=60)
    # As asked for: without a backup to build on, or an engine that can, a full one is taken.
    kind = models.CharField(max_length=11, choices=BackupKind, default=BackupKind.FULL)
    # What the tool called the backup, once it is there.
    engine_id = models.CharField(max_length=60, blank=True)
    detail = models.TextField(blank=True)

    objects = JobQuerySet.as_manager()

    class Meta(LeasedJob.Meta):
        constraints = [
            *LeasedJob.Meta.constraints,
            is_known("backupjob", "kind", BackupKind),
        ]

    def __str__(self) -> str:
        return f"Backup {self.label}"


def _is_gone(worker: Worker | None, host: str, living: set[int]) -> bool:
    return worker is not None and worker.host == host and worker.pid not in living
