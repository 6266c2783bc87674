"""What the desk asks for before an archive is copied or moved."""

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import CopyKind, Database, StorageLocation
from incidents.forms.fields import DeskForm


class CopyForm(DeskForm):
    """Which archive goes where, and whether it stays there."""

    ids = "copy"

    database = forms.ModelChoiceField(
        label=_("Database"), queryset=Database.objects.order_by("name"), empty_label=None
    )
    destination = forms.ModelChoiceField(
        label=_("Where to"),
        queryset=StorageLocation.objects.order_by("name"),
        empty_label=None,
        help_text=_("What is missing there is copied. Nothing is deleted, here or there."),
    )
    kind = forms.ChoiceField(
        label=_("What for"),
        choices=[
            (CopyKind.REPLICATION, _("Bring a second place up to date, once, now")),
            (CopyKind.MIGRATION, _("Move: it becomes the database's own place when you say so")),
        ],
        widget=forms.RadioSelect,
        initial=CopyKind.REPLICATION,
    )


class SwitchForm(DeskForm):
    """The name of the new place, typed."""

    ids = "switch"

    typed = forms.CharField(
        label=_("Name of the new location"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
