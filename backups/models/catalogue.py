"""What the backup tool's catalogue holds."""

from typing import Self

from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.protected import Database
from incidents.models.fields import is_known


class BackupKind(TextChoices):
    FULL = "FULL", _("Full")


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
    kind = models.CharField(max_length=8, choices=BackupKind, default=BackupKind.FULL)
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
