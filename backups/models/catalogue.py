"""What the backup tool's catalogue holds."""

from typing import Self

from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Database
from incidents.models.fields import is_known


class BackupKind(TextChoices):
    FULL = "FULL", _("Full")
    INCREMENTAL = "INCREMENTAL", _("Incremental")
    LOGICAL = "LOGICAL", _("Logical")


class BackupQuerySet(models.QuerySet["Backup"]):
    def usable(self) -> Self:
        return self.filter(is_finished=True, vanished_at__isnull=True)

    def newest_first(self) -> Self:
        return self.order_by("-ended_at", "-id")


class Backup(models.Model):
    """One entry of a catalogue, as it was when it was last read."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="backups")
    # The engine's own name of it.
    engine_id = models.CharField(max_length=60)
    label = models.CharField(max_length=120)
    kind = models.CharField(max_length=11, choices=BackupKind, default=BackupKind.FULL)
    # The engine's name of the backup that an incremental one needs.
    parent_engine_id = models.CharField(max_length=60, blank=True)
    is_finished = models.BooleanField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    begin_wal = models.CharField(max_length=24, blank=True)
    end_wal = models.CharField(max_length=24, blank=True)
    timeline = models.PositiveIntegerField()
    server_version = models.PositiveIntegerField()
    cluster_bytes = models.BigIntegerField()
    stored_bytes = models.BigIntegerField(null=True, blank=True)
    has_manifest = models.BooleanField(default=False)
    # When it was recorded, where that was not when the backup was taken: what became of the bytes
    # before is not known.
    manifest_recorded_at = models.DateTimeField(null=True, blank=True)
    # How far the archived log leads on from it without a hole: so many segments, so many bytes as
    # they are stored, up to this moment (None if not even the backup itself is covered), and the
    # first one that is missing though later ones are there.
    log_segments = models.PositiveIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)
    log_missing = models.CharField(max_length=24, blank=True)
    reaches_until_at = models.DateTimeField(null=True, blank=True)
    # Copies of the storage whose log leads further: the moment, in ISO 8601, by the copy's id.
    reaches_elsewhere = models.JSONField(default=dict, blank=True)
    # When the catalogue was first read without it.
    vanished_at = models.DateTimeField(null=True, blank=True)

    objects = BackupQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("backup", "kind", BackupKind),
            models.UniqueConstraint(
                name="backup_is_once_in_its_catalogue", fields=["database", "engine_id"]
            ),
            models.CheckConstraint(
                name="backup_ends_after_it_begins", condition=Q(ended_at__gte=F("began_at"))
            ),
        ]

    def __str__(self) -> str:
        return self.label
