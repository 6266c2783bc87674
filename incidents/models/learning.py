"""Why it happened, what is done about it, and the postmortem."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from incidents.models.fields import (
    Worded,
    ends_after_it_starts,
    is_known,
    is_known_or_empty,
    words_of,
)
from incidents.models.incident import Incident
from incidents.models.timeline import TimelineEntry
from incidents.values import ActionKind, ActionState, CauseKind, Precision, Priority, When

_FINISHED = [ActionState.DONE, ActionState.WONT_DO]


class RootCause(Worded):
    """One reason why the incident happened, lasted, or was not worse."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="causes")
    kind = models.CharField(max_length=16, choices=CauseKind)
    text = models.TextField()
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


class ActionItemQuerySet(models.QuerySet["ActionItem"]):
    def unfinished(self) -> Self:
        return self.exclude(state__in=_FINISHED)

    def soonest_first(self) -> Self:
        return self.order_by(F("due_at").asc(nulls_last=True), "id")


class ActionItem(Worded):
    """Something that is done so that it does not happen again, or hurts less."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="actions")
    text = models.TextField()
    kind = models.CharField(max_length=12, choices=ActionKind, blank=True)
    state = models.CharField(max_length=12, choices=ActionState, default=ActionState.PROPOSED)
    state_reason = models.CharField(max_length=300, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="action_items",
    )
    owner_label = models.CharField(max_length=140, blank=True)
    priority = models.CharField(max_length=8, choices=Priority, default=Priority.MEDIUM)
    due_at = models.DateTimeField(null=True, blank=True)
    due_until = models.DateTimeField(null=True, blank=True)
    due_precision = models.CharField(max_length=8, choices=Precision, default=Precision.UNKNOWN)
    due_approx = models.BooleanField(default=False)
    due_tz = models.CharField(max_length=64, blank=True)
    due_said = models.CharField(max_length=200, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_until = models.DateTimeField(null=True, blank=True)
    done_precision = models.CharField(max_length=8, choices=Precision, default=Precision.UNKNOWN)
    done_approx = models.BooleanField(default=False)
    done_tz = models.CharField(max_length=64, blank=True)
    done_said = models.CharField(max_length=200, blank=True)
    addresses = models.ManyToManyField(RootCause, blank=True, related_name="addressed_by")
    check_by = models.CharField("how we will know", max_length=300, blank=True)
    tracker_url = models.URLField(max_length=500, blank=True)
    is_public = models.BooleanField(default=False)
    import_line = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)

    objects = ActionItemQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known_or_empty("actionitem", "kind", ActionKind),
            is_known("actionitem", "state", ActionState),
            is_known("actionitem", "priority", Priority),
            is_known("actionitem", "due_precision", Precision),
            is_known("actionitem", "done_precision", Precision),
            ends_after_it_starts("actionitem", "due_"),
            ends_after_it_starts("actionitem", "done_"),
            models.CheckConstraint(name="actionitem_says_something", condition=~Q(text="")),
            models.CheckConstraint(
                name="actionitem_done_needs_its_day",
                condition=~Q(state=ActionState.DONE) | Q(done_at__isnull=False),
                violation_error_message="Say when it was done.",
            ),
            models.CheckConstraint(
                name="actionitem_wont_do_needs_a_reason",
                condition=~Q(state=ActionState.WONT_DO) | ~Q(state_reason=""),
                violation_error_message="Say why it will not be done.",
            ),
        ]
        indexes = [GinIndex(words_of("text"), name="actionitem_words")]

    def __str__(self) -> str:
        return self.text[:80]

    @property
    def owner_name(self) -> str:
        """The person or label that owns it; empty while nobody does."""
        return self.owner.label() if self.owner else self.owner_label

    def is_overdue(self, *, at: datetime) -> bool:
        """Tell whether the whole of its due time has passed and it is not finished."""
        latest = When.of(self, "due_").latest
        return latest is not None and latest < at and self.state not in _FINISHED


class Postmortem(models.Model):
    """The written account of an incident, and where it came from."""

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, related_name="postmortem")
    # The document as it was imported, to the letter: the record's entries point at its lines.
    body = models.TextField()
    source_name = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [GinIndex(words_of("body"), name="postmortem_words")]

    def __str__(self) -> str:
        return f"postmortem of {self.incident.ref}"


class LintDismissal(models.Model):
    """A finding of the lint that a person has decided about, and why."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="lint_dismissals")
    code = models.CharField(max_length=60)
    reason = models.TextField()
    evidence = models.TextField(blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    dismissed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="lintdismissal_has_a_reason", condition=~Q(reason="")),
            models.UniqueConstraint(
                name="lintdismissal_is_unique_a_code", fields=["incident", "code"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"
