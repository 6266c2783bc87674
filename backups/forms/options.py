"""What the desk asks for before a way back is looked for, and before one is started."""

from datetime import timedelta
from typing import Any, Self

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from backups.models import Database
from backups.operations import MOST_WORDS
from backups.options import RecoveryOption
from incidents import queries
from incidents.forms.fields import DeskForm, LocalTimeField
from incidents.models import Incident


class MomentForm(DeskForm):
    """The moment to go back to, if it is not the latest."""

    ids = "moment"

    at = LocalTimeField(
        label=_("Back to a moment, in UTC"),
        required=False,
        seconds=True,
        help_text=_("Just before a table was dropped, for example. Empty: as late as can be."),
    )


class ObjectivesForm(DeskForm):
    """What ways back are held against."""

    ids = "objectives"

    lose_minutes = forms.IntegerField(
        label=_("May lose at most, in minutes"),
        required=False,
        min_value=1,
        max_value=60 * 24 * 366,
        help_text=_("Empty: nothing is said."),
    )
    back_minutes = forms.IntegerField(
        label=_("Has to be back within, in minutes"),
        required=False,
        min_value=1,
        max_value=60 * 24 * 366,
        help_text=_("Empty: nothing is said."),
    )
    why = forms.CharField(
        label=_("Why"),
        max_length=MOST_WORDS,
        help_text=_("Stands in the history of the policy."),
    )

    @classmethod
    def of(cls, database: Database) -> Self:
        """Return the form as the database has it."""
        lose, back = database.recovery_point_objective, database.recovery_time_objective
        return cls(
            initial={
                "lose_minutes": lose and round(lose / timedelta(minutes=1)),
                "back_minutes": back and round(back / timedelta(minutes=1)),
            }
        )

    @property
    def may_lose(self) -> timedelta | None:
        return self._span("lose_minutes")

    @property
    def back_within(self) -> timedelta | None:
        return self._span("back_minutes")

    def _span(self, name: str) -> timedelta | None:
        minutes: int | None = self.cleaned_data[name]
        return timedelta(minutes=minutes) if minutes else None


class OptionForm(DeskForm):
    """Why a way back is chosen, and what it belongs to."""

    ids = "option"

    reasons = forms.CharField(
        label=_("Why this one"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Goes on the incident's timeline, where customers do not see it."),
    )
    incident: forms.ModelChoiceField[Incident] = forms.ModelChoiceField(
        label=_("Incident that it belongs to"),
        queryset=None,
        required=False,
        empty_label=_("None: customers are not told"),
        help_text=_("Its timeline and the status page then follow the restore by themselves."),
    )
    replaces = forms.CharField(
        label=_("Directory to move aside"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, option: RecoveryOption, reader: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        incident = self.fields["incident"]
        assert isinstance(incident, forms.ModelChoiceField)
        incident.queryset = queries.open_incidents(reader)
        if option.asks_for_name:
            self.fields["replaces"].required = True
            self.fields["replaces"].help_text = (
                gettext("What lies there is kept under another name. Type it to confirm: %s")
                % option.target.data_dir
            )
        else:
            del self.fields["replaces"]
