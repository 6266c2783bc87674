"""Forms on promises."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm, LocalTimeField, tell_zone
from incidents.values import Confidence, PromiseKind, PromiseOutcome, When


class PromiseForm(DeskForm):
    """A time that customers are given outside an update."""

    ids = "promise"

    kind = forms.ChoiceField(label=_("What is promised"), choices=PromiseKind.choices)
    due_from = LocalTimeField(label=_("At, or from"))
    due_until = LocalTimeField(label=_("Until"), required=False)
    text = forms.CharField(
        label=_("In words"),
        required=False,
        max_length=300,
        help_text=_("What will be so by then: “All tours open again”."),
    )
    basis = forms.CharField(label=_("What it rests on"), required=False, max_length=300)
    confidence = forms.ChoiceField(
        label=_("How sure of it we are"),
        required=False,
        choices=[("", _("Not said")), *Confidence.choices],
    )

    def __init__(
        self, *args: Any, now: datetime, tz: str, typed_in: str = "", **kwargs: Any
    ) -> None:
        """``tz`` is the incident's; times are typed in ``typed_in``, if that is another one."""
        super().__init__(*args, **kwargs)
        self.now, self.tz = now, tz
        self.fields["due_from"].help_text = gettext("In %s.") % tell_zone(self, typed_in or tz)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        starts, ends = self.cleaned_data.get("due_from"), self.cleaned_data.get("due_until")
        if starts and ends and ends < starts:
            self.add_error("due_until", gettext("The end is before the start."))
        elif (last := ends or starts) and last <= self.now:
            self.add_error(
                "due_until" if ends else "due_from", gettext("This time has passed already.")
            )
        return cleaned

    @property
    def due(self) -> When:
        """The time that is promised. Valid forms only."""
        return When(
            at=self.cleaned_data["due_from"], until=self.cleaned_data["due_until"], tz=self.tz
        )


class SettleForm(DeskForm):
    ids = "settle"

    outcome = forms.ChoiceField(
        label=_("Was it kept?"),
        choices=[
            (PromiseOutcome.MET, _("Met: it was so in time")),
            (PromiseOutcome.MISSED, _("Missed")),
        ],
        widget=forms.RadioSelect,
    )


class WithdrawForm(DeskForm):
    ids = "withdraw"

    reason = forms.CharField(
        label=_("Why it no longer holds"),
        max_length=200,
        help_text=_("Stands on the timeline."),
    )
