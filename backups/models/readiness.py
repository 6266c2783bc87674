"""Whether a database would come back: what each check found, and what a loss would cost now."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Case, F, Q, TextChoices, When
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Database
from backups.models.storage import StorageLocation
from incidents.models.fields import is_known


class CheckState(TextChoices):
    OK = "OK", _("Ok")
    WARNING = "WARNING", _("Warning")
    CRITICAL = "CRITICAL", _("Critical")
    # It could not be looked at; never a kind of ok.
    UNKNOWN = "UNKNOWN", _("Unknown")


class BackupCheckName(TextChoices):
    """What is looked at, in the order in which it is shown."""

    FULL_FRESH = "FULL_FRESH", _("Last full backup is fresh enough")
    SCHEDULE = "SCHEDULE", _("Schedule is kept")
    LOG_WHOLE = "LOG_WHOLE", _("Archived log has no gap")
    LOG_FRESH = "LOG_FRESH", _("Log is archived in time")
    SIZE = "SIZE", _("Size is as usual")
    DURATION = "DURATION", _("Duration is as usual")
    OBJECTS = "OBJECTS", _("Objects are present")
    CONTENT = "CONTENT", _("Content is as recorded")
    ENCRYPTION = "ENCRYPTION", _("Encrypted as the policy says")
    RETENTION = "RETENTION", _("Kept as the policy says")
    REPLICA = "REPLICA", _("Replica is complete and recent")
    CREDENTIALS = "CREDENTIALS", _("Credentials are valid")
    CLOCK = "CLOCK", _("Clocks agree")
    TARGETS = "TARGETS", _("Recovery targets are ready")
    FORECAST = "FORECAST", _("Back within the objective")
    WEATHER = "WEATHER", _("Storage gives what it used to")
    DRILL = "DRILL", _("Drill is recent and passed")
    POLICY = "POLICY", _("Policy stands, workarounds are reviewed")

    def called(self, state: str) -> str:
        """Return how a finding is called: by what is wrong, unless nothing is.

        The label alone would read, in a subject at night, as if all were well.
        """
        label = str(self.label)
        if state == CheckState.OK:
            return label
        if state == CheckState.UNKNOWN:
            return f"not known: {label[0].lower()}{label[1:]}?"
        grave = _GRAVE.get(self) if state == CheckState.CRITICAL else None
        return grave or _TROUBLE[self]


# Where the gravest is another thing than what is only warned of.
_GRAVE = {
    BackupCheckName.CONTENT: "an object is damaged",
    BackupCheckName.DRILL: "the last drill failed",
}
_TROUBLE = {
    BackupCheckName.FULL_FRESH: "no full backup is fresh enough",
    BackupCheckName.SCHEDULE: "the schedule is not kept",
    BackupCheckName.LOG_WHOLE: "the archived log has a gap",
    BackupCheckName.LOG_FRESH: "the log is not archived in time",
    BackupCheckName.SIZE: "a backup is not of the usual size",
    BackupCheckName.DURATION: "a backup did not take the usual time",
    BackupCheckName.OBJECTS: "an object is missing or changed",
    BackupCheckName.CONTENT: "content was not compared in time",
    BackupCheckName.ENCRYPTION: "not encrypted as the policy says",
    BackupCheckName.RETENTION: "not kept as the policy says",
    BackupCheckName.REPLICA: "the replica is damaged, incomplete or behind",
    BackupCheckName.CREDENTIALS: "the storage refuses the keys, or they end soon",
    BackupCheckName.CLOCK: "the clocks differ",
    BackupCheckName.TARGETS: "a recovery target is not ready",
    BackupCheckName.FORECAST: "it would not be back within the objective",
    BackupCheckName.WEATHER: "the storage gives less when it is needed",
    BackupCheckName.DRILL: "no recent drill proves what would be restored",
    BackupCheckName.POLICY: "the policy does not stand, or a review is due",
}


# In the evidence: when what a check goes by was last asked of the storage.
_SOURCES = ("storage_listed_at", "storage_read_at", "storage_probed_at", "archive_read_at")


def _by_gravity() -> Case:
    order = (CheckState.CRITICAL, CheckState.UNKNOWN, CheckState.WARNING)
    return Case(*(When(state=state, then=place) for place, state in enumerate(order)), default=9)


class BackupCheckQuerySet(models.QuerySet["BackupCheck"]):
    def not_ok(self) -> Self:
        return self.exclude(state=CheckState.OK)

    def gravest_first(self) -> Self:
        return self.order_by(_by_gravity(), "since_at", "id")


class BackupCheck(models.Model):
    """What one check found of a database when it last looked."""

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="backup_checks")
    name = models.CharField(max_length=11, choices=BackupCheckName)
    state = models.CharField(max_length=8, choices=CheckState)
    # Since when it is in this state, and when it was last looked at.
    since_at = models.DateTimeField()
    looked_at = models.DateTimeField()
    # What is so, and what to do about it; the latter is empty only where all is well.
    words = models.CharField(max_length=500)
    advice = models.CharField(max_length=500, blank=True)
    # What was counted and compared, by names in plain words.
    evidence = models.JSONField(default=dict, blank=True)

    objects = BackupCheckQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("backupcheck", "name", BackupCheckName),
            is_known("backupcheck", "state", CheckState),
            models.UniqueConstraint(
                name="backupcheck_is_once_of_its_database", fields=["database", "name"]
            ),
            models.CheckConstraint(
                name="backupcheck_says_what_to_do",
                condition=Q(state=CheckState.OK) | ~Q(advice=""),
            ),
            models.CheckConstraint(
                name="backupcheck_is_looked_at_since", condition=Q(looked_at__gte=F("since_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_name_display()}: {self.get_state_display()}"

    @property
    def title(self) -> str:
        """What was found, as staff call it: what is wrong, unless nothing is."""
        return BackupCheckName(self.name).called(self.state)

    @property
    def is_unasked(self) -> bool:
        """Whether it is well only because nobody has asked for anything."""
        return bool(self.evidence.get("unasked"))

    @property
    def source(self) -> tuple[str, datetime] | None:
        """What of the storage itself it goes by, and when that was asked; None if of nothing."""
        for name in _SOURCES:
            if said := self.evidence.get(name):
                return name.removesuffix("_at").replace("_", " "), datetime.fromisoformat(said)
        return None


class BackupCheckChange(models.Model):
    """A moment at which a check found another state than before."""

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="check_changes")
    name = models.CharField(max_length=11, choices=BackupCheckName)
    state = models.CharField(max_length=8, choices=CheckState)
    at = models.DateTimeField()
    words = models.CharField(max_length=500)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(name="check_changes", fields=["database", "-at"])]
        constraints = [
            is_known("backupcheckchange", "name", BackupCheckName),
            is_known("backupcheckchange", "state", CheckState),
        ]

    def __str__(self) -> str:
        return f"{self.get_name_display()}: {self.get_state_display()} at {self.at:%Y-%m-%d %H:%M}"


class ReadingState(TextChoices):
    # Only seen in a listing so far, with the size that was recorded.
    UNREAD = "UNREAD", _("There, not read yet")
    SOUND = "SOUND", _("As recorded")
    MISSING = "MISSING", _("Missing")
    RESIZED = "RESIZED", _("Of another size")
    DAMAGED = "DAMAGED", _("Damaged")
    # Read, with nothing recorded to compare it with.
    UNRECORDED = "UNRECORDED", _("Without a recorded checksum")


class ObjectReading(models.Model):
    """When the bytes of one object in a storage were last read and compared, and what was found.

    ``size`` and ``etag`` are as they were recorded, or when it was first seen. Of one that is only
    seen so far, ``read_at`` is when it was stored: from then on its time runs.
    """

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="readings")
    location = models.ForeignKey(StorageLocation, on_delete=models.CASCADE, related_name="readings")
    key = models.CharField(max_length=1024)
    size = models.BigIntegerField()
    etag = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=ReadingState)
    # The first byte of what is not as recorded, where that is known.
    damaged_from = models.BigIntegerField(null=True, blank=True)
    read_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(name="readings_by_age", fields=["database", "read_at"])]
        constraints = [
            is_known("objectreading", "state", ReadingState),
            models.UniqueConstraint(
                name="objectreading_is_once", fields=["database", "location", "key"]
            ),
        ]

    def __str__(self) -> str:
        return self.key


class LossForecast(models.Model):
    """What a loss of a database at this moment would have cost, by the best plan of that moment.

    Seconds, all of them; None where nothing is known or no plan was there. What came back would
    have been ``loss_seconds`` old, and back after ``middle_seconds``, in four cases of five between
    ``low_seconds`` and ``high_seconds``.
    """

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="loss_forecasts")
    at = models.DateTimeField()
    loss_seconds = models.FloatField(null=True, blank=True)
    low_seconds = models.FloatField(null=True, blank=True)
    middle_seconds = models.FloatField(null=True, blank=True)
    high_seconds = models.FloatField(null=True, blank=True)
    # The plan by its code on the options board, and in words; or why there is none.
    plan_code = models.CharField(max_length=120, blank=True)
    plan_words = models.CharField(max_length=500)
    basis = models.CharField(max_length=200, blank=True)
    # The objectives of that moment, in seconds.
    point_objective_seconds = models.FloatField(null=True, blank=True)
    time_objective_seconds = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(name="lossforecast_is_once", fields=["database", "at"]),
            models.CheckConstraint(
                name="lossforecast_is_a_range",
                condition=Q(
                    low_seconds__isnull=True, middle_seconds__isnull=True, high_seconds__isnull=True
                )
                | Q(middle_seconds__gte=F("low_seconds"), high_seconds__gte=F("middle_seconds")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.database} at {self.at:%Y-%m-%d %H:%M}"
