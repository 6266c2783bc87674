"""Forms on planned work."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm, LocalTimeField, full_name
from incidents.forms.incident import clean_zone, zone_names
from incidents.models import Component, Maintenance, MaintenanceTemplate
from incidents.operations import Plan
from incidents.values import LONGEST_TEXT, ComponentStatus, Visibility, zone

_MINUTE = timedelta(minutes=1)
_YEAR_MINUTES = 366 * 24 * 60
# Either says when it ends.
_ENDS = ("scheduled_until", "minutes")
_REMINDERS = [
    ("", _("Not at all")),
    ("30", _("30 minutes before")),
    ("60", _("1 hour before")),
    ("120", _("2 hours before")),
    ("1440", _("1 day before")),
    ("4320", _("3 days before")),
    ("10080", _("1 week before")),
]


class PlanForm(DeskForm):
    """What planned work is called, what it touches, and what goes by itself."""

    ids = "plan"

    title = forms.CharField(
        label=_("What is done, as customers would say it"),
        max_length=140,
        help_text=_("This is the title on the status page: “Database upgrade”."),
    )
    components = forms.MultipleChoiceField(
        label=_("What it touches"), required=False, widget=forms.CheckboxSelectMultiple
    )
    component_status = forms.ChoiceField(
        label=_("Meanwhile they show"),
        choices=[
            (ComponentStatus.UNDER_MAINTENANCE, _("Under maintenance")),
            (ComponentStatus.OPERATIONAL, _("Operational: customers notice nothing")),
        ],
        initial=ComponentStatus.UNDER_MAINTENANCE,
        widget=forms.RadioSelect,
    )
    remind_before = forms.ChoiceField(
        label=_("Remind customers"), required=False, choices=_REMINDERS, initial="1440"
    )
    starts_by_itself = forms.BooleanField(
        label=_("It begins by itself"), required=False, initial=True,
        help_text=_("Otherwise somebody starts it here; until then the page says it is overdue."),
    )  # fmt: skip
    ends_by_itself = forms.BooleanField(
        label=_("It ends by itself"), required=False, initial=True,
        help_text=_("Otherwise somebody finishes it here; until then the page says it overruns."),
    )  # fmt: skip
    deliver_notifications = forms.BooleanField(
        label=_("Notify those who follow the page"), required=False, initial=True
    )

    def __init__(self, *args: Any, components: Iterable[Component] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["components"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [
            (str(part.pk), full_name(part)) for part in components if not part.is_group
        ]
        self._keep_reminder()

    def _keep_reminder(self) -> None:
        """Offer the reminder that is set, also where it is none of the usual ones."""
        field, now = self.fields["remind_before"], str(self.initial.get("remind_before") or "")
        assert isinstance(field, forms.ChoiceField)
        if now and now not in dict(_REMINDERS):
            words = gettext("{minutes} minutes before").format(minutes=now)
            field.choices = [*_REMINDERS, (now, words)]

    def plan(self, **more: Any) -> Plan:
        """Return what was chosen. Valid forms only."""
        data = self.cleaned_data
        minutes = data["remind_before"]
        return Plan(
            title=data["title"],
            components=[int(pk) for pk in data["components"]],
            component_status=ComponentStatus(data["component_status"]),
            remind_before=int(minutes) * _MINUTE if minutes else None,
            starts_by_itself=data["starts_by_itself"],
            ends_by_itself=data["ends_by_itself"],
            deliver_notifications=data["deliver_notifications"],
            **more,
        )


class _PublicPlanForm(PlanForm):
    """The same with who may know of it, and in which zone its times are said."""

    tz = forms.CharField(
        label=_("Time zone"),
        initial="UTC",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=_("Times are typed and shown in it: Europe/Amsterdam, UTC, +01:00."),
    )
    visibility = forms.ChoiceField(
        label=_("Who may know"),
        choices=[
            (Visibility.PUBLIC, _("Customers: it goes on the status page")),
            (Visibility.INTERNAL, _("Staff only")),
        ],
        initial=Visibility.PUBLIC,
    )

    def clean_tz(self) -> str:
        return clean_zone(self.cleaned_data["tz"])

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()

    def plan(self, **more: Any) -> Plan:
        data = self.cleaned_data
        return super().plan(visibility=Visibility(data["visibility"]), tz=data["tz"], **more)


class EditMaintenanceForm(_PublicPlanForm):
    ids = "edit"


class WindowForm(DeskForm):
    """From when until when, typed in one zone; the end also as a number of minutes."""

    ids = "window"

    scheduled_for = LocalTimeField(label=_("It begins"))
    scheduled_until = LocalTimeField(label=_("It ends"), required=False)
    minutes = forms.IntegerField(
        label=_("Or it takes, in minutes"),
        required=False,
        min_value=1,
        max_value=10 * _YEAR_MINUTES,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    body = forms.CharField(
        label=_("Message to customers"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_(
            "What is done, and what they will notice. Markdown: **bold**, lists, links. Empty: "
            "the planned time, in the usual words."
        ),
    )
    is_long_meant = forms.BooleanField(
        label=_("It takes longer than a year, and that is meant"), required=False
    )

    def __init__(self, *args: Any, tz: str = "UTC", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tell_zone(tz)

    def _tell_zone(self, tz: str) -> None:
        try:
            zone(tz)
        except ValueError:
            return
        for field in self.fields.values():
            if isinstance(field, LocalTimeField):
                field.tz = tz

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        begins, ends = self.cleaned_data.get("scheduled_for"), self.ends_at
        said = {name for name in _ENDS if name in self.errors or self.cleaned_data.get(name)}
        if not said:
            self.add_error("scheduled_until", gettext("Say when it ends, or how long it takes."))
        elif begins and ends and ends <= begins:
            self.add_error("scheduled_until", gettext("The end is not after the start."))
        return cleaned

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, however that was said."""
        ends: datetime | None = self.cleaned_data.get("scheduled_until")
        begins: datetime | None = self.cleaned_data.get("scheduled_for")
        minutes: int | None = self.cleaned_data.get("minutes")
        if ends is None and begins is not None and minutes is not None:
            return begins + minutes * _MINUTE
        return ends

    @property
    def window(self) -> tuple[datetime, datetime]:
        """From when until when. Valid forms only."""
        ends = self.ends_at
        assert ends is not None
        return self.cleaned_data["scheduled_for"], ends

    @property
    def asks_whether_long_is_meant(self) -> bool:
        """Whether the question has come up."""
        return self.is_bound and (
            bool(self.data.get("is_long_meant")) or "maintenance-is-long" in self.refused
        )

    # Codes of what was refused, for the page to ask what belongs to it.
    refused: frozenset[str] = frozenset()


class ScheduleForm(_PublicPlanForm, WindowForm):
    """All that is said when work is planned."""

    ids = "schedule"
    field_order = (
        "title", "scheduled_for", "scheduled_until", "minutes", "tz", "components",
        "component_status", "body",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The times are typed in the zone that is typed beside them.
        self._tell_zone(
            str(self.data.get("tz") or self.get_initial_for_field(self.fields["tz"], "tz"))
        )


class MoveForm(WindowForm):
    ids = "move"


class ExtendForm(DeskForm):
    """By how much, or until when."""

    ids = "extend"

    minutes = forms.IntegerField(
        label=_("By, in minutes"),
        required=False,
        min_value=1,
        max_value=_YEAR_MINUTES,
        initial=60,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_("Counted from the planned end, or from now if that has passed."),
    )
    until = LocalTimeField(
        label=_("Or until"), required=False, help_text=_("This counts when it is filled in.")
    )
    body = forms.CharField(
        label=_("Message to customers"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Empty: the new end, in the usual words."),
    )

    def __init__(self, *args: Any, maintenance: Maintenance, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._from = max(maintenance.scheduled_until, now)
        until = self.fields["until"]
        assert isinstance(until, LocalTimeField)
        until.tz = maintenance.tz

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors and self.ends_at is None:
            self.add_error("minutes", gettext("Say by how much, or until when."))
        return cleaned

    @property
    def ends_at(self) -> datetime | None:
        """The new end. None if it was not said."""
        until: datetime | None = self.cleaned_data.get("until")
        minutes: int | None = self.cleaned_data.get("minutes")
        return until or (self._from + minutes * _MINUTE if minutes else None)


class DeedForm(DeskForm):
    """Words to go with a deed, if the usual ones do not do."""

    ids = "deed"

    body = forms.CharField(
        label=_("Message to customers"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class MaintenanceUpdateForm(DeskForm):
    """A message to customers about planned work."""

    ids = "update"

    body = forms.CharField(
        label=_("Message to customers"),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Markdown: **bold**, lists, links."),
    )
    deliver_notifications = forms.BooleanField(
        label=_("Notify those who follow the page"), required=False
    )
    key = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)


class MaintenanceTemplateForm(PlanForm):
    """A plan that is kept under a name."""

    ids = "template"
    field_order = ("name", "title", "minutes", "body")

    name = forms.CharField(
        label=_("Name of the template"),
        max_length=140,
        help_text=_("For staff: “Monthly database upgrade”."),
    )
    minutes = forms.IntegerField(
        label=_("It takes, in minutes"),
        min_value=1,
        max_value=_YEAR_MINUTES,
        initial=60,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    body = forms.CharField(
        label=_("Message to customers"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    @property
    def duration(self) -> timedelta:
        """How long it takes. Valid forms only."""
        minutes: int = self.cleaned_data["minutes"]
        return minutes * _MINUTE


def plan_of(row: Maintenance | MaintenanceTemplate) -> dict[str, Any]:
    """Return what a plan form shows of a maintenance or of a template."""
    named = (
        "title", "component_status", "starts_by_itself", "ends_by_itself", "deliver_notifications",
    )  # fmt: skip
    shown: dict[str, Any] = {name: getattr(row, name) for name in named}
    shown["components"] = [str(pk) for pk in row.components.values_list("pk", flat=True)]
    shown["remind_before"] = str(row.remind_before // _MINUTE) if row.remind_before else ""
    return shown
