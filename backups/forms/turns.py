"""What the desk asks for about tenants that come back one by one."""

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.operations import MOST_LANES
from incidents.forms.fields import DeskForm


class LanesForm(DeskForm):
    """How many tenants come back at once."""

    ids = "lanes"

    lanes = forms.IntegerField(
        label=_("Tenants at once"),
        required=False,
        min_value=1,
        max_value=MOST_LANES,
        help_text=_("Empty: as many as the machine has processors. Disk and connections bound it."),
    )
