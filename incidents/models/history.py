"""How components were, stretch by stretch: what bars and uptime figures are made of."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from incidents.models.components import Component
from incidents.models.fields import is_known
from incidents.values import ComponentStatus


class StatusIntervalQuerySet(models.QuerySet["StatusInterval"]):
    def oldest_first(self) -> Self:
        return self.order_by("component", "began_at", "id")


class StatusInterval(models.Model):
    """A stretch of time in which a component had one status; the one without an end is now."""

    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="intervals")
    status = models.CharField(max_length=24, choices=ComponentStatus)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = StatusIntervalQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("statusinterval", "status", ComponentStatus),
            models.CheckConstraint(
                name="statusinterval_ends_after_it_began",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gt=F("began_at")),
            ),
            models.UniqueConstraint(
                name="statusinterval_one_open_a_component",
                fields=["component"],
                condition=Q(ended_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(name="statusinterval_in_order", fields=["component", "began_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.component_id}: {self.status}"
