"""What was decided about a database's backups, and every change of mind with its reason."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Database
from backups.models.restores import RecoveryTarget
from backups.models.storage import StorageLocation
from incidents.models import ActionItem
from incidents.models.fields import is_known

MONTH = timedelta(days=30)
# The longest schedule: a minute of several hours on several days.
SCHEDULE_LENGTH = 100


class DrillAlarm(TextChoices):
    """What a drill that failed declares."""

    NOTHING = "NOTHING", _("Nothing: the check says it")
    DRILL = "DRILL", _("An incident of kind drill, for staff only")
    LIVE = "LIVE", _("An incident like any other")


class BackupPolicy(models.Model):
    """How a database is to be backed up, kept, copied and proven.

    Its recovery objectives are the database's. Schedules are cron expressions of five fields, read
    in ``tz``; empty for never. An hour that a change of the clock leaves out or doubles is met
    once. The moments at which each falls due next are here, so that however many beats run, one of
    them begins each backup.
    """

    database = models.OneToOneField(Database, on_delete=models.CASCADE, related_name="policy")
    # Counted from 1 with each change.
    version = models.PositiveIntegerField(default=1)
    tz = models.CharField(max_length=64, default="UTC")
    full_schedule = models.CharField(max_length=SCHEDULE_LENGTH, blank=True)
    incremental_schedule = models.CharField(max_length=SCHEDULE_LENGTH, blank=True)
    archives_log = models.BooleanField(default=True)
    # Backups are kept at least so long, and at least so many full ones.
    keep_for = models.DurationField(null=True, blank=True)
    keep_fulls = models.PositiveSmallIntegerField(null=True, blank=True)
    wants_encryption = models.BooleanField(default=False)
    # Where a copy of everything is kept.
    replicate_to = models.ForeignKey(
        StorageLocation, on_delete=models.PROTECT, null=True, blank=True, related_name="replicates"
    )
    replica_lag_at_most = models.DurationField(null=True, blank=True)
    # Every byte is read and compared at least once in this time.
    read_all_within = models.DurationField(default=MONTH)
    drill_schedule = models.CharField(max_length=SCHEDULE_LENGTH, blank=True)
    drill_target = models.ForeignKey(
        RecoveryTarget, on_delete=models.PROTECT, null=True, blank=True, related_name="drilled_by"
    )
    drill_alarm = models.CharField(max_length=7, choices=DrillAlarm, default=DrillAlarm.NOTHING)
    full_due_at = models.DateTimeField(null=True, blank=True)
    incremental_due_at = models.DateTimeField(null=True, blank=True)
    drill_due_at = models.DateTimeField(null=True, blank=True)
    # What a loss at its worst moment was last found to cost, and of what that was worked out:
    # {"of": "...", "words": "...", "breaks": [...]}. It is worked out anew each hour.
    standing = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "backup policies"
        constraints = [
            is_known("backuppolicy", "drill_alarm", DrillAlarm),
            models.CheckConstraint(
                name="backuppolicy_drills_somewhere",
                condition=Q(drill_schedule="") | Q(drill_target__isnull=False),
            ),
            models.CheckConstraint(
                name="backuppolicy_builds_incrementals_on_fulls",
                condition=Q(incremental_schedule="") | ~Q(full_schedule=""),
            ),
            models.CheckConstraint(
                name="backuppolicy_keeps_a_full_one",
                condition=Q(keep_fulls__isnull=True) | Q(keep_fulls__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"Policy of {self.database}"


class MaintenanceWindow(models.Model):
    """Hours in which a database's backups may be missed without anybody being told."""

    policy = models.ForeignKey(
        BackupPolicy, on_delete=models.CASCADE, related_name="maintenance_windows"
    )
    # A cron expression for when it begins, in the policy's zone.
    schedule = models.CharField(max_length=SCHEDULE_LENGTH)
    lasts = models.DurationField()
    reason = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="maintenancewindow_lasts", condition=Q(lasts__gt=timedelta())
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class PolicyChange(models.Model):
    """One change of a policy or of a database's objectives: who, why, and what it does."""

    policy = models.ForeignKey(BackupPolicy, on_delete=models.CASCADE, related_name="changes")
    version = models.PositiveIntegerField()
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    why = models.CharField(max_length=1000)
    # What was changed, as people read it: {"full_schedule": ["daily at 02:00", "Sunday, 02:00"]}.
    changes = models.JSONField(default=dict)
    # What was forecast of it: {"before": {...}, "after": {...}} in seconds lost and to be back.
    effect = models.JSONField(default=dict)
    # The same in a sentence, as it was shown before it was saved.
    effect_words = models.CharField(max_length=1000, blank=True)
    # A workaround comes back on this day, until somebody says what became of it.
    review_on = models.DateField(null=True, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    review_words = models.CharField(max_length=1000, blank=True)
    action = models.ForeignKey(
        ActionItem, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(
                name="policychange_is_once_in_its_policy", fields=["policy", "version"]
            ),
            models.CheckConstraint(name="policychange_has_a_reason", condition=~Q(why="")),
            models.CheckConstraint(
                name="policychange_is_reviewed_with_words",
                condition=Q(reviewed_at__isnull=True) | ~Q(review_words=""),
            ),
            models.CheckConstraint(
                name="policychange_is_reviewed_after_it",
                condition=Q(reviewed_at__isnull=True) | Q(reviewed_at__gte=F("at")),
            ),
        ]

    def __str__(self) -> str:
        return f"Version {self.version} of {self.policy}"

    @property
    def is_workaround(self) -> bool:
        return self.review_on is not None
