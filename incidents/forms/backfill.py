"""What is asked of an incident that is written down once it is over."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import ComponentsForm, DeskForm, LocalTimeField
from incidents.forms.incident import SEVERITY_HELP, clean_zone, zone_names
from incidents.values import Phase, Severity, Visibility, zone

MOST_UPDATES = 40


class BackfillForm(ComponentsForm):
    """The incident as a whole."""

    ids = "backfill"
    unchanged = _("Not affected")

    title = forms.CharField(
        label=_("What was wrong, as customers would say it"), max_length=140
    )  # fmt: skip
    severity = forms.ChoiceField(
        label=_("Severity"),
        choices=Severity.choices,
        initial=Severity.SEV2,
        help_text=SEVERITY_HELP,
    )
    began = LocalTimeField(label=_("When it began"))
    ended = LocalTimeField(label=_("When it was over"))
    tz = forms.CharField(
        label=_("Time zone of the incident"),
        initial="UTC",
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=_("All times here are typed in it."),
    )
    visibility = forms.ChoiceField(
        label=_("Who may know"),
        choices=[
            (Visibility.PUBLIC, _("Customers: it goes on the status page, at its own dates")),
            (Visibility.INTERNAL, _("Staff only")),
        ],
        initial=Visibility.PUBLIC,
    )
    corrects_history = forms.BooleanField(
        label=_("Correct the history of these components, too"),
        required=False,
        initial=True,
        help_text=_("Their bars and their uptime count the time in which it went on."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed_tz = typed_zone(self)
        set_zone(self, self.typed_tz)

    def clean_tz(self) -> str:
        return clean_zone(self.cleaned_data["tz"])

    @property
    def zone_names(self) -> list[str]:
        """The names that the browser offers while a zone is typed."""
        return zone_names()


class PastUpdateForm(DeskForm):
    """One update of it. Left empty, there is none."""

    ids = "past"

    at = LocalTimeField(label=_("When customers were told"), required=False)
    phase = forms.ChoiceField(label=_("Phase"), choices=Phase.choices, required=False)
    body = forms.CharField(
        label=_("What they were told"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, tz: str = "UTC", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_zone(self, tz)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        at, body = self.cleaned_data.get("at"), self.cleaned_data.get("body")
        if body and not at and "at" not in self.errors:
            self.add_error("at", gettext("Say when this was."))
        elif at and not body:
            self.add_error("body", gettext("Say what they were told then."))
        return cleaned

    @property
    def is_told(self) -> bool:
        """Whether there is an update here. Valid forms only."""
        return bool(self.cleaned_data.get("body"))

    @property
    def told_at(self) -> datetime:
        """When customers were told. Of updates that are there only."""
        at: datetime = self.cleaned_data["at"]
        return at


PastUpdates = forms.formset_factory(PastUpdateForm, extra=0, max_num=MOST_UPDATES)


def typed_zone(form: forms.Form) -> str:
    """Return the zone that is typed beside the times; UTC while that is none."""
    typed = str(form.data.get("tz") or form.get_initial_for_field(form.fields["tz"], "tz"))
    try:
        zone(typed)
    except ValueError:
        return "UTC"
    return typed


def set_zone(form: forms.Form, tz: str) -> None:
    """Let every time of a form be typed in this zone."""
    for field in form.fields.values():
        if isinstance(field, LocalTimeField):
            field.tz = tz
