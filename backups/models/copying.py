"""Copies of archives in a second place, and the move of an archive to another one."""

from django.db import models
from django.db.models import F, Q, TextChoices
from django.utils.translation import gettext_lazy as _

from backups.models.jobs import JobQuerySet, LeasedJob
from backups.models.protected import Database
from backups.models.storage import StorageLocation
from incidents.models.fields import is_known


class CopyKind(TextChoices):
    REPLICATION = "REPLICATION", _("Replication")
    MIGRATION = "MIGRATION", _("Move to a new primary location")


class CopyPhase(TextChoices):
    LIST = "LIST", _("Compare")
    COPY = "COPY", _("Copy")
    VERIFY = "VERIFY", _("Verify")
    # A migration that waits for somebody to switch, or has been switched and keeps the old place.
    SWITCH = "SWITCH", _("Ready to switch")
    KEEP = "KEEP", _("Switched; the old place is kept")
    DONE = "DONE", _("Done")


class CopyJob(LeasedJob):
    """One run that brings a second place up to date with an archive.

    What is there and right is never copied again; a part that had arrived when a worker died is
    asked of the destination, not remembered here.
    """

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="copy_jobs")
    kind = models.CharField(max_length=11, choices=CopyKind, default=CopyKind.REPLICATION)
    source = models.ForeignKey(StorageLocation, on_delete=models.PROTECT, related_name="+")
    destination = models.ForeignKey(StorageLocation, on_delete=models.PROTECT, related_name="+")
    phase = models.CharField(max_length=6, choices=CopyPhase, default=CopyPhase.LIST)
    # How far the phase is.
    objects_done = models.BigIntegerField(default=0)
    objects_total = models.BigIntegerField(null=True, blank=True)
    bytes_done = models.BigIntegerField(default=0)
    bytes_total = models.BigIntegerField(null=True, blank=True)
    # Bytes a second of the last minute.
    rate = models.FloatField(null=True, blank=True)
    # What went wrong on the way and was ridden out, and what was found damaged, by kind.
    counters = models.JSONField(default=dict, blank=True)
    detail = models.TextField(blank=True)
    switched_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta(LeasedJob.Meta):
        constraints = [
            *LeasedJob.Meta.constraints,
            is_known("copyjob", "kind", CopyKind),
            is_known("copyjob", "phase", CopyPhase),
            models.CheckConstraint(
                name="copyjob_goes_elsewhere", condition=~Q(source=F("destination"))
            ),
            models.UniqueConstraint(
                name="copyjob_is_one_at_a_time",
                fields=["database", "destination"],
                condition=~Q(state__in=["SUCCEEDED", "CANCELLED", "FAILED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk} of {self.database}"


class ReplicaState(models.Model):
    """How far a second place is behind an archive, as it was when they were last compared."""

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="replicas")
    location = models.ForeignKey(StorageLocation, on_delete=models.CASCADE, related_name="replicas")
    compared_at = models.DateTimeField()
    objects_there = models.BigIntegerField(default=0)
    missing_objects = models.BigIntegerField(default=0)
    missing_bytes = models.BigIntegerField(default=0)
    # Of the oldest object that is missing there: when the archive got it. None if none is.
    behind_since_at = models.DateTimeField(null=True, blank=True)
    # When every object there was last found right by its checksum.
    verified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="replicastate_is_once", fields=["database", "location"]),
        ]

    def __str__(self) -> str:
        return f"{self.database} in {self.location}"
