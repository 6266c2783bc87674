"""What programs keep with an incident or a maintenance, and no part of the record reads."""

from django.db import models
from django.db.models import Q, TextChoices

from incidents.models import Incident, Maintenance
from incidents.models.fields import is_known_or_empty


class Override(TextChoices):
    """The impact that a program has said itself, in the words of the management API."""

    NONE = "none"
    MAINTENANCE = "maintenance"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Attachment(models.Model):
    """What a program keeps with an incident or a maintenance: it is given back as it came."""

    incident = models.OneToOneField(
        Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="attachment"
    )
    maintenance = models.OneToOneField(
        Maintenance, null=True, blank=True, on_delete=models.CASCADE, related_name="attachment"
    )
    # Objects by name: {"jira": {"issue": "OPS-7"}}.
    metadata = models.JSONField(default=dict, blank=True)
    impact_override = models.CharField(max_length=12, choices=Override, blank=True)

    class Meta:
        constraints = [
            is_known_or_empty("attachment", "impact_override", Override),
            models.CheckConstraint(
                name="attachment_is_of_one_thing",
                condition=Q(incident__isnull=False, maintenance__isnull=True)
                | Q(incident__isnull=True, maintenance__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"attached to {self.incident or self.maintenance}"
