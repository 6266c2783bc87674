"""What the desk asks for before a database is brought back."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from backups.models import Database, RecoveryTarget
from incidents import queries
from incidents.forms.fields import DeskForm, LocalTimeField
from incidents.models import Incident

LATEST, MOMENT = "latest", "moment"


class RestoreForm(DeskForm):
    """What shall come back, to which moment, and where."""

    ids = "restore"

    database = forms.ModelChoiceField(
        label=_("Database"), queryset=Database.objects.order_by("name"), empty_label=None
    )
    until = forms.ChoiceField(
        label=_("Up to"),
        choices=[
            (LATEST, _("The latest that is archived")),
            (MOMENT, _("A moment of your choice, below")),
        ],
        initial=LATEST,
        widget=forms.RadioSelect,
    )
    target_at = LocalTimeField(
        label=_("Moment, in UTC"),
        required=False,
        seconds=True,
        help_text=_("Everything up to it comes back; what was written later does not."),
    )
    target = forms.ModelChoiceField(
        label=_("Where to"),
        queryset=RecoveryTarget.objects.order_by("name"),
        empty_label=None,
        help_text=_("The database that runs now is left alone, unless you name its directory."),
    )
    replaces = forms.CharField(
        label=_("Directory to move aside"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_(
            "Only if something lies where it is to go: type that directory. A cluster in it is "
            "stopped when its time comes; everything is kept under another name."
        ),
    )
    incident: forms.ModelChoiceField[Incident] = forms.ModelChoiceField(
        label=_("Incident that it belongs to"),
        queryset=None,
        required=False,
        empty_label=_("None: customers are not told"),
        help_text=_("Its timeline and the status page then follow the restore by themselves."),
    )

    def __init__(self, *args: Any, now: datetime, reader: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        incident = self.fields["incident"]
        assert isinstance(incident, forms.ModelChoiceField)
        incident.queryset = queries.open_incidents(reader)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        chosen, at = self.cleaned_data.get("until"), self.cleaned_data.get("target_at")
        if chosen == MOMENT and at is None and "target_at" not in self.errors:
            self.add_error("target_at", gettext("Say up to which moment."))
        elif chosen == MOMENT and at is not None and at > self.now:
            self.add_error("target_at", gettext("This moment is still to come."))
        return cleaned

    @property
    def moment(self) -> datetime | None:
        """The moment that was chosen; None for the latest. Valid forms only."""
        at: datetime | None = self.cleaned_data["target_at"]
        return at if self.cleaned_data["until"] == MOMENT else None
