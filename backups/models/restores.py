"""Restores: where to, to which moment, how far, and what each attempt came to."""

from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.catalogue import Backup
from backups.models.jobs import JobState, LeasedJob
from backups.models.protected import Database
from incidents.models import Incident
from incidents.models.fields import is_known


class RestorePhase(TextChoices):
    PLAN = "PLAN", _("Plan")
    FETCH = "FETCH", _("Fetch")
    UNPACK = "UNPACK", _("Unpack")
    REPLAY = "REPLAY", _("Replay")
    VERIFY = "VERIFY", _("Verify")
    READY = "READY", _("Ready")


class AttemptOutcome(TextChoices):
    RUNNING = "RUNNING", _("Running")
    SUCCEEDED = "SUCCEEDED", _("Finished")
    FAILED = "FAILED", _("Failed")
    LOST = "LOST", _("Its worker was lost")
    STOPPED = "STOPPED", _("Stopped on request")


class RecoveryTarget(models.Model):
    """A place where a cluster can be restored to: a directory and a port on a worker's machine."""

    name = models.CharField(max_length=60, unique=True)
    port = models.PositiveIntegerField()
    data_dir = models.CharField(max_length=500, unique=True)
    # What was fetched waits here; on the same disk, nothing is copied twice over the wire.
    work_dir = models.CharField(max_length=500)
    # The PostgreSQL programs to restore with; empty for the bundled ones.
    bin_dir = models.CharField(max_length=500, blank=True)
    # The queue that the worker beside it consumes.
    queue = models.CharField(max_length=60, default="restores")
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="recoverytarget_port_is_one", condition=Q(port__gte=1024, port__lte=65535)
            ),
            models.CheckConstraint(
                name="recoverytarget_keeps_its_folders_apart",
                condition=~Q(data_dir=F("work_dir")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RestoreJob(LeasedJob):
    """A cluster that is to come back, to a moment or as late as can be."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="restores")
    target = models.ForeignKey(RecoveryTarget, on_delete=models.PROTECT, related_name="restores")
    incident = models.ForeignKey(
        Incident, on_delete=models.SET_NULL, null=True, blank=True, related_name="restores"
    )
    # None: everything that is archived.
    target_at = models.DateTimeField(null=True, blank=True)
    backup = models.ForeignKey(Backup, on_delete=models.PROTECT, null=True, blank=True)
    # Everything up to this moment is, or will be, there; known once the plan is.
    data_until_at = models.DateTimeField(null=True, blank=True)
    phase = models.CharField(max_length=8, choices=RestorePhase, default=RestorePhase.PLAN)
    # How far the phase is, and when the whole will be done.
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=10, blank=True)
    rate = models.FloatField(null=True, blank=True)
    eta_low_at = models.DateTimeField(null=True, blank=True)
    eta_high_at = models.DateTimeField(null=True, blank=True)
    eta_basis = models.CharField(max_length=120, blank=True)
    # What the work waits for, "storage" or "replay"; empty while it advances.
    waiting_for = models.CharField(max_length=20, blank=True)
    # What was counted when it was verified, by the tenants' public codes.
    evidence = models.JSONField(default=dict, blank=True)

    class Meta(LeasedJob.Meta):
        constraints = [
            *LeasedJob.Meta.constraints,
            is_known("restorejob", "phase", RestorePhase),
            models.CheckConstraint(
                name="restorejob_done_is_within_total",
                condition=Q(total__isnull=True) | Q(done__lte=F("total")),
            ),
            models.CheckConstraint(
                name="restorejob_eta_is_a_range",
                condition=Q(eta_low_at__isnull=True, eta_high_at__isnull=True)
                | Q(eta_high_at__gte=F("eta_low_at")),
            ),
            models.UniqueConstraint(
                name="restorejob_has_its_target_alone",
                fields=["target"],
                condition=Q(state__in=[JobState.QUEUED, JobState.RUNNING]),
            ),
        ]

    def __str__(self) -> str:
        return f"Restore {self.pk}"

    @property
    def key(self) -> str:
        """What the record of incidents calls this job."""
        return f"restore-{self.pk}"


class RestoreStep(models.Model):
    """One phase of a restore: when it began, when it was done, and how much it was."""

    job = models.ForeignKey(RestoreJob, on_delete=models.CASCADE, related_name="steps")
    phase = models.CharField(max_length=8, choices=RestorePhase)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=10, blank=True)

    class Meta:
        constraints = [
            is_known("restorestep", "phase", RestorePhase),
            models.UniqueConstraint(name="restorestep_is_once_in_its_job", fields=["job", "phase"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_phase_display()} of restore {self.job_id}"


class RestoreAttempt(models.Model):
    """One worker's go at a restore, and why it ended."""

    job = models.ForeignKey(RestoreJob, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=120)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    phase = models.CharField(max_length=8, choices=RestorePhase, default=RestorePhase.PLAN)
    outcome = models.CharField(
        max_length=10, choices=AttemptOutcome, default=AttemptOutcome.RUNNING
    )
    failure_code = models.CharField(max_length=40, blank=True)
    # The tool's own words, without secrets; for operators only.
    detail = models.TextField(blank=True)
    # What went wrong on the way and was ridden out, by kind.
    counters = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            is_known("restoreattempt", "phase", RestorePhase),
            is_known("restoreattempt", "outcome", AttemptOutcome),
            models.UniqueConstraint(
                name="restoreattempt_is_numbered_in_its_job", fields=["job", "number"]
            ),
            models.CheckConstraint(
                name="restoreattempt_ended_iff_it_has_an_outcome",
                condition=Q(outcome=AttemptOutcome.RUNNING, ended_at__isnull=True)
                | (~Q(outcome=AttemptOutcome.RUNNING) & Q(ended_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} of restore {self.job_id}"
