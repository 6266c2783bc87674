"""Manifests that are recorded of backups long after these were taken, elsewhere."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from backups.models.catalogue import Backup
from backups.models.jobs import JobQuerySet, LeasedJob
from backups.models.protected import Database


class ManifestJob(LeasedJob):
    """One reading of a backup's objects, to write down what they hold from now on."""

    database = models.ForeignKey(Database, on_delete=models.PROTECT, related_name="manifest_jobs")
    backup = models.ForeignKey(Backup, on_delete=models.CASCADE, related_name="manifest_jobs")
    # How far it is; the total is known once the backup was listed.
    bytes_done = models.BigIntegerField(default=0)
    bytes_total = models.BigIntegerField(null=True, blank=True)
    detail = models.TextField(blank=True)

    objects = JobQuerySet.as_manager()

    class Meta(LeasedJob.Meta):
        constraints = [
            *LeasedJob.Meta.constraints,
            models.UniqueConstraint(
                name="manifestjob_is_one_at_a_time",
                fields=["backup"],
                condition=~Q(state__in=["SUCCEEDED", "CANCELLED", "FAILED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"Manifest of {self.backup}"

    @property
    def percent(self) -> int | None:
        """How much of it was read, rounded down; None while that is not known."""
        if self.bytes_total is None:
            return None
        return min(self.bytes_done * 100 // max(self.bytes_total, 1), 100)


class ManifestPart(models.Model):
    """What one stretch of an object held, until the whole manifest is written.

    Whoever goes on with a reading, this job or a later one, does not read it again.
    """

    backup = models.ForeignKey(Backup, on_delete=models.CASCADE, related_name="manifest_parts")
    key = models.CharField(max_length=1024)
    etag = models.CharField(max_length=200)
    size = models.BigIntegerField()
    start = models.BigIntegerField()
    block_bytes = models.PositiveIntegerField()
    hashes = ArrayField(models.CharField(max_length=80))

    class Meta:
        constraints = [
            models.UniqueConstraint(name="manifestpart_is_once", fields=["backup", "key", "start"]),
        ]

    def __str__(self) -> str:
        return f"{self.key} from {self.start}"
