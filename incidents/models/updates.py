"""What customers are told."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q, Subquery

from incidents.models.components import Component
from incidents.models.fields import (
    Worded,
    ends_after_it_starts,
    is_known,
    new_public_id,
)
from incidents.models.incident import Incident
from incidents.models.tenants import Tenant
from incidents.models.timeline import TimelineEntry
from incidents.values import ComponentStatus, ImpactKind, Phase, Precision, UpdateState


class StatusUpdateQuerySet(models.QuerySet["StatusUpdate"]):
    def published(self) -> Self:
        return self.filter(state=UpdateState.PUBLISHED)

    def told(self) -> Self:
        """Those that customers were given to read; what staff said among themselves is left out."""
        # One look a row: joined, PostgreSQL may go through every entry there is instead.
        entry = TimelineEntry.objects.filter(pk=OuterRef("entry"))
        return self.published().filter(Subquery(entry.values("is_public")))

    def newest_first(self) -> Self:
        return self.order_by(F("published_at").desc(nulls_first=True), "-id")


class StatusUpdate(Worded):
    """One message to customers about an incident."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="updates")
    entry = models.OneToOneField(
        TimelineEntry, null=True, blank=True, on_delete=models.PROTECT, related_name="update"
    )
    body = models.TextField()
    # The body by language, of a job that says it in each: {"nl": "…"}. People write one body.
    translations = models.JSONField(default=dict, blank=True)
    phase = models.CharField(max_length=16, choices=Phase)
    state = models.CharField(max_length=12, choices=UpdateState, default=UpdateState.DRAFT)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # Who speaks when it is not a person: "restore job 41".
    author_label = models.CharField(max_length=140, blank=True)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    # What else happens when it is published, while it waits: see `incidents.plans`.
    plan = models.JSONField(default=dict, blank=True)
    # Why it went out without the approval that its severity asks for.
    unapproved_reason = models.CharField(max_length=200, blank=True)
    # Why whoever should have approved it gave it back, while it is a draft again.
    returned_reason = models.CharField(max_length=200, blank=True)
    # Rises with every edit: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)
    idempotency_key = models.CharField(max_length=200, blank=True)
    deliver_notifications = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)

    objects = StatusUpdateQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("statusupdate", "phase", Phase),
            is_known("statusupdate", "state", UpdateState),
            models.CheckConstraint(
                name="statusupdate_published_at_iff_published",
                condition=Q(
                    state=UpdateState.PUBLISHED, published_at__isnull=False, entry__isnull=False
                )
                | (~Q(state=UpdateState.PUBLISHED) & Q(published_at__isnull=True)),
            ),
            models.CheckConstraint(name="statusupdate_says_something", condition=~Q(body="")),
            models.CheckConstraint(
                name="statusupdate_approver_is_not_its_author",
                condition=Q(approver__isnull=True)
                | Q(author__isnull=True)
                | ~Q(approver=F("author")),
            ),
            models.CheckConstraint(
                name="statusupdate_is_approved_or_says_why_not",
                condition=Q(unapproved_reason="") | Q(approver__isnull=True),
            ),
            models.UniqueConstraint(
                name="statusupdate_idempotency_key_is_unique",
                fields=["incident", "idempotency_key"],
                condition=~Q(idempotency_key=""),
            ),
        ]
        indexes = [
            models.Index(name="statusupdate_newest", fields=["incident", "-published_at"]),
        ]

    def __str__(self) -> str:
        return self.body[:80]


class ComponentChange(models.Model):
    """What a status update said of one component."""

    update = models.ForeignKey(
        StatusUpdate, on_delete=models.CASCADE, related_name="component_changes"
    )
    component = models.ForeignKey(Component, on_delete=models.PROTECT, related_name="changes")
    old_status = models.CharField(max_length=24, choices=ComponentStatus)
    new_status = models.CharField(max_length=24, choices=ComponentStatus)

    class Meta:
        constraints = [
            is_known("componentchange", "old_status", ComponentStatus),
            is_known("componentchange", "new_status", ComponentStatus),
            models.UniqueConstraint(
                name="component_changes_once_an_update", fields=["update", "component"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.new_status}"


class ImpactQuerySet(models.QuerySet["Impact"]):
    def live(self) -> Self:
        return self.filter(deleted_at__isnull=True)


class Impact(Worded):
    """What customers went without: which kind, from when until when, back to which time."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="impacts")
    component = models.ForeignKey(Component, null=True, blank=True, on_delete=models.PROTECT)
    # One customer's own: never on a page that others read. It goes with the tenant.
    tenant = models.ForeignKey(
        Tenant, null=True, blank=True, on_delete=models.CASCADE, related_name="impacts"
    )
    kind = models.CharField(max_length=16, choices=ImpactKind)
    at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    precision = models.CharField(max_length=8, choices=Precision, default=Precision.MINUTE)
    # Data from this moment on is missing; what is older is there.
    data_from_at = models.DateTimeField(null=True, blank=True)
    text = models.TextField(blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    # Rises with every edit: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ImpactQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("impact", "kind", ImpactKind),
            is_known("impact", "precision", Precision),
            ends_after_it_starts("impact"),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class UpdateTemplate(models.Model):
    """Staff's own words for an update that a job proposes. Without a row, ours are used."""

    code = models.CharField(max_length=40, unique=True)
    body = models.TextField()

    def __str__(self) -> str:
        return self.code
