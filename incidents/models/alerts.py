"""Alerts that come in from monitoring, and the doors through which they come."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.models import User
from incidents.models.components import Component
from incidents.models.fields import is_known
from incidents.models.incident import Incident
from incidents.models.timeline import TimelineEntry
from incidents.values import AlertProvider, AlertState, Severity, Visibility

_SEVERITIES = ("severity", "priority", "level")


class AlertHookQuerySet(models.QuerySet["AlertHook"]):
    def seen_by(self, user: User) -> Self:
        """Those that somebody at the desk may know of: a private one is for its members."""
        if user.is_superuser:
            return self
        own = self.model.members.through.objects.filter(user=user).values("alerthook_id")
        return self.filter(~Q(visibility=Visibility.PRIVATE) | Q(pk__in=own))


class AlertHook(models.Model):
    """An address at which one monitoring system tells of trouble, and what we make of it."""

    name = models.CharField(max_length=60, unique=True)
    provider = models.CharField(max_length=16, choices=AlertProvider)
    # SHA-256 of the token in its address: whoever reads the table cannot speak for the system.
    token_digest = models.CharField(max_length=64, unique=True)
    # With what the provider signs. Empty where the token alone is the proof.
    signing_secret = models.CharField(max_length=200, blank=True)
    # What an incident gets that is declared by an alert which says nothing of it.
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.SEV2)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.INTERNAL)
    components = models.ManyToManyField(Component, blank=True, related_name="+")
    # Who may know of the incidents that it declares, where these are private; and of what came in.
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="+")
    is_enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    last_received_at = models.DateTimeField(null=True, blank=True)

    objects = AlertHookQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("alerthook", "provider", AlertProvider),
            is_known("alerthook", "severity", Severity),
            is_known("alerthook", "visibility", Visibility),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("incidents:alert-hook-detail", args=[self.pk])


class AlertQuerySet(models.QuerySet["Alert"]):
    def seen_by(self, user: User) -> Self:
        """Those that somebody at the desk may know of, as of their incidents."""
        seen = Incident.objects.seen_by(user).values("pk")
        return self.filter(Q(incident__isnull=True) | Q(incident__in=seen))

    def newest_first(self) -> Self:
        # The id breaks ties, so that pages never shuffle.
        return self.order_by("-received_at", "-id")


class Alert(models.Model):
    """One alert of a monitoring system, from its start to its end; repeats change this row."""

    hook = models.ForeignKey(AlertHook, on_delete=models.PROTECT, related_name="alerts")
    # What tells it from others: the provider's fingerprint, or ours.
    fingerprint = models.CharField(max_length=200)
    # What belongs to one incident shares it.
    dedup_key = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=AlertState)
    title = models.CharField(max_length=300)
    link = models.URLField(max_length=2000, blank=True)
    payload = models.JSONField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField()
    # The newest word of the provider's that has been taken in: older ones change nothing.
    told_at = models.DateTimeField()
    incident = models.ForeignKey(
        Incident, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts"
    )
    entry = models.ForeignKey(
        TimelineEntry, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("alert", "state", AlertState),
            models.UniqueConstraint(
                name="alert_is_known_once", fields=["hook", "fingerprint", "starts_at"]
            ),
            models.CheckConstraint(
                name="alert_ended_iff_resolved",
                condition=Q(state=AlertState.FIRING, ends_at__isnull=True)
                | Q(state=AlertState.RESOLVED, ends_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="alert_newest", fields=["-received_at", "-id"]),
            models.Index(name="alert_of_a_key", fields=["hook", "dedup_key"]),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def labels(self) -> list[tuple[str, str]]:
        """What tells it from others of its title, as names and values; its severity is left out."""
        found = self.payload.get("labels")
        if not isinstance(found, dict):
            return []
        return [
            (name, str(value))
            for name, value in sorted(found.items())
            if name not in _SEVERITIES and not name.startswith("__")
        ]


class AlertRefusal(models.Model):
    """Something that was sent to a hook and not taken in, and why. The newest are kept."""

    hook = models.ForeignKey(
        AlertHook, null=True, blank=True, on_delete=models.CASCADE, related_name="refusals"
    )
    code = models.CharField(max_length=60)
    reason = models.CharField(max_length=500)
    # The beginning of what was sent.
    excerpt = models.TextField(blank=True)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(name="alertrefusal_newest", fields=["-received_at", "-id"])]

    def __str__(self) -> str:
        return self.code
