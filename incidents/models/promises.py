"""What was promised to customers, and whether it came true."""

from datetime import timedelta
from typing import Literal, Self

from django.db import models
from django.db.models import Q

from incidents.cadence import usual_minutes
from incidents.models.fields import Worded, ends_after_it_starts, is_known, is_known_or_empty
from incidents.models.incident import Incident
from incidents.models.timeline import TimelineEntry
from incidents.models.updates import StatusUpdate
from incidents.values import (
    Confidence,
    Phase,
    Precision,
    PromiseKind,
    PromiseOutcome,
    Severity,
)


class PromiseQuerySet(models.QuerySet["Promise"]):
    def open(self) -> Self:
        return self.filter(outcome=PromiseOutcome.OPEN)

    def newest_first(self) -> Self:
        return self.order_by("-made_at", "-id")


class Promise(Worded):
    """A time that customers were given: when the service is back, or when they hear next."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="promises")
    kind = models.CharField(max_length=12, choices=PromiseKind)
    text = models.CharField(max_length=300, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    due_until = models.DateTimeField(null=True, blank=True)
    due_precision = models.CharField(max_length=8, choices=Precision, default=Precision.MINUTE)
    due_approx = models.BooleanField(default=False)
    due_tz = models.CharField(max_length=64, blank=True)
    due_said = models.CharField(max_length=200, blank=True)
    # The instant after which the promise has been missed; None if it cannot be told.
    expires_at = models.DateTimeField(null=True, blank=True)
    # What a person wrote, or a job's measure; `wording.basis_words` says either.
    basis = models.CharField(max_length=300, blank=True)
    confidence = models.CharField(max_length=8, choices=Confidence, blank=True)
    made_at = models.DateTimeField()
    made_in = models.ForeignKey(
        StatusUpdate, null=True, blank=True, on_delete=models.PROTECT, related_name="promises"
    )
    # When whoever writes to customers was reminded of it.
    reminded_at = models.DateTimeField(null=True, blank=True)
    # The job that made it, and that alone may keep or move it: "restore-41". Empty for people's.
    made_by_job = models.CharField(max_length=60, blank=True)
    outcome = models.CharField(max_length=12, choices=PromiseOutcome, default=PromiseOutcome.OPEN)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        TimelineEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="settles"
    )
    replaced_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaces"
    )

    objects = PromiseQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("promise", "kind", PromiseKind),
            is_known("promise", "due_precision", Precision),
            is_known("promise", "outcome", PromiseOutcome),
            is_known_or_empty("promise", "confidence", Confidence),
            ends_after_it_starts("promise", "due_"),
            models.CheckConstraint(
                name="promise_is_settled_iff_not_open",
                condition=Q(outcome=PromiseOutcome.OPEN, settled_at__isnull=True)
                | (~Q(outcome=PromiseOutcome.OPEN) & Q(settled_at__isnull=False)),
            ),
            models.UniqueConstraint(
                name="incident_has_one_open_promise_a_kind",
                fields=["incident", "kind"],
                condition=Q(outcome=PromiseOutcome.OPEN),
            ),
        ]
        indexes = [
            models.Index(
                name="promise_due",
                fields=["expires_at"],
                condition=Q(outcome=PromiseOutcome.OPEN),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.due_at or self.due_said}"


class CadenceQuerySet(models.QuerySet["Cadence"]):
    def in_force(self, severity: Severity, phase: Phase | Literal[""]) -> timedelta:
        """Return how soon customers hear next: staff's own figure, or the usual one."""
        own = self.filter(severity=severity, phase=phase).first()
        return timedelta(minutes=own.minutes if own else usual_minutes(severity, phase))


class Cadence(models.Model):
    """How often customers hear, by severity and phase. Without a row, our table is used.

    Without a phase: how often they hear of a long incident, whatever its phase.
    """

    severity = models.CharField(max_length=8, choices=Severity)
    phase = models.CharField(max_length=16, choices=Phase, blank=True)
    minutes = models.PositiveIntegerField()

    objects = CadenceQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("cadence", "severity", Severity),
            is_known_or_empty("cadence", "phase", Phase),
            models.UniqueConstraint(name="cadence_is_unique", fields=["severity", "phase"]),
            models.CheckConstraint(name="cadence_is_not_zero", condition=Q(minutes__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.phase}: {self.minutes} min"
