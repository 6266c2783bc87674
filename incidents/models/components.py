"""What can break, as customers call it."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from incidents.models.fields import Worded, is_known, new_public_id
from incidents.values import ComponentStatus


class ComponentQuerySet(models.QuerySet["Component"]):
    def in_order(self) -> Self:
        return self.order_by("position", "id")

    def in_tree(self) -> Self:
        """Return them as the page stands: each group in its place, its members right behind it."""
        return self.select_related("group").order_by(
            Coalesce("group__position", "position"),
            Coalesce("group_id", "id"),
            F("group_id").asc(nulls_first=True),
            "position",
            "id",
        )


class Component(Worded):
    """A part of the service that customers know by name, or a group of such parts."""

    public_id = models.CharField(max_length=12, unique=True, default=new_public_id, editable=False)
    # As long as other status pages let it be.
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    status = models.CharField(
        max_length=24, choices=ComponentStatus, default=ComponentStatus.OPERATIONAL
    )
    is_group = models.BooleanField(default=False)
    group = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="members",
        limit_choices_to={"is_group": True},
    )
    position = models.PositiveIntegerField(default=1)
    showcase = models.BooleanField(default=True)
    only_show_if_degraded = models.BooleanField(default=False)
    start_on = models.DateField(null=True, blank=True)
    # Rises with every write of its intervals: who has read them knows whether to read again.
    history_version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = ComponentQuerySet.as_manager()

    class Meta:
        constraints = [
            is_known("component", "status", ComponentStatus),
            models.CheckConstraint(
                name="component_group_is_in_no_group",
                condition=Q(is_group=False) | Q(group__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name
