"""Where backups lie."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from credentials import REFERENCE
from incidents.models.fields import is_known


class StorageRole(TextChoices):
    PRIMARY = "PRIMARY", _("Primary")
    REPLICA = "REPLICA", _("Replica")


class StorageLocation(models.Model):
    """A bucket, and the prefix in it under which backups lie.

    The credentials are named, never kept: ``settings:NAME``, ``env:NAME`` or ``file:PATH``.
    """

    name = models.CharField(max_length=60, unique=True)
    endpoint = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=40, default="us-east-1")
    bucket = models.CharField(max_length=120)
    prefix = models.CharField(max_length=200, blank=True)
    uses_path_style = models.BooleanField(default=True)
    credentials_reference = models.CharField(max_length=300)
    role = models.CharField(max_length=8, choices=StorageRole, default=StorageRole.PRIMARY)
    provider = models.CharField(max_length=60, blank=True)
    # Until when the keys are valid, where whoever made them has said so.
    credentials_expire_at = models.DateTimeField(null=True, blank=True)
    # Its keys are only to read: nothing is ever written there, and that is no fault.
    is_read_only = models.BooleanField(default=False)
    # The zone of whoever runs it: its nights are looked for in it.
    tz = models.CharField(max_length=64, default="UTC")
    # When it was last probed, and from when on it may be again: of two beats, one does it.
    probed_at = models.DateTimeField(null=True, blank=True)
    probe_due_at = models.DateTimeField(null=True, blank=True)
    # An object of the newest backup of which a piece is read to see how quick it is.
    probe_key = models.CharField(max_length=1024, blank=True)
    probe_bytes = models.BigIntegerField(default=0)
    # When its windows were last looked for.
    windows_looked_at = models.DateTimeField(null=True, blank=True)
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            is_known("storagelocation", "role", StorageRole),
            models.CheckConstraint(
                name="storagelocation_names_its_credentials",
                condition=models.Q(credentials_reference__regex=REFERENCE),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class StorageMeasurement(models.Model):
    """What a location gave over some seconds of real work: the storage's weather, hour by hour."""

    location = models.ForeignKey(
        StorageLocation, on_delete=models.CASCADE, related_name="measurements"
    )
    measured_at = models.DateTimeField()
    # How long it was measured, what arrived in that time, by how many requests, and how many of
    # these were refused, broken off or silent.
    seconds = models.FloatField()
    bytes = models.BigIntegerField()
    requests = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    # The middle of the times until an answer began; None if nothing answered.
    first_byte_seconds = models.FloatField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["location", "measured_at"], name="weather_by_time")]
        constraints = [
            models.CheckConstraint(
                name="storagemeasurement_took_time", condition=models.Q(seconds__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.location} at {self.measured_at:%Y-%m-%d %H:%M}"


class ProbeKind(models.TextChoices):
    GET = "GET", _("Small read")
    RANGE = "RANGE", _("Ranged read")
    PUT = "PUT", _("Small write")
    LIST = "LIST", _("List")


class StorageProbe(models.Model):
    """One small question to a location, and how it was answered."""

    location = models.ForeignKey(StorageLocation, on_delete=models.CASCADE, related_name="probes")
    at = models.DateTimeField()
    kind = models.CharField(max_length=5, choices=ProbeKind)
    # Until the answer was whole, and until it began; the latter None if it never did.
    seconds = models.FloatField()
    first_byte_seconds = models.FloatField(null=True, blank=True)
    bytes = models.BigIntegerField(default=0)
    # Empty if it went well; else one word: "slow-down", "denied", "silent", "reset", "missing"...
    error = models.CharField(max_length=20, blank=True)
    # How far the storage's clock was ahead of ours, in seconds, by the date of its answer.
    clock_ahead_seconds = models.FloatField(null=True, blank=True)
    # Of a ranged read: how the storage says that it encrypts the object ("AES256"); empty if not.
    encryption = models.CharField(max_length=20, blank=True)

    class Meta:
        indexes = [models.Index(name="probes_by_time", fields=["location", "at"])]
        constraints = [
            is_known("storageprobe", "kind", ProbeKind),
            models.CheckConstraint(
                name="storageprobe_took_time", condition=models.Q(seconds__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.location} at {self.at:%Y-%m-%d %H:%M}"


class WindowSource(models.TextChoices):
    DECLARED = "DECLARED", _("Declared by the provider")
    DETECTED = "DETECTED", _("Detected")


def every_day() -> list[int]:
    return [1, 2, 3, 4, 5, 6, 7]


class SaturationWindow(models.Model):
    """Hours that come back, in which a location gives less than it can.

    From ``from_minute`` to ``until_minute`` of the day in ``tz``, on ``weekdays`` (1 is Monday; the
    day on which it begins). One that ends before it begins ends on the next day.
    """

    location = models.ForeignKey(StorageLocation, on_delete=models.CASCADE, related_name="windows")
    source = models.CharField(max_length=8, choices=WindowSource)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=every_day)
    from_minute = models.PositiveSmallIntegerField()
    until_minute = models.PositiveSmallIntegerField()
    tz = models.CharField(max_length=64, default="UTC")
    # How many times slower than at good hours, and the share of requests that fail; None: not told.
    slower = models.FloatField(null=True, blank=True)
    error_share = models.FloatField(null=True, blank=True)
    # Since when it is so, and until when it was.
    since_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)
    # Who said so, or where it is announced.
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            is_known("saturationwindow", "source", WindowSource),
            models.CheckConstraint(
                name="saturationwindow_lies_in_a_day",
                condition=models.Q(from_minute__lt=1440, until_minute__lte=1440)
                & ~models.Q(from_minute=models.F("until_minute")),
            ),
            models.CheckConstraint(
                name="saturationwindow_has_a_day", condition=models.Q(weekdays__len__gte=1)
            ),
            models.CheckConstraint(
                name="saturationwindow_ends_after_it_begins",
                condition=models.Q(until_at__isnull=True)
                | models.Q(until_at__gte=models.F("since_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.location}, {self.from_minute // 60:02}:{self.from_minute % 60:02}"
