"""Forms on trackers, and on the issues of action items in them."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from credentials import REFERENCE
from incidents.forms.fields import DeskForm
from incidents.models import Tracker
from incidents.trackers import adapters

_NAMED = RegexValidator(
    REFERENCE, "Name the place where it is kept: env:NAME, file:PATH or settings:NAME."
)
_REFERENCE = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})


def _kinds() -> list[tuple[str, str]]:
    return [(kind, speaks.label) for kind, speaks in adapters().items()]


class TrackerForm(DeskForm):
    """Where a tracker is, what opens it, and what its issues get."""

    ids = "tracker"

    name = forms.CharField(
        label="Name", max_length=60, help_text="What people at the desk call it: “Shop on GitHub”."
    )
    kind = forms.ChoiceField(label="Kind", choices=_kinds, widget=forms.RadioSelect)
    address = forms.CharField(
        label="Address of its API",
        required=False,
        max_length=500,
        help_text=(
            "GitHub and GitLab: empty for github.com and gitlab.com; your own are "
            "https://HOST/api/v3 and https://HOST/api/v4. Jira: the address of the site."
        ),
    )
    project = forms.CharField(
        label="Project",
        max_length=200,
        help_text="acme/shop on GitHub and GitLab; in Jira the project's key: SHOP.",
    )
    issue_type = forms.CharField(
        label="Type of issue",
        required=False,
        max_length=60,
        help_text="Jira alone: Task, unless you say another.",
    )
    labels = forms.CharField(
        label="Labels",
        required=False,
        max_length=300,
        help_text="What each new issue is marked with, by commas.",
    )
    secret = forms.CharField(
        label="Where its token is kept",
        max_length=300,
        validators=[_NAMED],
        widget=_REFERENCE,
        help_text=(
            "env:NAME, file:PATH or settings:NAME; never the token itself. For Jira Cloud it "
            "reads as “mail address:API token”."
        ),
    )
    webhook_secret = forms.CharField(
        label="Where its webhooks' secret is kept",
        required=False,
        max_length=300,
        validators=[_NAMED],
        widget=_REFERENCE,
        help_text=(
            "The same that you enter in the tracker. Without one, changes are found by looking "
            "every half hour."
        ),
    )

    def __init__(self, *args: Any, tracker: Tracker | None = None, **kwargs: Any) -> None:
        if tracker is not None:
            kwargs["initial"] = {
                **{name: getattr(tracker, name) for name in self.base_fields},
                "labels": ", ".join(tracker.labels),
            }
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Fill in what is usual for the kind."""
        data = super().clean() or self.cleaned_data
        speaks = adapters().get(data.get("kind", ""))
        if speaks is None:
            return data
        data["address"] = data.get("address") or speaks.usual_address
        if not data["address"] and "address" not in self.errors:
            self.add_error("address", ValidationError("Enter the address of the site."))
        data["issue_type"] = (data.get("issue_type") or "Task") if speaks.has_types else ""
        data["labels"] = [name for name in re.split(r"\s*,\s*", data.get("labels", "")) if name]
        if speaks.has_types and any(" " in name for name in data["labels"]):
            self.add_error("labels", ValidationError("Jira's labels have no spaces in them."))
        return data


class SendForm(DeskForm):
    """To which tracker an action item goes; with an address it follows what is there."""

    ids = "issue"

    tracker = forms.ModelChoiceField(
        label="Tracker", queryset=Tracker.objects.none(), empty_label=None
    )
    url = forms.CharField(
        label="Address of an issue that is there already",
        required=False,
        max_length=1000,
        help_text="Empty: a new issue is created.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tracker = self.fields["tracker"]
        assert isinstance(tracker, forms.ModelChoiceField)
        tracker.queryset = Tracker.objects.filter(is_enabled=True).order_by("name")
