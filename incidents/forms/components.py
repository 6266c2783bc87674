"""Forms on components."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.backfill import set_zone, typed_zone
from incidents.forms.fields import DeskForm, LocalTimeField
from incidents.forms.incident import clean_zone, zone_names
from incidents.models import Component
from incidents.values import ComponentStatus

_MOST = 1000


class ComponentForm(DeskForm):
    """A part of the service as customers know it, or a group of such parts."""

    ids = "component"

    name = forms.CharField(
        label=_("Name"),
        max_length=140,
        help_text=_("As customers call it: “Tours”, “Uploads”, “Login”."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=300,
        help_text=_("One line under the name, where the name does not say it."),
    )
    is_group = forms.BooleanField(
        label=_("This is a group"),
        required=False,
        help_text=_("It holds components, and shows the worst status among them."),
    )
    group = forms.ModelChoiceField(
        label=_("Stands in the group"),
        queryset=Component.objects.none(),
        required=False,
        empty_label=_("None: on its own"),
    )
    position = forms.IntegerField(
        label=_("Position"),
        required=False,
        min_value=1,
        max_value=_MOST,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_("1 is on top, of the page or of the group. Empty: last."),
    )
    only_show_if_degraded = forms.BooleanField(
        label=_("Show it only while something is wrong with it"),
        required=False,
        help_text=_("While it works, it is nowhere on the page. Its group still counts it."),
    )
    start_on = forms.DateField(
        label=_("In service since"),
        required=False,
        help_text=_(
            "Uptime is counted from this day on, as far as anything is on record. "
            "What is on record before it is hidden."
        ),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, component: Component | None = None, **kwargs: Any) -> None:
        if component is not None:
            kwargs["initial"] = {
                "name": component.name,
                "description": component.description,
                "is_group": component.is_group,
                "group": component.group_id,
                "position": component.position,
                "only_show_if_degraded": component.only_show_if_degraded,
                "start_on": component.start_on,
            }
        super().__init__(*args, **kwargs)
        groups = Component.objects.in_order().filter(is_group=True)
        if component is not None:
            groups = groups.exclude(pk=component.pk)
        field = self.fields["group"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = groups

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("is_group") and self.cleaned_data.get("group"):
            self.add_error("group", gettext("A group cannot stand in another group."))
        return cleaned

    @property
    def values(self) -> dict[str, Any]:
        """What the operations take, under their names. Valid forms only."""
        named = dict(self.cleaned_data)
        group = named.pop("group")
        # The number that it had among its former siblings means nothing among the new ones.
        moves = "group" in self.changed_data and "position" not in self.changed_data
        return named | {
            "group_id": group.pk if group else None,
            "position": None if moves else named["position"],
        }


class ComponentStatusForm(DeskForm):
    ids = "status"

    status = forms.ChoiceField(
        label=_("Status"), choices=ComponentStatus.choices, widget=forms.RadioSelect
    )


class HistoryForm(DeskForm):
    """A stretch of time, and how a component was during it."""

    ids = "stretch"

    status = forms.ChoiceField(label=_("It was"), choices=ComponentStatus.choices)
    # What lasted from 12:04:31 on is not corrected by halves.
    since = LocalTimeField(label=_("From"), seconds=True)
    until = LocalTimeField(label=_("Until"), seconds=True)
    tz = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
        help_text=_("In which these times are meant, as in Europe/Amsterdam."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_zone(self, typed_zone(self))

    def clean_tz(self) -> str:
        return clean_zone(self.cleaned_data["tz"])

    @property
    def zone_names(self) -> list[str]:
        return zone_names()
