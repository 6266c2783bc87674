"""Drills: real restores that prove that one works, and how long it takes."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.catalogue import Backup
from backups.models.protected import Database
from backups.models.restores import RecoveryTarget, RestoreJob
from backups.options import Range
from backups.options.words import told_range
from incidents.models import Incident
from incidents.models.fields import is_known


class DrillState(TextChoices):
    RUNNING = "RUNNING", _("Running")
    # Verified; the scratch cluster is being taken away.
    CLEARING = "CLEARING", _("Being cleared away")
    PASSED = "PASSED", _("Passed")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


DRILL_OVER = (DrillState.PASSED, DrillState.FAILED, DrillState.CANCELLED)


class Drill(models.Model):
    """One restore of the newest backup to a scratch target: verified, timed, cleared away."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="drills")
    target = models.ForeignKey(RecoveryTarget, on_delete=models.PROTECT, related_name="drills")
    backup = models.ForeignKey(Backup, on_delete=models.PROTECT, null=True, blank=True)
    # None only where the restore could not even be asked for.
    restore = models.OneToOneField(
        RestoreJob, on_delete=models.PROTECT, null=True, blank=True, related_name="drill"
    )
    state = models.CharField(max_length=9, choices=DrillState, default=DrillState.RUNNING)
    requested_at = models.DateTimeField()
    # None: it was begun by its schedule.
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    # What the options board said of this way when it began, and what it took until verified.
    low_seconds = models.FloatField(null=True, blank=True)
    middle_seconds = models.FloatField(null=True, blank=True)
    high_seconds = models.FloatField(null=True, blank=True)
    measured_seconds = models.FloatField(null=True, blank=True)
    # Known before it is cleared away.
    has_failed = models.BooleanField(default=False)
    # Whether it passed or why not, in words for staff.
    words = models.CharField(max_length=500, blank=True)
    incident = models.ForeignKey(
        Incident, on_delete=models.SET_NULL, null=True, blank=True, related_name="drills"
    )

    class Meta:
        ordering = ["-requested_at", "-id"]
        constraints = [
            is_known("drill", "state", DrillState),
            models.UniqueConstraint(
                name="drill_is_one_at_a_time",
                fields=["database"],
                condition=Q(state__in=[DrillState.RUNNING, DrillState.CLEARING]),
            ),
            models.CheckConstraint(
                name="drill_ended_iff_it_is_over",
                condition=Q(state__in=DRILL_OVER, ended_at__isnull=False)
                | (~Q(state__in=DRILL_OVER) & Q(ended_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="drill_says_why_it_failed",
                condition=~Q(state=DrillState.FAILED) | ~Q(words=""),
            ),
            models.CheckConstraint(
                name="drill_ends_after_it_begins",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("requested_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"Drill {self.pk} of {self.database}"

    @property
    def measured(self) -> timedelta | None:
        """What it took until it was verified."""
        return timedelta(seconds=self.measured_seconds) if self.measured_seconds else None

    @property
    def forecast_words(self) -> str:
        """What was forecast of it when it began, as people read it; empty if nothing was."""
        if self.low_seconds is None or self.middle_seconds is None or self.high_seconds is None:
            return ""
        return told_range(Range(self.low_seconds, self.middle_seconds, self.high_seconds))
