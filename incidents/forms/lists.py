"""What lists are narrowed by, and what is searched for."""

from collections.abc import Iterable
from datetime import date
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm, full_name
from incidents.models import Component
from incidents.queries import Narrowing, Part, named_incident
from incidents.times import OutOfTime, is_in_time
from incidents.values import IncidentKind, Phase, Severity, Visibility

# Nobody types more; what is pasted by mistake is not searched for.
_LONGEST = 200


class WordsField(forms.CharField):
    """Words that are to be found."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"type": "search", "autocomplete": "off"}
        super().__init__(
            required=False,
            max_length=_LONGEST,
            widget=forms.TextInput(attrs=attrs),
            error_messages={"max_length": _("Write fewer words: at most %(limit_value)d signs.")},
            **kwargs,
        )


class DayField(forms.DateField):
    """A day of a year in which something here can have been."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            input_formats=["%Y-%m-%d"],
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            error_messages={"invalid": _("Write the day as in 2026-01-12.")},
            **kwargs,
        )

    def validate(self, value: Any) -> None:
        super().validate(value)
        if not is_in_time(value):
            raise ValidationError(str(OutOfTime.message), code=OutOfTime.code)


class IncidentFilterForm(DeskForm):
    """Which incidents to list. What is empty narrows nothing, nor does what cannot be meant."""

    ids = "filter"

    q = WordsField(label=_("Words, or INC-7"))
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("Any")), ("open", _("Open")), *Phase.choices],
    )
    severity = forms.ChoiceField(
        label=_("Severity"), required=False, choices=[("", _("Any")), *Severity.choices]
    )
    component = forms.TypedChoiceField(
        label=_("Component"), required=False, coerce=int, empty_value=None
    )
    kind = forms.ChoiceField(
        label=_("Kind"), required=False, choices=[("", _("Any")), *IncidentKind.choices]
    )
    visibility = forms.ChoiceField(
        label=_("Who may know"), required=False, choices=[("", _("Any")), *Visibility.choices]
    )
    since = DayField(label=_("Began on or after"))
    until = DayField(label=_("Began on or before"), help_text=_("Days in UTC."))

    def __init__(self, *args: Any, components: Iterable[Component], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        component = cast("forms.TypedChoiceField", self.fields["component"])
        component.choices = [
            ("", gettext("Any")),
            *((str(part.pk), full_name(part)) for part in components),
        ]

    def clean_until(self) -> date | None:
        since, until = self.cleaned_data.get("since"), self.cleaned_data["until"]
        if since and until and until < since:
            raise ValidationError(gettext("This day is before the first one."))
        found: date | None = until
        return found

    @property
    def narrowing(self) -> Narrowing:
        """What the list is narrowed to. Cleaned forms only."""
        found = {name: value for name, value in self.cleaned_data.items() if value}
        return Narrowing(words=found.pop("q", "").strip(), **found)

    def narrowed_by(self) -> list[tuple[str, str, str]]:
        """Return name, label and value, in words, of what narrows. Cleaned forms only."""
        return [
            (name, str(self[name].label), self._in_words(name, value))
            for name, value in self.cleaned_data.items()
            if value
        ]

    def rare_fields(self) -> list[forms.BoundField]:
        """Return the fields that are out of sight until they are wanted."""
        return [self[name] for name in self.fields if name not in ("q", "state")]

    @property
    def is_rare(self) -> bool:
        """Whether one of those fields narrows, or is wrong."""
        return any(field.data or field.errors for field in self.rare_fields())

    def _in_words(self, name: str, value: Any) -> str:
        choices = getattr(self.fields[name], "choices", ())
        return str(dict(choices).get(str(value), value))


class SearchForm(DeskForm):
    """What is searched for, and where."""

    ids = "search"

    q = WordsField(label=_("Search the record"))
    part = forms.ChoiceField(
        label=_("Where"), required=False, choices=[("", _("Everywhere")), *Part.choices]
    )
    incident = forms.CharField(
        label=_("In one incident"),
        required=False,
        max_length=30,
        widget=forms.TextInput(attrs={"placeholder": "INC-7", "autocomplete": "off"}),
    )

    def clean_incident(self) -> int | None:
        typed: str = self.cleaned_data["incident"].strip()
        if not typed:
            return None
        number = named_incident(typed if not typed.isdecimal() else f"#{typed}")
        if number is None:
            raise ValidationError(gettext("Write the short name of an incident, as in INC-7."))
        return number
