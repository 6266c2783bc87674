"""Forms on the incident as a whole."""

import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import ComponentsForm, DeskForm, LocalTimeField
from incidents.forms.messages import MessageForm
from incidents.models import Incident
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    ProgressPolicy,
    Severity,
    TemplateKind,
    Visibility,
    zone,
)

SEVERITY_HELP = _(
    "SEV1: service down, or data at risk, for many customers. SEV2: an important function badly "
    "impaired for many. SEV3: one part or group of customers, and a way around it. SEV4: customers "
    "do not notice. When unsure, take the higher one and do not debate it now."
)


def clean_zone(name: str) -> str:
    """Return the name of a zone that exists, or refuse it with a sentence."""
    try:
        zone(name)
    except ValueError as fault:
        raise forms.ValidationError(
            gettext("There is no time zone “%s”. Write UTC, Europe/Amsterdam or +01:00.") % name
        ) from fault
    return name


def zone_names() -> list[str]:
    """Return the names of zones, without those that are kept for old programs only."""
    return sorted(
        name for name in zoneinfo.available_timezones() if "/" in name and name[:4] != "Etc/"
    )


def _zone_field() -> forms.CharField:
    return forms.CharField(
        label=_("Time zone of the incident"),
        initial="UTC",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=_("Times are typed and shown in it: Europe/Amsterdam, UTC, +01:00."),
    )


class DeclareForm(MessageForm):
    """What is known when an incident begins."""

    ids = "declare"
    template_kind = TemplateKind.INCIDENT
    unchanged = _("Not affected")

    title = forms.CharField(
        label=_("What is wrong, as customers would say it"),
        max_length=140,
        help_text=_("This is the title on the status page: “Tours do not open”."),
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    severity = forms.ChoiceField(
        label=_("Severity"), choices=Severity.choices, initial=Severity.SEV2,
        help_text=SEVERITY_HELP,
    )  # fmt: skip
    body = forms.CharField(
        label=_("First message to customers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_(
            "What they notice, and that you are on it. Without a message, the status page does "
            "not show the incident yet."
        ),
    )
    started = LocalTimeField(label=_("When it began"), required=False, help_text=_("Empty: now."))
    tz = _zone_field()
    visibility = forms.ChoiceField(
        label=_("Who may know"),
        choices=[
            (Visibility.PUBLIC, _("Customers: it goes on the status page")),
            (Visibility.INTERNAL, _("Staff only")),
            (Visibility.PRIVATE, _("You, and those whom you add or give a role")),
        ],
        initial=Visibility.PUBLIC,
        help_text=_("Of a private incident the page shows nothing, not even how components are."),
    )
    kind = forms.ChoiceField(
        label=_("Is it real?"),
        required=False,
        choices=[
            (IncidentKind.LIVE, _("It is real")),
            (IncidentKind.DRILL, _("It is a drill: customers see and hear nothing of it")),
        ],
        initial=IncidentKind.LIVE,
    )
    works = forms.BooleanField(label=_("It affects no component"), required=False)
    parent = forms.CharField(required=False, max_length=30, widget=forms.HiddenInput)

    # Whether somebody has to say that no component suffers, since customers would read so.
    asks_works = False

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        # The time is typed in the zone that is typed beside it.
        typed = str(self.data.get("tz") or self.get_initial_for_field(self.fields["tz"], "tz"))
        started = self.fields["started"]
        assert isinstance(started, LocalTimeField)
        try:
            zone(typed)
        except ValueError:
            return
        started.tz = typed

    def clean_tz(self) -> str:
        return clean_zone(self.cleaned_data["tz"])

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or IncidentKind.LIVE

    def clean_started(self) -> datetime | None:
        started: datetime | None = self.cleaned_data["started"]
        if started and started > self.now:
            raise forms.ValidationError(gettext("This is still to come. When did it begin?"))
        return started

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.may_have_blanks:
            self._ask_what_suffers()
        return cleaned

    def _ask_what_suffers(self) -> None:
        """Ask before customers read that something is wrong while no component shows it."""
        said = self.cleaned_data
        self.asks_works = bool(
            self._rows
            and not self.component_statuses
            and said.get("body")
            and said.get("severity") != Severity.SEV4
            and said.get("visibility") == Visibility.PUBLIC
            and said.get("kind") == IncidentKind.LIVE
        )
        if self.asks_works and not said.get("works"):
            self.add_error(
                "works",
                gettext(
                    "The page would say that all works. Choose what suffers, or say that no "
                    "component does."
                ),
            )

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()


class EditIncidentForm(DeskForm):
    """What can be said better once more is known."""

    ids = "incident"

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    title = forms.CharField(label=_("Title, as customers would say it"), max_length=140)
    summary = forms.CharField(
        label=_("Summary, for staff"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    severity = forms.ChoiceField(
        label=_("Severity"), choices=Severity.choices, help_text=SEVERITY_HELP
    )
    visibility = forms.ChoiceField(
        label=_("Who may know"),
        choices=[
            (Visibility.PUBLIC, _("Customers: it goes on the status page")),
            (Visibility.INTERNAL, _("Staff only")),
            (Visibility.PRIVATE, _("Its members only")),
        ],
        help_text=_(
            "Private: you and whoever holds a role become its members; you can add others. "
            "Components keep the status that the page shows."
        ),
    )
    tz = _zone_field()

    def clean_tz(self) -> str:
        return clean_zone(self.cleaned_data["tz"])

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()


class ShowForm(DeskForm):
    """An incident on its way to the status page: under which name."""

    ids = "show"

    version = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    title = forms.CharField(
        label=_("Title, as customers would say it"),
        max_length=140,
        help_text=_("This is the title on the status page: “Tours do not open”."),
    )


class ResolveForm(MessageForm):
    """The last word to customers."""

    ids = "resolve"
    unchanged = _("Operational again")
    staff_help = _("For staff to read: what was wrong, and that it is over.")

    body = forms.CharField(
        label=_("Message to customers"),
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Say that everything works again, and whether any data was lost or none."),
    )

    def __init__(
        self,
        *args: Any,
        held: Mapping[int, Sequence[Incident]] | None = None,
        is_for_customers: bool = True,
        **kwargs: Any,
    ) -> None:
        """``held``: by the component's id, the other open incidents that hold it."""
        super().__init__(*args, **kwargs)
        for pk, holders in (held or {}).items():
            if isinstance(field := self.fields.get(f"component_{pk}"), forms.ChoiceField):
                names = ", ".join(incident.ref for incident in holders)
                field.choices = [
                    ("", gettext("As it is: %s has it, too") % names),
                    *ComponentStatus.choices,
                ]
        if not is_for_customers:
            del self.fields["quiet"]
            self.fields["body"].label = gettext("Last word")
            self.fields["body"].help_text = str(self.staff_help)


class CloseForm(DeskForm):
    """Why an incident ends without a word to customers, who were never told of it."""

    ids = "close"

    reason = forms.CharField(
        label=_("Why there is nothing to tell"),
        max_length=300,
        help_text=_("Stands on the timeline: “The probe itself was down.”"),
    )

    def __init__(self, *args: Any, is_for_customers: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_for_customers:
            self.fields["reason"].label = gettext("Why it is a false alarm")


class ReopenForm(ComponentsForm):
    """Why an incident is not over, and how its components are."""

    ids = "reopen"
    unchanged = _("As it is")

    reason = forms.CharField(
        label=_("Why it is not over"), max_length=300, help_text=_("Stands on the timeline.")
    )
    works = forms.BooleanField(label=_("Reopen it with all components operational"), required=False)

    # Whether somebody has to say that all components work, since customers would read so.
    asks_works = False

    def __init__(self, *args: Any, may_all_work: bool = True, **kwargs: Any) -> None:
        """``may_all_work``: whether to leave all components as working is not asked about."""
        super().__init__(*args, **kwargs)
        self.may_all_work = may_all_work

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        self.asks_works = bool(self._rows and not self.may_all_work and self.leaves_all_working)
        if self.asks_works and not self.cleaned_data.get("works"):
            self.add_error(
                "works",
                gettext(
                    "The page would say that all works. Choose how the components suffer, or say "
                    "that it is meant so."
                ),
            )
        return cleaned


class PolicyForm(DeskForm):
    ids = "policy"

    policy = forms.ChoiceField(label=_("Updates that jobs propose"), choices=ProgressPolicy.choices)
