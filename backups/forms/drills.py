"""What the desk asks for before a drill is held."""

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import Database, RecoveryTarget
from incidents.forms.fields import DeskForm


class DrillForm(DeskForm):
    """Which database is to be restored for a trial, and where."""

    ids = "drill"

    database = forms.ModelChoiceField(
        label=_("Database"), queryset=Database.objects.order_by("name"), empty_label=None
    )
    target = forms.ModelChoiceField(
        label=_("Where to"),
        queryset=RecoveryTarget.objects.order_by("name"),
        required=False,
        empty_label=_("The target of its policy"),
        help_text=_("Its directory has to be empty. What is restored there is taken away again."),
    )
