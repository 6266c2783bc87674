"""The form on what customers go without."""

from datetime import datetime
from typing import Any

from django import forms
from django.urls import reverse_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents import queries
from incidents.forms.fields import ComponentField, DeskForm, LocalTimeField, tell_zone
from incidents.models import Component, Impact, Tenant
from incidents.values import ImpactKind

_OF_DATA = {ImpactKind.DATA_UNAVAILABLE, ImpactKind.DATA_LOST}


class TenantField(forms.CharField):
    """One tenant, by its name, a part of it, or its key: there may be ten thousand.

    Cleans to the Tenant, or None where nothing is typed.
    """

    def __init__(self, **kwargs: Any) -> None:
        attrs = {
            "list": "impact-tenants",
            "autocomplete": "off",
            "hx-get": reverse_lazy("incidents:tenant-search"),
            "hx-trigger": "input changed delay:300ms",
            "hx-target": "#impact-tenants",
            "hx-swap": "innerHTML",
        }
        kwargs.setdefault("widget", forms.TextInput(attrs=attrs))
        kwargs.setdefault("max_length", 300)
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Tenant | None:
        words = super().clean(value)
        if not words:
            return None
        found = queries.tenants_like(words)
        exact = [row for row in found if words in (row.key, row.name)] or found
        if not exact:
            raise forms.ValidationError(gettext("No tenant is called so. Type a part of its name."))
        if len(exact) > 1:
            raise forms.ValidationError(
                gettext("Several are called so: %s. Type one of these as it stands here.")
                % ", ".join(f"{row.name} ({row.key})" for row in exact)
            )
        return exact[0]


class ImpactForm(DeskForm):
    """Which kind of thing is missing, from when until when; for data, from which moment on."""

    ids = "impact"

    kind = forms.ChoiceField(label=_("What customers go without"), choices=ImpactKind.choices)
    began_at = LocalTimeField(label=_("Since"))
    ended_at = LocalTimeField(
        label=_("Until"), required=False, help_text=_("Empty: they still go without.")
    )
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
    tenant = TenantField(
        label=_("Of one tenant"),
        required=False,
        help_text=_("A part of the name. What is of one tenant alone, no page shows."),
    )
    text = forms.CharField(label=_("In your words, for the record"), required=False, max_length=500)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, now: datetime, tz: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        self.fields["began_at"].help_text = gettext("In %s.") % tell_zone(self, tz)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name in ("began_at", "ended_at", "data_from_at"):
            at = self.cleaned_data.get(name)
            if at and at > self.now:
                self.add_error(name, gettext("This moment is still to come."))
        is_of_data = self.cleaned_data.get("kind") in _OF_DATA
        if is_of_data and not self.cleaned_data.get("data_from_at") and not self.errors:
            self.add_error("data_from_at", gettext("Say up to which moment the data is there."))
        if not is_of_data and self.cleaned_data.get("data_from_at"):
            self.add_error("data_from_at", gettext("This is for missing or lost data alone."))
        return cleaned

    def meant(self) -> dict[str, Any]:
        """Return what the operations take. Valid forms only."""
        data = self.cleaned_data
        return {
            "kind": ImpactKind(data["kind"]),
            "began_at": data["began_at"],
            "ended_at": data["ended_at"],
            "data_from_at": data["data_from_at"],
            "component_id": data["component"].pk if data["component"] else None,
            "tenant_id": data["tenant"].pk if data["tenant"] else None,
            "text": data["text"],
        }


def impact_initial(impact: Impact) -> dict[str, Any]:
    """Return what the form shows of an impact that is on record."""
    return {
        "kind": impact.kind,
        "began_at": impact.at,
        "ended_at": impact.until,
        "data_from_at": impact.data_from_at,
        "component": impact.component_id,
        "tenant": queries.called([impact.tenant])[0] if impact.tenant else "",
        "text": impact.text,
        "version": impact.version,
    }
