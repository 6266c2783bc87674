"""Forms on the timeline."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm, LocalTimeField
from incidents.values import Milestone, Outcome, Precision, When

# A time to the minute or hour is edited as a clock; a coarse or unknown one keeps its words.
_EXACT = (Precision.MINUTE, Precision.HOUR)


class QuickEntryForm(DeskForm):
    """One line: its time, what happened, its marks."""

    ids = "entry"

    line = forms.CharField(
        label=_("New entry"),
        max_length=4000,
        error_messages={"required": _("Write what happened.")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "enterkeyhint": "send",
                "placeholder": _("What happened?"),
            }
        ),
    )
    is_public = forms.BooleanField(label=_("Customers may see it"), required=False)
    key = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)


class EditEntryForm(DeskForm):
    """Text, time and marks of an entry that stands already."""

    ids = "edit"

    text = forms.CharField(label=_("What happened"), widget=forms.Textarea(attrs={"rows": 4}))
    starts = LocalTimeField(label=_("Time"), required=False)
    ends = LocalTimeField(
        label=_("Until"), required=False, help_text=_("Only for a stretch of time.")
    )
    approx = forms.BooleanField(label=_("About that time"), required=False)
    tags = forms.CharField(
        label=_("Tags"), required=False, help_text=_("With commas or spaces between them.")
    )
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("None")), *Outcome.choices]
    )
    milestone = forms.ChoiceField(
        label=_("Milestone"), required=False, choices=[("", _("None")), *Milestone.choices]
    )
    is_public = forms.BooleanField(label=_("Customers may see it"), required=False)
    reason = forms.CharField(
        label=_("Why it is changed"),
        required=False,
        max_length=200,
        help_text=_("Stays in the history, beside what the entry said before."),
    )

    def __init__(self, *args: Any, tz: str, before: When, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = before
        self.tz = tz
        for name in ("starts", "ends"):
            field = self.fields[name]
            assert isinstance(field, LocalTimeField)
            field.tz = tz
        self.fields["starts"].help_text = gettext("In %s.") % tz
        if before.precision not in _EXACT:
            self.fields["starts"].help_text = gettext(
                "It is known as “%(said)s”. Leave this empty to keep that; in %(tz)s."
            ) % {"said": before.said or Precision(before.precision).label, "tz": tz}

    def clean_tags(self) -> list[str]:
        words = self.cleaned_data["tags"].replace(",", " ").split()
        tags = list(dict.fromkeys(word.lstrip("#").lower() for word in words))
        if any(len(tag) > 40 for tag in tags):  # noqa: PLR2004 - the column's width
            raise forms.ValidationError(gettext("A tag has at most 40 characters."))
        return [tag for tag in tags if tag]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("ends") and not self.cleaned_data.get("starts"):
            self.add_error("starts", gettext("An end needs a start."))
        elif (
            self._before.precision in _EXACT
            and not self.cleaned_data.get("starts")
            and "starts" not in self.errors
        ):
            self.add_error("starts", gettext("Say when it was."))
        return cleaned

    @property
    def when(self) -> When | None:
        """The new time, or None if it stays as it is. Valid forms only."""
        starts, ends = self.cleaned_data["starts"], self.cleaned_data["ends"]
        approx = self.cleaned_data["approx"]
        if starts is None:
            return None
        before = self._before
        if _same_minute(before.at, starts) and _same_minute(before.until, ends):
            if approx == before.approx:
                return None
            starts, ends = before.at, before.until
        return When(at=starts, until=ends, approx=approx, tz=self.tz)


def _same_minute(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return bool(one.replace(second=0, microsecond=0) == other)
