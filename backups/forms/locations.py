"""What the desk asks for before a storage location is reached in another way."""

from typing import Self

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import StorageLocation
from credentials import REFERENCE
from incidents.forms.fields import DeskForm

_TYPED = {"autocomplete": "off", "spellcheck": "false"}


class LocationForm(DeskForm):
    """Where a bucket is, and how it is reached."""

    ids = "location"

    endpoint = forms.CharField(
        label=_("Endpoint"),
        required=False,
        max_length=200,
        widget=forms.URLInput(attrs=_TYPED),
        help_text=_("As in https://s3.example.net. Empty: Amazon’s own."),
    )
    region = forms.CharField(label=_("Region"), max_length=40)
    uses_path_style = forms.BooleanField(
        label=_("The bucket stands in the path, not in the host"), required=False
    )
    credentials_reference = forms.RegexField(
        label=_("Where the keys are"),
        regex=REFERENCE,
        max_length=300,
        widget=forms.TextInput(attrs=_TYPED),
        help_text=_("settings:NAME, env:NAME or file:PATH, on the workers. Never the keys."),
        error_messages={"invalid": _("Begin with settings:, env: or file:.")},
    )
    is_read_only = forms.BooleanField(
        label=_("Its keys are only to read"),
        required=False,
        help_text=_("Highwater writes nothing there then: no probe, no copy. That is no fault."),
    )
    provider = forms.CharField(label=_("Who runs it"), required=False, max_length=60)
    tz = forms.CharField(
        label=_("Its time zone"),
        max_length=64,
        widget=forms.TextInput(attrs=_TYPED),
        help_text=_("As in Europe/Berlin. Its week and its busy hours are shown in it."),
    )
    bucket = forms.CharField(
        label=_("Bucket"), max_length=120, widget=forms.TextInput(attrs=_TYPED)
    )
    # A form has a prefix of its own.
    folder = forms.CharField(
        label=_("Prefix"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_TYPED),
        help_text=_("Where in the bucket the archives lie. Empty: at its root."),
    )

    @classmethod
    def of(cls, location: StorageLocation) -> Self:
        """Return the form as the location is."""
        names = {name: "prefix" if name == "folder" else name for name in cls.base_fields}
        return cls(initial={name: getattr(location, held) for name, held in names.items()})
