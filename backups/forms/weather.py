"""What the desk asks for before hours are called busy, and of a storage's zone."""

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.forms.fields import DeskForm

_DAYS = (
    (1, _("Monday")),
    (2, _("Tuesday")),
    (3, _("Wednesday")),
    (4, _("Thursday")),
    (5, _("Friday")),
    (6, _("Saturday")),
    (7, _("Sunday")),
)
_ZONED = {"autocomplete": "off", "spellcheck": "false"}


def _clock() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class WindowForm(DeskForm):
    """Hours in which a storage gives less, as its provider announced them."""

    ids = "window"

    begins = forms.TimeField(label=_("From"), widget=_clock())
    ends = forms.TimeField(
        label=_("Until"),
        widget=_clock(),
        help_text=_("Earlier than it begins: on the next day. 00:00: until midnight."),
    )
    tz = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        widget=forms.TextInput(attrs=_ZONED),
        help_text=_("As in Europe/Amsterdam: the hours move with its summer time."),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("On"),
        choices=_DAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The day on which it begins. None: every day."),
    )
    slower = forms.FloatField(
        label=_("How many times slower"),
        required=False,
        min_value=1,
        max_value=1000,
        help_text=_("Empty where nobody told."),
    )
    errors_percent = forms.FloatField(
        label=_("Requests that fail, in %"), required=False, min_value=0, max_value=100
    )
    note = forms.CharField(
        label=_("Who said so, or where"),
        required=False,
        max_length=300,
        help_text=_("As in: the provider's notice of 3 January."),
    )

    @property
    def window(self) -> dict[str, Any]:
        """What ``declare_window`` wants of it. Valid forms only."""
        said = self.cleaned_data
        percent = said["errors_percent"]
        return {
            "from_minute": _minute(said["begins"]),
            "until_minute": _minute(said["ends"]) or 1440,
            "tz": said["tz"].strip(),
            "weekdays": said["weekdays"],
            "slower": said["slower"],
            "error_share": None if percent is None else percent / 100,
            "note": said["note"],
        }


class ZoneForm(DeskForm):
    """The zone in which a storage's nights are counted."""

    ids = "zone"

    tz = forms.CharField(
        label=_("The provider's time zone"),
        max_length=64,
        widget=forms.TextInput(attrs=_ZONED),
        help_text=_("Its busy hours are looked for in this zone and in UTC."),
    )


def _minute(clock: time) -> int:
    return clock.hour * 60 + clock.minute
