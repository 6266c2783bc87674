"""What is done so that it does not happen again, or hurts less."""

from datetime import UTC, datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from incidents.models.causes import RootCause
from incidents.models.fields import (
    Worded,
    ends_after_it_starts,
    is_known,
    is_known_or_empty,
    words_of,
)
from incidents.models.incident import Incident
from incidents.values import ActionKind, ActionState, Precision, Priority, When

FINISHED = (ActionState.DONE, ActionState.WONT_DO)
UNFINISHED = tuple(state for state in ActionState if state not in FINISHED)
# When what has no due time falls due: it stands behind all that has one.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class ActionItemQuerySet(models.QuerySet["ActionItem"]):
    def unfinished(self) -> Self:
        return self.filter(state__in=UNFINISHED)

    def soonest_first(self) -> Self:
        return self.order_by("due_ends_at", "id")


class DueEndField(models.DateTimeField[Any, Any]):
    """When the whole of the due time has passed: read from it at each save, so that rows sort."""

    def pre_save(self, model_instance: models.Model, add: bool) -> datetime:  # noqa: FBT001 - Django's
        ends_at = When.of(model_instance, "due_").latest or NEVER
        setattr(model_instance, self.attname, ends_at)
        return ends_at


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
    due_ends_at = DueEndField(default=NEVER, editable=False)
    done_at = models.DateTimeField(null=True, blank=True)
    done_until = models.DateTimeField(null=True, blank=True)
    done_precision = models.CharField(max_length=8, choices=Precision, default=Precision.UNKNOWN)
    done_approx = models.BooleanField(default=False)
    done_tz = models.CharField(max_length=64, blank=True)
    done_said = models.CharField(max_length=200, blank=True)
    # By what it can be seen that it is done: words, or a link.
    proof = models.CharField(max_length=500, blank=True)
    addresses = models.ManyToManyField(RootCause, blank=True, related_name="addressed_by")
    check_by = models.CharField("how we will know", max_length=300, blank=True)
    tracker_url = models.URLField(max_length=500, blank=True)
    is_public = models.BooleanField(default=False)
    import_line = models.PositiveIntegerField(null=True, blank=True)
    # Rises with each change: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)
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
        indexes = [
            GinIndex(words_of("text"), name="actionitem_words"),
            # The list begins with what is not finished, the soonest due first.
            models.Index(
                name="actionitem_unfinished",
                fields=["due_ends_at", "id"],
                condition=Q(state__in=UNFINISHED),
            ),
            # The columns of the board, and how many stand in each of them.
            models.Index(
                name="actionitem_by_state",
                fields=["state", "due_ends_at", "id"],
                include=["incident"],
            ),
            models.Index(
                name="actionitem_newest_done",
                fields=["-done_at", "-id"],
                condition=Q(state=ActionState.DONE),
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]

    @property
    def owner_name(self) -> str:
        """The person or label that owns it; empty while nobody does."""
        return self.owner.label() if self.owner else self.owner_label

    def is_overdue(self, *, at: datetime) -> bool:
        """Tell whether the whole of its due time has passed and it is not finished."""
        return self.due_ends_at < at and self.state not in FINISHED


class ActionView(models.Model):
    """What somebody narrows the list of action items to, under a name; others may use it, too."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="action_views"
    )
    name = models.CharField(max_length=60)
    # The choices as the address of the list writes them.
    query = models.CharField(max_length=1000, blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="actionview_name_is_unique_a_person", fields=["owner", "name"]
            ),
            models.CheckConstraint(name="actionview_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name
