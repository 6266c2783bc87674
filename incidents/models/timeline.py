"""The timeline: the single source of truth of an incident."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from incidents.models.fields import ends_after_it_starts, is_known, is_known_or_empty
from incidents.models.incident import Incident
from incidents.values import EntryKind, Milestone, Outcome, Precision, Source


class TimelineEntryQuerySet(models.QuerySet["TimelineEntry"]):
    def live(self) -> Self:
        """Those that nobody has deleted."""
        return self.filter(deleted_at__isnull=True)


class TimelineEntry(models.Model):
    """Something that happened, with the time at which it was true."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="entries")
    at = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    precision = models.CharField(max_length=8, choices=Precision, default=Precision.MINUTE)
    approx = models.BooleanField(default=False)
    tz = models.CharField(max_length=64, blank=True)
    said = models.CharField(max_length=200, blank=True)
    # Keeps an entry without a time between its neighbours.
    position = models.FloatField()
    kind = models.CharField(max_length=8, choices=EntryKind, default=EntryKind.EVENT)
    text = models.TextField()
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    milestone = models.CharField(max_length=16, choices=Milestone, blank=True)
    actor_label = models.CharField(max_length=140, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.WEB)
    external_id = models.CharField(max_length=200, blank=True)
    import_line = models.PositiveIntegerField(null=True, blank=True)
    is_public = models.BooleanField(default=False)
    is_pinned = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    recorded_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = TimelineEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "timeline entries"
        constraints = [
            is_known("timelineentry", "precision", Precision),
            is_known("timelineentry", "kind", EntryKind),
            is_known("timelineentry", "source", Source),
            is_known_or_empty("timelineentry", "outcome", Outcome),
            is_known_or_empty("timelineentry", "milestone", Milestone),
            ends_after_it_starts("timelineentry"),
            models.CheckConstraint(
                name="timelineentry_has_a_time_iff_known",
                condition=Q(precision=Precision.UNKNOWN, at__isnull=True, until__isnull=True)
                | (~Q(precision=Precision.UNKNOWN) & Q(at__isnull=False)),
            ),
            models.CheckConstraint(name="timelineentry_says_something", condition=~Q(text="")),
            models.UniqueConstraint(
                name="timelineentry_external_id_is_unique",
                fields=["source", "external_id"],
                condition=~Q(external_id=""),
            ),
            models.UniqueConstraint(
                name="incident_has_one_live_entry_a_milestone",
                fields=["incident", "milestone"],
                condition=~Q(milestone="") & Q(deleted_at__isnull=True),
            ),
        ]
        indexes = [models.Index(name="timelineentry_in_order", fields=["incident", "at"])]

    def __str__(self) -> str:
        return self.text[:80]


class Evidence(models.Model):
    """What shows that an entry is so: a link to it."""

    entry = models.ForeignKey(TimelineEntry, on_delete=models.CASCADE, related_name="evidence")
    url = models.URLField(max_length=2000)
    caption = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "evidence"

    def __str__(self) -> str:
        return self.caption or self.url
