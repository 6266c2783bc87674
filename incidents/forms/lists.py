"""What lists are narrowed by."""

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm
from incidents.values import Phase


class IncidentFilterForm(DeskForm):
    ids = "filter"

    q = forms.CharField(
        label=_("Search titles"),
        required=False,
        max_length=140,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", _("Any")), ("open", _("Open")), *Phase.choices],
    )
