"""What the desk asks for before staff are told otherwise of what the checks find."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import AlertRule, BackupCheckName, CheckState, Database
from backups.operations import Terms
from incidents.forms.fields import DeskForm
from incidents.models import NoticeChannel
from incidents.values import Severity

_NOT_OK = [choice for choice in CheckState.choices if choice[0] != CheckState.OK]
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


class AlertRuleForm(DeskForm):
    """Which findings are told, after how long, to whom."""

    ids = "rule"

    name = forms.CharField(label=_("Name"), max_length=60)
    states = forms.MultipleChoiceField(
        label=_("Findings that are"),
        choices=_NOT_OK,
        widget=forms.CheckboxSelectMultiple,
        initial=[CheckState.CRITICAL],
        error_messages={"required": _("Choose at least one.")},
    )
    checks = forms.MultipleChoiceField(
        label=_("Of these checks"),
        choices=BackupCheckName.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None chosen: of all of them."),
    )
    database = forms.ModelChoiceField(
        label=_("Of this database"),
        queryset=Database.objects.order_by("name"),
        required=False,
        empty_label=_("Every database"),
    )
    lasts_minutes = forms.IntegerField(
        label=_("Once they have lasted, in minutes"), min_value=0, max_value=43_200, initial=5
    )
    severity = forms.ChoiceField(
        label=_("As grave as"),
        choices=Severity.choices,
        initial=Severity.SEV3,
        help_text=_("Rooms and mailboxes hear by severity, unless you choose some below."),
    )
    channels = forms.ModelMultipleChoiceField(
        label=_("Told to"),
        queryset=NoticeChannel.objects.order_by("name"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None chosen: to all that hear of this severity."),
    )
    remind_hours = forms.IntegerField(
        label=_("Told again, in hours"),
        min_value=1,
        max_value=720,
        required=False,
        help_text=_("Until somebody says that they know. Empty: once."),
    )
    escalate_minutes = forms.IntegerField(
        label=_("Told higher up after, in minutes"),
        min_value=1,
        max_value=43_200,
        required=False,
        help_text=_("If nobody has said so by then. Empty: never."),
    )
    escalate_to = forms.ModelMultipleChoiceField(
        label=_("Higher up is"),
        queryset=NoticeChannel.objects.order_by("name"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    declares_incident = forms.BooleanField(
        label=_("Declare an incident, for staff only"), required=False
    )
    is_enabled = forms.BooleanField(label=_("In use"), required=False, initial=True)

    @classmethod
    def of(cls, rule: AlertRule) -> "AlertRuleForm":
        """Return the form with what a rule says."""
        return cls(
            initial={
                "name": rule.name,
                "states": rule.states,
                "checks": rule.checks,
                "database": rule.database_id,
                "lasts_minutes": rule.lasts // _MINUTE,
                "severity": rule.severity,
                "channels": rule.channels.all(),
                "remind_hours": rule.remind_every // _HOUR if rule.remind_every else None,
                "escalate_minutes": (
                    rule.escalate_after // _MINUTE if rule.escalate_after else None
                ),
                "escalate_to": rule.escalate_to.all(),
                "declares_incident": rule.declares_incident,
                "is_enabled": rule.is_enabled,
            }
        )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        said = self.cleaned_data
        if said.get("escalate_to") and not said.get("escalate_minutes"):
            self.add_error("escalate_minutes", _("Say after how long it goes higher up."))
        return cleaned

    @property
    def terms(self) -> Terms:
        """What was said, once it is valid."""
        said = self.cleaned_data
        remind, escalate = said["remind_hours"], said["escalate_minutes"]
        return Terms(
            name=said["name"],
            states=[CheckState(state) for state in said["states"]],
            checks=[BackupCheckName(name) for name in said["checks"]],
            database_id=said["database"].pk if said["database"] else None,
            lasts=said["lasts_minutes"] * _MINUTE,
            severity=Severity(said["severity"]),
            channel_ids=[row.pk for row in said["channels"]],
            remind_every=remind * _HOUR if remind else None,
            escalate_after=escalate * _MINUTE if escalate else None,
            escalate_to_ids=[row.pk for row in said["escalate_to"]],
            declares_incident=said["declares_incident"],
            is_enabled=said["is_enabled"],
        )


class SilenceForm(DeskForm):
    """What nobody is told of for a while, and why."""

    ids = "silence"

    database = forms.ModelChoiceField(
        label=_("Of this database"),
        queryset=Database.objects.order_by("name"),
        required=False,
        empty_label=_("Every database"),
    )
    checks = forms.MultipleChoiceField(
        label=_("These checks"),
        choices=BackupCheckName.choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None chosen: all of them."),
    )
    hours = forms.IntegerField(label=_("For so many hours"), min_value=1, max_value=2160, initial=4)
    reason = forms.CharField(label=_("Why"), max_length=500)

    def until(self, now: datetime) -> datetime:
        hours: int = self.cleaned_data["hours"]
        return now + hours * _HOUR


class HeartbeatForm(DeskForm):
    """Where "all is well here" is sent."""

    ids = "heartbeat"

    url = forms.CharField(
        label=_("Address"),
        max_length=1000,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Of a service that calls you when it hears nothing. It is kept like a password, and "
            "not shown again. Empty: nothing is sent."
        ),
    )
    every_seconds = forms.IntegerField(
        label=_("Every so many seconds"), min_value=30, max_value=86_400, initial=60
    )
