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
