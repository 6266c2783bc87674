"""What to do when a database is lost: staff's own words beside the generated steps."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from backups.models.protected import Database
from incidents.models import Incident, TimelineEntry


class RunbookSection(models.Model):
    """A section that staff wrote, in markdown. What is generated is made anew at each reading."""

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="runbook")
    title = models.CharField(max_length=140)
    body = models.TextField(max_length=20_000)
    position = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=1)
    edited_at = models.DateTimeField()
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.CheckConstraint(name="runbooksection_has_a_title", condition=~Q(title="")),
        ]

    def __str__(self) -> str:
        return self.title


class RunbookTick(models.Model):
    """A step of a runbook that somebody did in an incident."""

    database = models.ForeignKey(Database, on_delete=models.CASCADE, related_name="ticks")
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="runbook_ticks")
    # The step's stable name in the generated runbook.
    step = models.CharField(max_length=60)
    words = models.CharField(max_length=300)
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    entry = models.ForeignKey(
        TimelineEntry, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                name="runbooktick_is_once", fields=["database", "incident", "step"]
            ),
        ]

    def __str__(self) -> str:
        return self.words
