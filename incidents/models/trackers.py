"""Trackers in which action items are issues, and how each of these issues stands."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from credentials import REFERENCE
from incidents.models.actions import ActionItem
from incidents.models.fields import is_known
from incidents.values import SyncState, Visibility

_DUE = (SyncState.WAITING, SyncState.IN_SYNC, SyncState.FAILED, SyncState.CONFLICT)
# By then a tracker has not answered for twenty minutes.
_OFTEN = 5


class Tracker(models.Model):
    """One project of an issue tracker, to which action items go."""

    name = models.CharField(max_length=60, unique=True)
    # The name of an adapter: incidents.trackers knows which there are.
    kind = models.CharField(max_length=32)
    # Of its API.
    address = models.URLField(max_length=500)
    project = models.CharField(max_length=200)
    labels = models.JSONField(default=list, blank=True)
    issue_type = models.CharField(max_length=60, blank=True)
    # Where the token is kept, and what its webhooks are signed with: never the secrets themselves.
    secret = models.CharField(max_length=300, validators=[RegexValidator(REFERENCE)])
    webhook_secret = models.CharField(
        max_length=300, blank=True, validators=[RegexValidator(REFERENCE)]
    )
    # SHA-256 of the token in the address at which it tells of changes.
    token_digest = models.CharField(max_length=64, unique=True)
    is_enabled = models.BooleanField(default=True)
    # What it said last when something was wrong; empty while all is well.
    last_error = models.CharField(max_length=500, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    # How often in turn it did not answer, and until when it is left alone for that.
    misses = models.PositiveIntegerField(default=0)
    rests_until = models.DateTimeField(null=True, blank=True)
    last_heard_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="tracker_names_its_secret", condition=Q(secret__regex=REFERENCE)
            ),
            models.CheckConstraint(
                name="tracker_names_what_its_webhooks_are_signed_with",
                condition=Q(webhook_secret="") | Q(webhook_secret__regex=REFERENCE),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("incidents:tracker-detail", args=[self.pk])


class TrackerIssueQuerySet(models.QuerySet["TrackerIssue"]):
    def due(self, *, at: datetime) -> Self:
        """Those to be looked at now: nobody is at them, and their tracker is not resting."""
        return self.filter(
            Q(claimed_until__isnull=True) | Q(claimed_until__lte=at),
            Q(tracker__rests_until__isnull=True) | Q(tracker__rests_until__lte=at),
            state__in=_DUE,
            next_at__lte=at,
            tracker__is_enabled=True,
        )

    def stuck(self) -> Self:
        """Those that wait for a person, or have been refused again and again."""
        return self.filter(
            Q(state__in=(SyncState.FAILED, SyncState.GONE, SyncState.CONFLICT))
            | Q(state=SyncState.WAITING, tries__gte=_OFTEN),
            ~Q(action__incident__visibility=Visibility.PRIVATE),
            tracker__is_enabled=True,
        ).select_related("tracker__created_by", "action__incident", "action__owner")


class TrackerIssue(models.Model):
    """The issue of an action item in a tracker: one at most. It is a queue of one place, too."""

    action = models.OneToOneField(
        ActionItem, on_delete=models.CASCADE, related_name="tracker_issue"
    )
    tracker = models.ForeignKey(Tracker, on_delete=models.CASCADE, related_name="issues")
    # Stands in the body of the issue: by it one that was created is found again.
    marker = models.CharField(max_length=40, unique=True)
    key = models.CharField(max_length=60, blank=True)
    url = models.URLField(max_length=500, blank=True)
    # One that was there before us: its title and text are not ours to change.
    is_followed = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=SyncState, default=SyncState.WAITING)
    # What the tracker said last, and what both sides agreed on last. None: nothing yet.
    remote_open = models.BooleanField(null=True, blank=True)
    agreed_open = models.BooleanField(null=True, blank=True)
    remote_dropped = models.BooleanField(default=False)
    remote_changed_at = models.DateTimeField(null=True, blank=True)
    # The state of the action item when we last looked, and when a person changed it since.
    known_state = models.CharField(max_length=12, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    # Where the action item goes back to if the issue is opened again.
    state_before = models.CharField(max_length=12, blank=True)
    # SHA-256 of the title, text and due day that were sent last.
    sent_digest = models.CharField(max_length=64, blank=True)
    # Rises with each change here or there: whoever was at it meanwhile begins again.
    wants = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    # None: it waits for a person.
    next_at = models.DateTimeField(null=True, blank=True)
    last_words = models.CharField(max_length=500, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    # Who is at it, and until when that counts.
    claim = models.CharField(max_length=32, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    # When its creation was asked for, while nobody knows what became of that.
    attempted_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    objects = TrackerIssueQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("trackerissue", "state", SyncState),
            models.UniqueConstraint(
                name="tracker_issue_belongs_to_one_action",
                fields=["tracker", "key"],
                condition=~Q(key=""),
            ),
            models.CheckConstraint(
                name="tracker_issue_in_sync_has_a_key",
                condition=~Q(state=SyncState.IN_SYNC) | ~Q(key=""),
            ),
        ]
        indexes = [
            models.Index(name="trackerissue_due", fields=["next_at"], condition=Q(state__in=_DUE))
        ]

    def __str__(self) -> str:
        return f"{self.tracker} {self.key}".strip()
