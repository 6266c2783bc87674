"""Restores: where to, to which moment, how far, and what each attempt came to."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.catalogue import Backup
from backups.models.jobs import JobQuerySet, JobState, LeasedJob
from backups.models.protected import Database
from backups.models.storage import StorageLocation
from incidents.models import Incident
from incidents.models.fields import is_known
from incidents.spoken import amount


class RestorePhase(TextChoices):
    PLAN = "PLAN", _("Plan")
    FETCH = "FETCH", _("Fetch")
    UNPACK = "UNPACK", _("Unpack")
    REPLAY = "REPLAY", _("Replay")
    VERIFY = "VERIFY", _("Verify")
    TENANTS = "TENANTS", _("Tenants")
    READY = "READY", _("Ready")


class RestorePoint(TextChoices):
    """Up to where a restore goes."""

    LATEST = "LATEST", _("The latest that is archived")
    MOMENT = "MOMENT", _("A moment")
    BACKUP = "BACKUP", _("The end of one backup")
    HERE = "HERE", _("What the standby has")


class RestoreStrategy(TextChoices):
    """How the bytes of a backup get from the storage into a data directory."""

    STAGE = "STAGE", _("Stage: fetch everything to disk first")
    STREAM = "STREAM", _("Stream: unpack while it arrives")
    RELAY = "RELAY", _("Relay: the backup tool reads through Highwater")


class AttemptOutcome(TextChoices):
    RUNNING = "RUNNING", _("Running")
    SUCCEEDED = "SUCCEEDED", _("Finished")
    FAILED = "FAILED", _("Failed")
    LOST = "LOST", _("Its worker was lost")
    STOPPED = "STOPPED", _("Stopped on request")
    PAUSED = "PAUSED", _("Paused")


class UsedManager(models.Manager["RecoveryTarget"]):
    """The targets that are registered: what is not any more is found by its history alone."""

    def get_queryset(self) -> models.QuerySet["RecoveryTarget"]:
        return super().get_queryset().filter(unregistered_at=None)


_OCCUPIED = {
    "ours": "a restore that has stopped left its work there",
    "standby": "a standby was kept there when it was last looked at",
    "running": "a cluster runs in its directory",
    "foreign": "files of others lie in its directory",
    "port": "another program has its port",
    "programs": "its PostgreSQL programs are not there",
    "disk": "nothing can be written to its disk",
}


class RecoveryTarget(models.Model):
    """A place where a cluster can be restored to: a directory and a port on a worker's machine.

    One that was unregistered stays as a row, so that its restores and drills keep their place; only
    ``everything`` finds it. Its name and its directory may be registered again.
    """

    name = models.CharField(max_length=60)
    port = models.PositiveIntegerField()
    data_dir = models.CharField(max_length=500)
    # What was fetched waits here; on the same disk, nothing is copied twice over the wire.
    work_dir = models.CharField(max_length=500)
    # The PostgreSQL programs to restore with; empty for the bundled ones.
    bin_dir = models.CharField(max_length=500, blank=True)
    # The queue that the worker beside it consumes.
    queue = models.CharField(max_length=60, default="restores")
    # Where applications find a cluster that was restored here.
    host = models.CharField(max_length=200, default="127.0.0.1")
    registered_at = models.DateTimeField()
    # Since when nothing is restored to it any more; None while it is registered.
    unregistered_at = models.DateTimeField(null=True, blank=True)
    # What the worker beside it saw when it last looked; empty while it never did.
    probed_at = models.DateTimeField(null=True, blank=True)
    free_bytes = models.BigIntegerField(null=True, blank=True)
    # Of the disk of the work directory, if it is another one than that of the data directory.
    work_free_bytes = models.BigIntegerField(null=True, blank=True)
    server_version = models.PositiveIntegerField(null=True, blank=True)
    write_bytes_per_second = models.FloatField(null=True, blank=True)
    # What holds the place, in a stable word: "", "running", "foreign", "ours" (a restore that has
    # stopped), "standby", "port", "programs", "disk".
    occupied_by = models.CharField(max_length=20, blank=True)

    objects = UsedManager()
    everything = models.Manager["RecoveryTarget"]()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="recoverytarget_name_is_unique",
                fields=["name"],
                condition=Q(unregistered_at__isnull=True),
                violation_error_message="A recovery target of this name is registered already.",
            ),
            models.UniqueConstraint(
                name="recoverytarget_directory_is_unique",
                fields=["data_dir"],
                condition=Q(unregistered_at__isnull=True),
                violation_error_message="A recovery target with this directory is registered.",
            ),
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

    @property
    def major(self) -> int | None:
        """The major version of its PostgreSQL; None while nobody has looked."""
        return self.server_version // 10000 if self.server_version else None

    @property
    def occupied_words(self) -> str:
        """What holds the place, in words for staff; empty if nothing was seen to."""
        return _OCCUPIED.get(self.occupied_by, self.occupied_by)


class RestoreJobQuerySet(JobQuerySet):
    def renew(self, pk: int, *, worker: str, until: datetime, at: datetime) -> bool:
        """Keep the lease, as above; a pause that is due ends it as well."""
        return JobQuerySet.renew(self.not_to_pause(at=at), pk, worker=worker, until=until, at=at)

    def not_to_pause(self, *, at: datetime) -> Self:
        return self.filter(Q(pause_at__isnull=True) | Q(pause_at__gt=at))

    def rested(self, *, at: datetime) -> Self:
        """Return those whose pause is over."""
        return self.filter(state=JobState.PAUSED, resume_at__lte=at)


class RestoreJob(LeasedJob):
    """A cluster that is to come back, to a moment or as late as can be."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="restores")
    target = models.ForeignKey(RecoveryTarget, on_delete=models.PROTECT, related_name="restores")
    incident = models.ForeignKey(
        Incident, on_delete=models.SET_NULL, null=True, blank=True, related_name="restores"
    )
    point = models.CharField(max_length=6, choices=RestorePoint, default=RestorePoint.LATEST)
    target_at = models.DateTimeField(null=True, blank=True)
    # Chosen with the point BACKUP; else known once the plan is.
    backup = models.ForeignKey(Backup, on_delete=models.PROTECT, null=True, blank=True)
    strategy = models.CharField(
        max_length=6, choices=RestoreStrategy, default=RestoreStrategy.STAGE
    )
    # The place to read from first; None for the database's own.
    source = models.ForeignKey(
        StorageLocation, on_delete=models.PROTECT, null=True, blank=True, related_name="restores"
    )
    # How many tenants come back at once; None for as many as the machine has processors.
    lanes = models.PositiveSmallIntegerField(null=True, blank=True)
    # Why this plan was chosen, in the words of whoever chose it.
    reasons = models.CharField(max_length=1000, blank=True)
    # The data directory that may be moved aside for this restore, as somebody has typed it.
    replaces = models.CharField(max_length=500, blank=True)
    # Where what was in the directory before lies now, if it was moved aside.
    moved_aside_to = models.CharField(max_length=600, blank=True)
    # Where it was before its plan was changed, until what it fetched there is taken over.
    moved_from = models.ForeignKey(
        RecoveryTarget, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    # The reopened cluster into which this restore brings its tenants forward, one by one.
    brings_forward = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="later_parts"
    )
    # A pause, asked for now or planned: from when, and until when (None: until somebody resumes).
    pause_at = models.DateTimeField(null=True, blank=True)
    resume_at = models.DateTimeField(null=True, blank=True)
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
    # Since when, and why, it may be opened although checks have failed.
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_because = models.CharField(max_length=1000, blank=True)
    # Made for a drill: its directory stays the restore's own, and is taken away once it has proven.
    is_scratch = models.BooleanField(default=False)
    # Made for a standby: it ends when its backup is unpacked, and the directory stays its own.
    is_base = models.BooleanField(default=False)
    # The restore that made the base of the standby which this one brings up.
    continues = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="continued_by"
    )

    objects = RestoreJobQuerySet.as_manager()

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
                condition=Q(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.PAUSED]),
            ),
            is_known("restorejob", "point", RestorePoint),
            is_known("restorejob", "strategy", RestoreStrategy),
            models.CheckConstraint(
                name="restorejob_names_its_moment",
                condition=Q(point=RestorePoint.MOMENT, target_at__isnull=False)
                | (~Q(point=RestorePoint.MOMENT) & Q(target_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="restorejob_names_its_backup",
                condition=~Q(point=RestorePoint.BACKUP) | Q(backup__isnull=False),
            ),
            models.CheckConstraint(
                name="restorejob_resumes_after_it_pauses",
                condition=Q(resume_at__isnull=True) | Q(resume_at__gt=F("pause_at")),
            ),
            models.CheckConstraint(
                name="restorejob_is_accepted_for_a_reason",
                condition=Q(accepted_at__isnull=True, accepted_because="")
                | (Q(accepted_at__isnull=False) & ~Q(accepted_because="")),
            ),
            models.CheckConstraint(
                name="restorejob_has_a_lane", condition=Q(lanes__isnull=True) | Q(lanes__gte=1)
            ),
        ]

    def __str__(self) -> str:
        if self.is_base:
            return f"Restore {self.pk} (base of a standby)"
        return f"Restore {self.pk} (drill)" if self.is_scratch else f"Restore {self.pk}"

    @property
    def key(self) -> str:
        """What the record of incidents calls this job."""
        return f"restore-{self.pk}"

    def ask_to_end(self, *, at: datetime) -> None:
        """Have its worker stop it and take back what it did. The row is locked, and not over."""
        self.cancel_requested_at = self.cancel_requested_at or at
        if self.state != JobState.RUNNING:
            self.state, self.queued_at, self.ended_at = JobState.QUEUED, at, None
            self.failure_code = self.failure_advice = ""
        self.save(
            update_fields=[
                "cancel_requested_at", "state", "queued_at", "ended_at", "failure_code",
                "failure_advice",
            ]
        )  # fmt: skip

    def is_to_pause(self, at: datetime) -> bool:
        """Whether a pause of it is due."""
        return self.pause_at is not None and self.pause_at <= at

    def pause_stage(self, *, at: datetime) -> str:
        """Return what becomes of its pause: planned, comes to rest, rests, goes on, changes plan.

        Empty without one.
        """
        # A change of plan makes its worker pause for a moment that is over at once.
        goes_on = self.resume_at is not None and self.resume_at <= at
        if self.state == JobState.PAUSED:
            return "goes on" if goes_on else "rests"
        if self.pause_at is None or self.state not in (JobState.QUEUED, JobState.RUNNING):
            return ""
        if self.pause_at > at:
            return "planned"
        return "changes plan" if goes_on else "comes to rest"

    @property
    def has_eta(self) -> bool:
        """Whether its end can be told: it advances, and waits for nothing.

        What was foreseen before a wait says nothing of an end that nobody knows now. Of one that
        ``is_silent`` nothing is to be told either.
        """
        is_at_work = self.state == JobState.RUNNING and not self.waiting_for
        return is_at_work and self.eta_low_at is not None and self.eta_high_at is not None

    def is_silent(self, *, at: datetime) -> bool:
        """Whether its worker should have been heard of by now."""
        silence = timedelta(seconds=settings.STALE_AFTER_SECONDS)
        heard_at = self.heartbeat_at if self.state == JobState.RUNNING else None
        return heard_at is not None and at - heard_at > silence


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

    @property
    def shown_counters(self) -> list[tuple[str, str]]:
        """What was counted on the way, for people."""
        return [
            (name.replace("_", " "), amount(count, "bytes" if name.startswith("bytes") else ""))
            for name, count in self.counters.items()
        ]


class Estimate(models.Model):
    """What was predicted of a restore's end, when, and what came true."""

    job = models.ForeignKey(RestoreJob, on_delete=models.CASCADE, related_name="estimates")
    made_at = models.DateTimeField()
    phase = models.CharField(max_length=8, choices=RestorePhase)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    # The ranges that hold the end in half and in four of five cases, and the middle of both.
    low50_at = models.DateTimeField()
    high50_at = models.DateTimeField()
    low80_at = models.DateTimeField()
    high80_at = models.DateTimeField()
    middle_at = models.DateTimeField()
    basis = models.CharField(max_length=120)
    # The end of the restore, once it was reached.
    came_true_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["job", "made_at"], name="estimates_in_order")]
        constraints = [
            is_known("estimate", "phase", RestorePhase),
            models.CheckConstraint(
                name="estimate_ranges_lie_in_each_other",
                condition=Q(
                    low80_at__lte=F("low50_at"),
                    low50_at__lte=F("middle_at"),
                    middle_at__lte=F("high50_at"),
                    high50_at__lte=F("high80_at"),
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"Estimate of restore {self.job_id} at {self.made_at:%H:%M}"
