"""Work on the service that is planned and told beforehand."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Least
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from incidents.models.components import Component
from incidents.models.fields import is_known, new_public_id
from incidents.values import ComponentStatus, MaintenanceState, Visibility

RUNNING = (MaintenanceState.IN_PROGRESS, MaintenanceState.VERIFYING)
FINISHED = (MaintenanceState.COMPLETED, MaintenanceState.CANCELLED)
# What a component may show while it is worked on: either customers notice, or they do not.
_DURING = (ComponentStatus.UNDER_MAINTENANCE, ComponentStatus.OPERATIONAL)


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def unfinished(self) -> Self:
        """Those that are to come or that run."""
        return self.exclude(state__in=FINISHED)

    def running(self) -> Self:
        return self.filter(state__in=RUNNING)

    def upcoming(self) -> Self:
        return self.filter(state=MaintenanceState.SCHEDULED)

    def past(self) -> Self:
        return self.filter(state__in=FINISHED)

    def public(self) -> Self:
        """Those that customers may know of."""
        return self.filter(visibility=Visibility.PUBLIC, published_at__isnull=False)

    def soonest_first(self) -> Self:
        return self.order_by("scheduled_for", "id")

    def newest_first(self) -> Self:
        # The id breaks ties, so that pages never shuffle.
        return self.order_by("-scheduled_for", "-id")


class Maintenance(models.Model):
    """Work on the service that is planned: when, on what, and how far it is."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    # As long as other status pages let it be.
    title = models.CharField(max_length=255)
    state = models.CharField(
        max_length=12, choices=MaintenanceState, default=MaintenanceState.SCHEDULED
    )
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PUBLIC)
    tz = models.CharField(max_length=64, default="UTC")
    scheduled_for = models.DateTimeField()
    scheduled_until = models.DateTimeField()
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    components = models.ManyToManyField(Component, blank=True, related_name="maintenances")
    component_status = models.CharField(
        max_length=24, choices=ComponentStatus, default=ComponentStatus.UNDER_MAINTENANCE
    )
    starts_by_itself = models.BooleanField(default=True)
    ends_by_itself = models.BooleanField(default=True)
    # How long before its beginning customers are reminded of it; None: not at all.
    remind_before = models.DurationField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    deliver_notifications = models.BooleanField(default=True)
    # Of the calendar's entry: calendars take over an entry only if its number has grown.
    sequence = models.PositiveIntegerField(default=0)

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("maintenance", "state", MaintenanceState),
            is_known("maintenance", "visibility", Visibility),
            models.CheckConstraint(
                name="maintenance_component_status_is_its_own",
                condition=Q(component_status__in=_DURING),
            ),
            models.CheckConstraint(
                name="maintenance_ends_after_it_starts",
                condition=Q(scheduled_until__gt=F("scheduled_for")),
                violation_error_message=_("The end is not after the start."),
            ),
            models.CheckConstraint(
                name="maintenance_began_at_and_ended_at_follow_its_state",
                condition=Q(
                    state=MaintenanceState.SCHEDULED, began_at__isnull=True, ended_at__isnull=True
                )
                | Q(state__in=RUNNING, began_at__isnull=False, ended_at__isnull=True)
                | Q(
                    state=MaintenanceState.COMPLETED, began_at__isnull=False, ended_at__isnull=False
                )
                | Q(state=MaintenanceState.CANCELLED, ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="maintenance_ended_after_it_began",
                condition=Q(began_at__isnull=True)
                | Q(ended_at__isnull=True)
                | Q(ended_at__gte=F("began_at")),
            ),
            models.CheckConstraint(
                name="maintenance_reminds_before_its_start",
                condition=Q(remind_before__isnull=True) | Q(remind_before__gt=timedelta(0)),
            ),
        ]
        indexes = [
            # Every tick of the clock and every publish asks for those that are not over.
            models.Index(
                name="maintenance_unfinished",
                fields=["scheduled_for"],
                condition=~Q(state__in=FINISHED),
            ),
            models.Index(
                Least("scheduled_for", "ended_at").desc(),
                F("id").desc(),
                name="maintenance_dated",
                condition=Q(state__in=FINISHED),
            ),
            models.Index(name="maintenance_newest_activity", fields=["-updated_at", "-id"]),
            models.Index(name="maintenance_newest_first", fields=["-scheduled_for", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("incidents:maintenance-detail", args=[self.pk])

    @property
    def ref(self) -> str:
        """The short name that people say: MNT-7."""
        return f"MNT-{self.pk}"

    @property
    def is_scheduled(self) -> bool:
        return self.state == MaintenanceState.SCHEDULED

    @property
    def is_running(self) -> bool:
        return MaintenanceState(self.state).is_running

    @property
    def is_over(self) -> bool:
        return MaintenanceState(self.state).is_over

    @property
    def is_public(self) -> bool:
        return self.visibility == Visibility.PUBLIC and self.published_at is not None

    @property
    def was_written_afterwards(self) -> bool:
        """Whether it was put on record only when it was over."""
        return self.created_at >= self.scheduled_until

    @property
    def was_missed(self) -> bool:
        """Whether it was only noted as over: nobody knows whether, and for how long, it was."""
        return self.began_at is not None and self.began_at == self.ended_at

    @property
    def dated_at(self) -> datetime:
        """Where it stands in the history: on its planned day, or when it was over before that."""
        return min(self.scheduled_for, self.ended_at or self.scheduled_for)

    @property
    def reminder_was_left_out(self) -> bool:
        """Whether it was planned when it was too late to remind anybody of it."""
        if self.remind_before is None or self.reminded_at is None:
            return False
        return self.reminded_at < self.scheduled_for - self.remind_before

    @property
    def reminder_sent_at(self) -> datetime | None:
        """When customers were reminded; None if they were not."""
        return None if self.reminder_was_left_out else self.reminded_at

    @property
    def remind_at(self) -> datetime | None:
        """When customers are to be reminded; None if never, or if they have been."""
        if self.remind_before is None or self.reminded_at is not None:
            return None
        return self.scheduled_for - self.remind_before


class MaintenanceUpdateQuerySet(models.QuerySet["MaintenanceUpdate"]):
    def newest_first(self) -> Self:
        return self.order_by("-published_at", "-id")


class MaintenanceUpdate(models.Model):
    """One message to customers about planned work."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    maintenance = models.ForeignKey(Maintenance, on_delete=models.CASCADE, related_name="updates")
    state = models.CharField(max_length=12, choices=MaintenanceState)
    body = models.TextField()
    # What the clock says by itself, in the other languages of the pages: code to text.
    translations = models.JSONField(default=dict, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    idempotency_key = models.CharField(max_length=200, blank=True)
    deliver_notifications = models.BooleanField(default=True)
    published_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)

    objects = MaintenanceUpdateQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("maintenanceupdate", "state", MaintenanceState),
            models.CheckConstraint(name="maintenanceupdate_says_something", condition=~Q(body="")),
            models.UniqueConstraint(
                name="maintenanceupdate_idempotency_key_is_unique",
                fields=["maintenance", "idempotency_key"],
                condition=~Q(idempotency_key=""),
            ),
        ]
        indexes = [
            models.Index(name="maintenanceupdate_newest", fields=["maintenance", "-published_at"]),
            # The outbox asks for the news of the last days.
            models.Index(name="maintenanceupdate_news", fields=["published_at"]),
        ]

    def __str__(self) -> str:
        return self.body[:80]


class MaintenanceChange(models.Model):
    """What an update said of one component; the same status twice where it left it alone."""

    update = models.ForeignKey(
        MaintenanceUpdate, on_delete=models.CASCADE, related_name="component_changes"
    )
    component = models.ForeignKey(
        Component, on_delete=models.PROTECT, related_name="maintenance_changes"
    )
    old_status = models.CharField(max_length=24, choices=ComponentStatus)
    new_status = models.CharField(max_length=24, choices=ComponentStatus)

    class Meta:
        constraints = [
            is_known("maintenancechange", "old_status", ComponentStatus),
            is_known("maintenancechange", "new_status", ComponentStatus),
            models.UniqueConstraint(
                name="component_changes_once_a_maintenance_update", fields=["update", "component"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.new_status}"


class MaintenanceTemplate(models.Model):
    """What is usually said and set for a kind of planned work."""

    name = models.CharField(max_length=140, unique=True)
    title = models.CharField(max_length=140)
    body = models.TextField(blank=True)
    components = models.ManyToManyField(Component, blank=True, related_name="+")
    component_status = models.CharField(
        max_length=24, choices=ComponentStatus, default=ComponentStatus.UNDER_MAINTENANCE
    )
    duration = models.DurationField()
    remind_before = models.DurationField(null=True, blank=True)
    starts_by_itself = models.BooleanField(default=True)
    ends_by_itself = models.BooleanField(default=True)
    deliver_notifications = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="maintenancetemplate_component_status_is_its_own",
                condition=Q(component_status__in=_DURING),
            ),
            models.CheckConstraint(
                name="maintenancetemplate_takes_some_time",
                condition=Q(duration__gt=timedelta(0)),
            ),
            models.CheckConstraint(
                name="maintenancetemplate_reminds_before_its_start",
                condition=Q(remind_before__isnull=True) | Q(remind_before__gt=timedelta(0)),
            ),
        ]

    def __str__(self) -> str:
        return self.name
