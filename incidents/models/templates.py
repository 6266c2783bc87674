"""Messages that staff prepare in quiet hours, for those that are not."""

from django.db import models
from django.db.models import Q

from incidents.models.components import Component
from incidents.models.fields import is_known, is_known_or_empty
from incidents.values import ComponentStatus, Phase, Severity, TemplateKind


class MessageTemplate(models.Model):
    """What an update, or a new incident, may be filled in with. Chosen by people, changed by hand.

    What stands in brackets, as in ``[time]``, is a blank: whoever posts it is asked to fill it in.
    """

    kind = models.CharField(max_length=8, choices=TemplateKind)
    name = models.CharField(max_length=60)
    title = models.CharField(max_length=140, blank=True)
    body = models.TextField(blank=True)
    phase = models.CharField(max_length=16, choices=Phase, blank=True)
    severity = models.CharField(max_length=8, choices=Severity, blank=True)
    components = models.ManyToManyField(Component, blank=True, related_name="+")
    component_status = models.CharField(max_length=24, choices=ComponentStatus, blank=True)

    class Meta:
        constraints = [
            is_known("messagetemplate", "kind", TemplateKind),
            is_known_or_empty("messagetemplate", "phase", Phase),
            is_known_or_empty("messagetemplate", "severity", Severity),
            is_known_or_empty("messagetemplate", "component_status", ComponentStatus),
            models.UniqueConstraint(
                name="messagetemplate_name_is_unique_a_kind", fields=["kind", "name"]
            ),
            models.CheckConstraint(
                name="messagetemplate_says_something", condition=~Q(title="", body="")
            ),
        ]

    def __str__(self) -> str:
        return self.name
