"""The form on what staff have agreed on before the night comes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any, ClassVar, Literal

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.cadence import LONG, PHASES
from incidents.forms.fields import DeskForm
from incidents.queries import Agreed
from incidents.values import Phase, Severity

_MINUTE = timedelta(minutes=1)
_WEEK_MINUTES = 7 * 24 * 60
# Who has come on duty within the hour is not asked to leave it.
_LEAST_DUTY = 60
_MOST_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The fields of one severity; those of the cadence with what they are called beside it."""

    severity: Severity
    cadence: list[tuple[str, forms.BoundField]]
    approval: forms.BoundField
    days: forms.BoundField
    action_days: forms.BoundField


class RulesForm(DeskForm):
    """The cadence by severity and phase, what severities ask for, and when the desk nudges."""

    ids = "rules"

    night_begins = forms.TimeField(
        label=_("The night begins"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    night_ends = forms.TimeField(
        label=_("The night ends"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_(
            "In each incident's own zone. The same time twice: there is no night, and long "
            "incidents are told of around the clock."
        ),
    )
    long_after_minutes = forms.IntegerField(
        label=_("An incident is long after, in minutes"),
        min_value=1,
        max_value=_WEEK_MINUTES,
        help_text=_("Then the desk proposes to tell customers less often."),
    )
    reminder_lead_minutes = forms.IntegerField(
        label=_("Remind of an update that is due, minutes before"),
        min_value=1,
        max_value=_WEEK_MINUTES,
    )
    duty_limit_minutes = forms.IntegerField(
        label=_("Ask to hand over after so many minutes on duty"),
        min_value=_LEAST_DUTY,
        max_value=_WEEK_MINUTES,
        error_messages={
            "min_value": _(
                "A duty lasts an hour at least. Write %(limit_value)d or more: 480 are eight hours."
            )
        },
    )
    empty_role_after_minutes = forms.IntegerField(
        label=_("Say that nobody holds a role after, in minutes"),
        min_value=1,
        max_value=_WEEK_MINUTES,
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    # The columns of the table, each with its heading.
    phases: ClassVar[Mapping[Phase | Literal[""], Any]] = {
        **{phase: phase.label for phase in PHASES},
        LONG: _("Long incident"),
    }

    def __init__(self, *args: Any, agreed: Agreed, revision: int, **kwargs: Any) -> None:
        kwargs["initial"] = _initial(agreed) | {"revision": revision}
        super().__init__(*args, **kwargs)
        for severity in Severity:
            for phase, name in self.phases.items():
                self.fields[_minutes(severity, phase)] = forms.IntegerField(
                    label=f"{severity.upper()}, {name}, in minutes",
                    min_value=1,
                    max_value=_WEEK_MINUTES,
                )
            self.fields[f"approval_{severity}"] = forms.BooleanField(
                label=f"{severity.upper()}: updates are approved by somebody else", required=False
            )
            self.fields[f"days_{severity}"] = forms.IntegerField(
                label=f"{severity.upper()}: days until the postmortem",
                min_value=1,
                max_value=_MOST_DAYS,
                required=False,
            )
            self.fields[f"action_days_{severity}"] = forms.IntegerField(
                label=f"{severity.upper()}: days until an action item is done",
                min_value=1,
                max_value=_MOST_DAYS,
                required=False,
            )

    def rows(self) -> Iterator[Row]:
        """Yield what is agreed on for each severity."""
        for severity in Severity:
            yield Row(
                severity=severity,
                cadence=[
                    (name, self[_minutes(severity, phase)]) for phase, name in self.phases.items()
                ],
                approval=self[f"approval_{severity}"],
                days=self[f"days_{severity}"],
                action_days=self[f"action_days_{severity}"],
            )

    def meant(self) -> dict[str, Any]:
        """Return what ``operations.set_rules`` takes. Valid forms only."""
        data = self.cleaned_data
        named = ("reminder_lead", "duty_limit", "long_after", "empty_role_after")
        return {
            "cadence": {
                (severity, phase): data[_minutes(severity, phase)]
                for severity in Severity
                for phase in (*PHASES, LONG)
            },
            "approval": [row for row in Severity if data[f"approval_{row}"]],
            "postmortem_days": {row: data[f"days_{row}"] for row in Severity},
            "action_days": {row: data[f"action_days_{row}"] for row in Severity},
            **{name: data[f"{name}_minutes"] * _MINUTE for name in named},
            "night_begins": data["night_begins"],
            "night_ends": data["night_ends"],
            "revision": data["revision"],
        }


def _initial(agreed: Agreed) -> dict[str, Any]:
    desk = agreed.desk
    named = ("reminder_lead", "duty_limit", "long_after", "empty_role_after")
    initial: dict[str, int | bool | time | None] = {
        f"{name}_minutes": getattr(desk, name) // _MINUTE for name in named
    }
    initial |= {"night_begins": desk.night_begins, "night_ends": desk.night_ends}
    for (severity, phase), minutes in agreed.minutes.items():
        initial[_minutes(severity, phase)] = minutes
    for severity, rule in agreed.severities.items():
        initial[f"approval_{severity}"] = rule.needs_approval
        initial[f"days_{severity}"] = rule.postmortem_days
        initial[f"action_days_{severity}"] = rule.action_days
    return initial


def _minutes(severity: Severity, phase: str) -> str:
    return f"minutes_{severity}_{phase or 'long'}"
