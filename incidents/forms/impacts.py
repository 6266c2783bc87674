"""The form on what customers go without."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import ComponentField, DeskForm, LocalTimeField
from incidents.models import Component
from incidents.values import ImpactKind

_OF_DATA = {ImpactKind.DATA_UNAVAILABLE, ImpactKind.DATA_LOST}


class ImpactForm(DeskForm):
    """Which kind of thing is missing, since when; for data, from which moment on."""

    ids = "impact"

    kind = forms.ChoiceField(label=_("What customers go without"), choices=ImpactKind.choices)
    began_at = LocalTimeField(label=_("Since"))
    data_from_at = LocalTimeField(
        label=_("Data is there up to"),
        required=False,
        help_text=_("For missing data. The status page says so at once, as the data horizon."),
    )
    component = ComponentField(
        label=_("Of one component"),
        queryset=Component.objects.in_tree(),
        required=False,
        empty_label=_("Of all of it"),
    )
    text = forms.CharField(label=_("In your words, for the record"), required=False, max_length=500)

    def __init__(self, *args: Any, now: datetime, tz: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        for field in self.fields.values():
            if isinstance(field, LocalTimeField):
                field.tz = tz
        self.fields["began_at"].help_text = gettext("In %s.") % tz

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in ("began_at", "data_from_at"):
            at = self.cleaned_data.get(name)
            if at and at > self.now:
                self.add_error(name, gettext("This moment is still to come."))
        is_of_data = self.cleaned_data.get("kind") in _OF_DATA
        if is_of_data and not self.cleaned_data.get("data_from_at") and not self.errors:
            self.add_error("data_from_at", gettext("Say up to which moment the data is there."))
        if not is_of_data and self.cleaned_data.get("data_from_at"):
            self.add_error("data_from_at", gettext("This is for missing or lost data alone."))
        return cleaned
