"""Where backups lie."""

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
