"""What figures are counted over."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm, full_name
from incidents.models import Component, Measure
from incidents.queries import Chosen, Period
from incidents.values import CauseKind, IncidentKind, Severity


class FiguresForm(DeskForm):
    """Which incidents to count, and what of them. What cannot be meant narrows nothing."""

    ids = "figures"

    period = forms.ChoiceField(label=_("Began in"), required=False)
    measure = forms.ChoiceField(label=_("Look at"), required=False, choices=Measure.choices)
    severity = forms.ChoiceField(
        label=_("Severity"), required=False, choices=[("", _("Any")), *Severity.choices]
    )
    component = forms.TypedChoiceField(
        label=_("Component"), required=False, coerce=int, empty_value=None
    )
    cause = forms.ChoiceField(
        label=_("Kind of cause"), required=False, choices=[("", _("Any")), *CauseKind.choices]
    )
    kind = forms.ChoiceField(
        label=_("Kind"),
        required=False,
        choices=[("", _("All but drills")), *IncidentKind.choices],
    )

    def __init__(
        self,
        *args: Any,
        periods: Sequence[Period],
        components: Iterable[Component],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._periods = {period.code: period for period in periods}
        chooses = cast("forms.ChoiceField", self.fields["period"])
        chooses.choices = [(period.code, period.label) for period in periods]
        component = cast("forms.TypedChoiceField", self.fields["component"])
        component.choices = [
            ("", gettext("Any")),
            *((str(part.pk), full_name(part)) for part in components),
        ]

    @property
    def chosen(self) -> Chosen:
        """What is counted over. Cleaned forms only; what was wrong in them narrows nothing."""
        found = {name: value for name, value in self.cleaned_data.items() if value}
        found.pop("measure", None)
        return Chosen(period=self._periods[found.pop("period", "")], **found)

    @property
    def looks_at(self) -> Measure:
        """What is looked at closely. Cleaned forms only."""
        return Measure(self.cleaned_data.get("measure") or Measure.RESOLVE)
