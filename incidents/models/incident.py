"""The incident itself, and who holds which role in it."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.models.components import Component
from incidents.models.fields import Worded, is_known, is_known_or_empty, new_public_id, words_of
from incidents.values import (
    ImpactLevel,
    IncidentKind,
    Milestone,
    Phase,
    ProgressPolicy,
    Role,
    RoleReason,
    Severity,
    Source,
    Visibility,
)


class IncidentQuerySet(models.QuerySet["Incident"]):
    def open(self) -> Self:
        return self.exclude(phase=Phase.RESOLVED)

    def public(self) -> Self:
        """Those that customers may know of: public, real, and told at least once."""
        return self.filter(visibility=Visibility.PUBLIC, published_at__isnull=False).exclude(
            kind=IncidentKind.DRILL
        )

    def seen_by(self, user: User) -> Self:
        """Those that somebody at the desk may know of: a private one is for its members."""
        if user.is_superuser:
            return self
        private = Q(visibility=Visibility.PRIVATE)
        own = self.model.members.through.objects.filter(user=user).values("incident_id")
        return self.filter(~private | Q(pk__in=own))

    def hidden_from(self, user: User) -> Self:
        """Those that ``seen_by`` leaves out: few, so that a search asks which to pass over."""
        if user.is_superuser:
            return self.none()
        own = self.model.members.through.objects.filter(user=user).values("incident_id")
        return self.filter(visibility=Visibility.PRIVATE).exclude(pk__in=own)

    def with_beginning(self) -> Self:
        """Add ``began_at``, by which lists are in order: when it began, or was written down."""
        return self.annotate(began_at=Coalesce("started_at", "created_at"))

    def moving_components(self) -> Self:
        """Those whose word on components the page shows: no drill, nothing private."""
        return self.exclude(kind=IncidentKind.DRILL).exclude(visibility=Visibility.PRIVATE)

    def newest_first(self) -> Self:
        # The id breaks ties, so that pages never shuffle.
        return self.order_by(F("started_at").desc(nulls_last=True), "-id")


class Incident(Worded):
    """A stretch of time in which customers got less than they were promised."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    # As long as other status pages let it be.
    title = models.CharField(max_length=255)
    summary = models.TextField(blank=True)
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.SEV2)
    impact = models.CharField(max_length=8, choices=ImpactLevel, default=ImpactLevel.MAJOR)
    phase = models.CharField(max_length=16, choices=Phase, default=Phase.INVESTIGATING)
    kind = models.CharField(max_length=12, choices=IncidentKind, default=IncidentKind.LIVE)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PUBLIC)
    tz = models.CharField(max_length=64, default="UTC")
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    duplicate_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="duplicates"
    )
    source = models.CharField(max_length=8, choices=Source, default=Source.WEB)
    dedup_key = models.CharField(max_length=200, blank=True)
    progress_policy = models.CharField(
        max_length=12, choices=ProgressPolicy, default=ProgressPolicy.AUTOMATIC
    )
    # Customers hear seldom, at times that are told: nobody works through a third night on updates.
    is_long = models.BooleanField(default=False)
    components = models.ManyToManyField(Component, blank=True, related_name="incidents")
    # Who may know of a private one, besides those who may know everything.
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="private_incidents"
    )

    # Rises when somebody edits it: who edits says which one was read, and overwrites nobody's.
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    # Readings of the timeline's milestones, kept here for lists. Only the timeline writes them.
    started_at = models.DateTimeField(null=True, blank=True)
    detected_at = models.DateTimeField(null=True, blank=True)
    declared_at = models.DateTimeField(null=True, blank=True)
    first_update_at = models.DateTimeField(null=True, blank=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    recovered_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    monitoring_at = models.DateTimeField(null=True, blank=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("incident", "severity", Severity),
            is_known("incident", "impact", ImpactLevel),
            is_known("incident", "phase", Phase),
            is_known("incident", "kind", IncidentKind),
            is_known("incident", "visibility", Visibility),
            is_known("incident", "source", Source),
            is_known("incident", "progress_policy", ProgressPolicy),
            models.CheckConstraint(
                name="incident_resolved_at_iff_resolved",
                condition=Q(phase=Phase.RESOLVED, resolved_at__isnull=False)
                | (~Q(phase=Phase.RESOLVED) & Q(resolved_at__isnull=True)),
                violation_error_message=_("A resolved incident needs the time of its end."),
            ),
            models.CheckConstraint(
                name="incident_is_not_its_own_parent", condition=~Q(parent=F("id"))
            ),
            models.CheckConstraint(
                name="incident_is_not_its_own_duplicate", condition=~Q(duplicate_of=F("id"))
            ),
            models.UniqueConstraint(
                name="incident_dedup_key_is_unique_while_open",
                fields=["dedup_key"],
                condition=~Q(dedup_key="") & ~Q(phase=Phase.RESOLVED),
            ),
        ]
        indexes = [
            models.Index(name="incident_newest_first", fields=["-started_at", "-id"]),
            # Every publish asks for those with the newest activity.
            models.Index(name="incident_newest_activity", fields=["-updated_at", "-id"]),
            # The page of uptime asks for those that were not over yet on some day.
            models.Index(name="incident_end", fields=["resolved_at"]),
            # The desk lists those that are open, and behind them the others.
            models.Index(
                Coalesce("started_at", "created_at").desc(),
                F("id").desc(),
                name="incident_newest_open",
                condition=~Q(phase=Phase.RESOLVED),
            ),
            models.Index(
                Coalesce("started_at", "created_at").desc(),
                F("id").desc(),
                name="incident_newest_over",
                condition=Q(phase=Phase.RESOLVED),
            ),
            # Every search asks which are private.
            models.Index(
                name="incident_private",
                fields=["id"],
                condition=Q(visibility=Visibility.PRIVATE),
            ),
            GinIndex(words_of("title", "summary"), name="incident_words"),
        ]

    def __str__(self) -> str:
        return f"{self.ref} {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("incidents:incident-detail", args=[self.pk])

    @property
    def ref(self) -> str:
        """The short name that people say: INC-7."""
        return f"INC-{self.pk}"

    @property
    def is_resolved(self) -> bool:
        return self.phase == Phase.RESOLVED

    @property
    def is_public(self) -> bool:
        return (
            self.visibility == Visibility.PUBLIC
            and self.published_at is not None
            and self.kind != IncidentKind.DRILL
        )

    @property
    def is_drill(self) -> bool:
        return self.kind == IncidentKind.DRILL

    @property
    def is_private(self) -> bool:
        return self.visibility == Visibility.PRIVATE

    @property
    def is_for_customers(self) -> bool:
        """Whether its updates are for customers to read: a drill is held as if they were."""
        return self.is_drill or self.visibility == Visibility.PUBLIC

    @property
    def moves_components(self) -> bool:
        """Whether the page shows what is said here of components: not of drills, nor in private."""
        return not (self.is_drill or self.is_private)

    def note_milestone(self, milestone: str, at: datetime | None) -> None:
        """Set the reading of a milestone. The caller saves ``{milestone}_at``."""
        setattr(self, f"{Milestone(milestone)}_at", at)


class RoleAssignment(Worded):
    """Who holds a role in an incident, from when until when, and why it changed."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=16, choices=Role)
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="roles"
    )
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=12, choices=RoleReason, blank=True)
    # What its holder left for whoever came next, when it ended.
    handover = models.TextField(blank=True)
    # Until when its holder, who gave it up, is not to be woken.
    resting_until_at = models.DateTimeField(null=True, blank=True)
    previous = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            is_known("roleassignment", "role", Role),
            is_known_or_empty("roleassignment", "reason", RoleReason),
            models.UniqueConstraint(
                name="role_has_one_holder_at_a_time",
                fields=["incident", "role"],
                condition=Q(until_at__isnull=True),
            ),
            models.CheckConstraint(
                name="role_ends_after_it_starts",
                condition=Q(until_at__isnull=True) | Q(until_at__gte=F("from_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()}: {self.holder}"
