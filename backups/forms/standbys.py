"""What the desk asks for before a standby is kept warm, and before one is taken away."""

from django import forms
from django.utils.translation import gettext_lazy as _

from backups.models import Database
from incidents.forms.fields import DeskForm


class KeepWarmForm(DeskForm):
    """Of which database a standby is to be kept."""

    ids = "keep-warm"

    database = forms.ModelChoiceField(
        label=_("Database"),
        queryset=Database.objects.order_by("name"),
        empty_label=None,
        help_text=_("Its newest backup is restored there; then it follows what is archived."),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        database = self.fields["database"]
        assert isinstance(database, forms.ModelChoiceField)
        database.queryset = Database.objects.order_by("name")


class StopKeepingForm(DeskForm):
    """The name of the target, typed."""

    ids = "stop-keeping"

    typed = forms.CharField(
        label=_("Type the name of the target to confirm"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
