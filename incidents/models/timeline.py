"""The timeline: the single source of truth of an incident."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from incidents.models.fields import (
    Worded,
    ends_after_it_starts,
    is_known,
    is_known_or_empty,
    words_of,
)
from incidents.models.incident import Incident
from incidents.values import FALSE_ALARM, EntryKind, Milestone, Outcome, Precision, Source


class TimelineEntryQuerySet(models.QuerySet["TimelineEntry"]):
    def live(self) -> Self:
        """Those that nobody has deleted."""
        return self.filter(deleted_at__isnull=True)

    def of_false_alarms(self) -> Self:
        """Those that end an incident of which customers were never told."""
        return self.live().filter(milestone=Milestone.RESOLVED, tags__contains=[FALSE_ALARM])


class TimelineEntry(Worded):
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
    # Rises with every edit: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)
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
        indexes = [
            models.Index(name="timelineentry_in_order", fields=["incident", "at"]),
            GinIndex(words_of("text"), name="timelineentry_words"),
        ]

    def __str__(self) -> str:
        return self.text[:80]


def in_order(entries: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    """Return entries of one incident in the order in which they happened.

    An entry without a time stands behind the dated one that precedes it by position, never at
    the top or the bottom because its time is not known.
    """
    rows = sorted(entries, key=lambda entry: (entry.position, entry.pk))
    # By position, each entry without a time takes that of the entry before it; those before
    # every dated entry stand before the first one.
    first = next((entry.at for entry in rows if entry.at is not None), None)
    latest = first - timedelta(microseconds=1) if first else datetime.min.replace(tzinfo=UTC)
    anchors: dict[int, datetime] = {}
    for entry in rows:
        latest = entry.at or latest
        anchors[entry.pk] = latest
    return sorted(
        rows,
        key=lambda entry: (
            anchors[entry.pk],
            entry.at is None,
            entry.until or anchors[entry.pk],
            entry.position,
            entry.pk,
        ),
    )


class EvidenceQuerySet(models.QuerySet["Evidence"]):
    def live(self) -> Self:
        """Those that nobody has removed."""
        return self.filter(deleted_at__isnull=True)


class Evidence(models.Model):
    """What shows that an entry is so: a link to it, or the file itself."""

    entry = models.ForeignKey(TimelineEntry, on_delete=models.CASCADE, related_name="evidence")
    url = models.URLField(max_length=2000, blank=True)
    # Where the file lies in the storage of its own, by its digest: the same file lies there once.
    file = models.CharField(max_length=100, blank=True)
    # What it was called where it came from.
    name = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    size = models.PositiveBigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    caption = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "evidence"
        constraints = [
            models.CheckConstraint(
                name="evidence_is_a_link_or_a_file",
                condition=Q(file="", sha256="", size__isnull=True) & ~Q(url="")
                | Q(url="", sha256__regex="^[0-9a-f]{64}$", size__isnull=False) & ~Q(file=""),
            ),
        ]

    def __str__(self) -> str:
        return self.caption or self.name or self.url

    @property
    def is_image(self) -> bool:
        return self.content_type.startswith("image/")
