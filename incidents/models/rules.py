"""What staff have agreed on before the night comes."""

from datetime import time, timedelta

from django.db import models
from django.db.models import Q

from incidents.models.fields import is_known
from incidents.values import Severity

# Days from the end of an incident to its postmortem, where staff have not said: PagerDuty's guide
# has three calendar days, and five working days, which are a week.
USUAL_POSTMORTEM_DAYS = {Severity.SEV1: 3, Severity.SEV2: 7}


class DeskRulesQuerySet(models.QuerySet["DeskRules"]):
    def in_force(self) -> "DeskRules":
        """Return the row, or what holds without one."""
        return self.first() or self.model(pk=1)


class DeskRules(models.Model):
    """How the desk behaves where people may differ. There is one row, or none: then these hold."""

    # How long before an update falls due whoever writes it is reminded.
    reminder_lead = models.DurationField(default=timedelta(minutes=5))
    # How long somebody holds roles before being asked to hand over.
    duty_limit = models.DurationField(default=timedelta(hours=8))
    # After how long the desk proposes to treat an incident as a long one.
    long_after = models.DurationField(default=timedelta(hours=2))
    # In the incident's zone: a long incident's next update waits for the end of the night.
    night_begins = models.TimeField(default=time(22))
    night_ends = models.TimeField(default=time(8))
    # How long a needed role may stand empty before somebody is told.
    empty_role_after = models.DurationField(default=timedelta(minutes=10))

    objects = DeskRulesQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "desk rules"
        constraints = [
            models.CheckConstraint(name="deskrules_is_one_row", condition=Q(pk=1)),
            models.CheckConstraint(
                name="deskrules_durations_are_positive",
                condition=Q(
                    reminder_lead__gt=timedelta(),
                    duty_limit__gt=timedelta(),
                    long_after__gt=timedelta(),
                    empty_role_after__gt=timedelta(),
                ),
            ),
        ]

    def __str__(self) -> str:
        return "desk rules"


class SeverityRuleQuerySet(models.QuerySet["SeverityRule"]):
    def in_force(self, severity: Severity) -> "SeverityRule":
        """Return the row of a severity, or what holds without one."""
        return self.filter(severity=severity).first() or self.usual(severity)

    def usual(self, severity: Severity) -> "SeverityRule":
        """Return what holds where staff have not said anything."""
        usual = USUAL_POSTMORTEM_DAYS.get(severity)
        return self.model(severity=severity, postmortem_days=usual)


class SeverityRule(models.Model):
    """What an incident of a severity asks for. Without a row, nothing but a postmortem in time."""

    severity = models.CharField(max_length=8, choices=Severity, unique=True)
    # Somebody else than its author approves an update before customers read it.
    needs_approval = models.BooleanField(default=False)
    # Days from the end of the incident to its postmortem; None where none is asked for.
    postmortem_days = models.PositiveIntegerField(null=True, blank=True)
    # Days within which an action item is done; None where nothing is agreed.
    action_days = models.PositiveIntegerField(null=True, blank=True)

    objects = SeverityRuleQuerySet.as_manager()

    class Meta:
        constraints = [is_known("severityrule", "severity", Severity)]

    def __str__(self) -> str:
        return self.get_severity_display()
