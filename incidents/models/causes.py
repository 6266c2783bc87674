"""Why it happened, lasted, or was not worse."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from incidents.models.fields import Worded, ends_after_it_starts, is_known, words_of
from incidents.models.incident import Incident
from incidents.models.timeline import TimelineEntry
from incidents.values import CaseState, CauseKind, Precision, When


class RootCauseQuerySet(models.QuerySet["RootCause"]):
    def live(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def in_order(self) -> Self:
        """Those of one incident in the order that was given to them."""
        return self.order_by("position", "id")


class RootCause(Worded):
    """One reason why the incident happened, lasted, or was not worse."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="causes")
    kind = models.CharField(max_length=16, choices=CauseKind)
    text = models.TextField()
    position = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    precision = models.CharField(max_length=8, choices=Precision, default=Precision.UNKNOWN)
    approx = models.BooleanField(default=False)
    tz = models.CharField(max_length=64, blank=True)
    said = models.CharField(max_length=200, blank=True)
    evidence = models.ManyToManyField(TimelineEntry, blank=True, related_name="shows")
    import_line = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    # Taken off the record; it can be brought back.
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Rises with each change: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)

    objects = RootCauseQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("rootcause", "kind", CauseKind),
            is_known("rootcause", "precision", Precision),
            ends_after_it_starts("rootcause"),
            models.CheckConstraint(name="rootcause_says_something", condition=~Q(text="")),
        ]
        indexes = [GinIndex(words_of("text"), name="rootcause_words")]

    def __str__(self) -> str:
        return self.text[:80]


class VendorCase(Worded):
    """The case at a vendor's support that a cause has led to."""

    cause = models.OneToOneField(RootCause, on_delete=models.CASCADE, related_name="vendor_case")
    provider = models.CharField(max_length=100)
    reference = models.CharField(max_length=100, blank=True)
    url = models.URLField(max_length=500, blank=True)
    state = models.CharField(max_length=12, choices=CaseState, default=CaseState.OPEN)
    opened_at = models.DateTimeField(null=True, blank=True)
    opened_until = models.DateTimeField(null=True, blank=True)
    opened_precision = models.CharField(max_length=8, choices=Precision, default=Precision.UNKNOWN)
    opened_approx = models.BooleanField(default=False)
    opened_tz = models.CharField(max_length=64, blank=True)
    opened_said = models.CharField(max_length=200, blank=True)
    # By when the vendor has promised an answer or a cure.
    promised_at = models.DateTimeField(null=True, blank=True)
    promised_until = models.DateTimeField(null=True, blank=True)
    promised_precision = models.CharField(
        max_length=8, choices=Precision, default=Precision.UNKNOWN
    )
    promised_approx = models.BooleanField(default=False)
    promised_tz = models.CharField(max_length=64, blank=True)
    promised_said = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            is_known("vendorcase", "state", CaseState),
            is_known("vendorcase", "opened_precision", Precision),
            is_known("vendorcase", "promised_precision", Precision),
            ends_after_it_starts("vendorcase", "opened_"),
            ends_after_it_starts("vendorcase", "promised_"),
            models.CheckConstraint(name="vendorcase_has_a_provider", condition=~Q(provider="")),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}".strip()

    def is_late(self, *, at: datetime) -> bool:
        """Tell whether the vendor's promise has passed while the case is still theirs."""
        latest = When.of(self, "promised_").latest
        return latest is not None and latest < at and self.state == CaseState.OPEN
