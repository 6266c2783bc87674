"""Who is told of what the checks find, how often, and who has said that he knows."""

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from backups.models.protected import Database
from backups.models.readiness import BackupCheckName, CheckState
from incidents.models import Incident, NoticeChannel
from incidents.models.fields import is_known
from incidents.values import Severity
from notifications.places import masked


class AlertRule(models.Model):
    """Which findings are told, after how long, to whom, and what more they set off."""

    name = models.CharField(max_length=60, unique=True)
    # None: of every database.
    database = models.ForeignKey(
        Database, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules"
    )
    # Empty: every check.
    checks = ArrayField(
        models.CharField(max_length=11, choices=BackupCheckName), default=list, blank=True
    )
    # The states of which it tells, and how long one has to last.
    states = ArrayField(models.CharField(max_length=8, choices=CheckState))
    lasts = models.DurationField(default=timedelta())
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.SEV3)
    channels = models.ManyToManyField(NoticeChannel, related_name="+", blank=True)
    # Told again after this time, until somebody says that he knows; None: once.
    remind_every = models.DurationField(null=True, blank=True)
    # If nobody has said so by then, these are told as well.
    escalate_after = models.DurationField(null=True, blank=True)
    escalate_to = models.ManyToManyField(NoticeChannel, related_name="+", blank=True)
    declares_incident = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            is_known("alertrule", "severity", Severity),
            models.CheckConstraint(
                name="alertrule_tells_of_some_state", condition=Q(states__len__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state_labels(self) -> list[str]:
        """The states of which it tells, as staff call them."""
        return [str(CheckState(state).label) for state in self.states]


class BackupAlert(models.Model):
    """A finding that staff were told of, from when it was told until it was over."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    # None: it is about Highwater itself (its beat, its workers), and ``about`` says what.
    database = models.ForeignKey(
        Database, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts"
    )
    about = models.CharField(max_length=60)
    state = models.CharField(max_length=8, choices=CheckState)
    words = models.CharField(max_length=500)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # When staff were last told of it, and how often; None while nobody was, for a silence.
    told_at = models.DateTimeField(null=True, blank=True)
    times_told = models.PositiveIntegerField(default=0)
    escalated_at = models.DateTimeField(null=True, blank=True)
    incident = models.ForeignKey(
        Incident, on_delete=models.SET_NULL, null=True, blank=True, related_name="backup_alerts"
    )

    class Meta:
        ordering = ["-opened_at", "-id"]
        constraints = [
            is_known("backupalert", "state", CheckState),
            models.UniqueConstraint(
                name="backupalert_is_open_once",
                fields=["rule", "database", "about"],
                condition=Q(closed_at__isnull=True),
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="backupalert_closes_after_it_opens",
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("opened_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.words

    @property
    def title(self) -> str:
        """What is wrong, as staff call it."""
        if self.about not in BackupCheckName.values:
            return self.about
        return BackupCheckName(self.about).called(self.state)


class Silence(models.Model):
    """A time in which nobody is told of some findings, with the reason. They stay on the desk."""

    # None: of every database.
    database = models.ForeignKey(
        Database, on_delete=models.CASCADE, null=True, blank=True, related_name="silences"
    )
    # Empty: every check.
    checks = ArrayField(
        models.CharField(max_length=11, choices=BackupCheckName), default=list, blank=True
    )
    begins_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=500)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["-ends_at"]
        constraints = [
            models.CheckConstraint(
                name="silence_ends_after_it_begins", condition=Q(ends_at__gt=F("begins_at"))
            ),
            models.CheckConstraint(name="silence_has_a_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return self.reason


class Heartbeat(models.Model):
    """That beat and a worker run, and where "all is well here" is sent every so often.

    Who stops hearing it outside knows that all is not well. One row, or none.
    """

    # When beat last reached a worker, and when staff were told that it did not.
    beaten_at = models.DateTimeField(null=True, blank=True)
    silence_told_at = models.DateTimeField(null=True, blank=True)
    # The address is a secret: whoever has it can say that all is well. Empty: nothing is sent.
    url = models.CharField(max_length=1000, blank=True)
    every = models.DurationField(default=timedelta(minutes=1))
    sent_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="heartbeat_is_one", condition=Q(pk=1)),
        ]

    def __str__(self) -> str:
        return "Heartbeat"

    @property
    def shown_url(self) -> str:
        """The address as anybody at the desk may read it."""
        return masked(self.url) if self.url else ""
