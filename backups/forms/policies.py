"""What the desk asks for before a backup policy is changed, or a workaround is reviewed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from backups import schedules
from backups.models import Database, DrillAlarm, RecoveryTarget, StorageLocation
from backups.operations import MOST_WORDS
from backups.options.terms import Terms, Window
from backups.queries import named
from incidents import queries
from incidents.forms.fields import DeskForm
from incidents.models import Incident

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MOST_DAYS = 366 * 20
_MOST_MINUTES = 60 * 24 * 366
_NEVER, _HOURLY, _DAILY, _WEEKLY, _OWN = "never", "hourly", "daily", "weekly", "own"
_PRESETS = [
    (_NEVER, _("Never")),
    (_HOURLY, _("Every hour")),
    (_DAILY, _("Every day")),
    (_WEEKLY, _("Every week")),
    (_OWN, _("As written in five fields")),
]
_WEEKDAYS = [
    ("1", _("Monday")),
    ("2", _("Tuesday")),
    ("3", _("Wednesday")),
    ("4", _("Thursday")),
    ("5", _("Friday")),
    ("6", _("Saturday")),
    ("0", _("Sunday")),
]
_PLAIN = re.compile(r"(?P<minute>\d+) (?P<hour>\d+|\*) \* \* (?P<weekday>\d|\*)")
_NIGHT = time(2, 0)
_MOST_REASON = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The fields of one schedule under its title."""

    title: Any
    fields: list[forms.BoundField]


class PolicyForm(DeskForm):
    """Everything that a policy says, and why it is changed; a schedule is chosen or written."""

    ids = "policy"
    # The reasons are asked for in the end, not while it is only looked at what a change does.
    use_required_attribute = False

    tz = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        help_text=_("All times of the policy are its own, as Europe/Amsterdam or UTC."),
    )
    archives_log = forms.BooleanField(
        label=_("The log is archived"),
        required=False,
        help_text=_("Without it, everything since the last backup is lost with the database."),
    )
    may_lose = forms.IntegerField(
        label=_("May lose at most, in minutes"),
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
    )
    back_within = forms.IntegerField(
        label=_("Has to be back within, in minutes"),
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
    )
    keep_for = forms.IntegerField(
        label=_("Backups are kept, in days"), required=False, min_value=1, max_value=_MOST_DAYS
    )
    keep_fulls = forms.IntegerField(
        label=_("Full backups kept at least"), required=False, min_value=1, max_value=10_000
    )
    wants_encryption = forms.BooleanField(label=_("Backups are encrypted"), required=False)
    replicate_to: forms.ModelChoiceField[StorageLocation] = forms.ModelChoiceField(
        label=_("Copied to"), queryset=None, required=False, empty_label=_("Nowhere")
    )
    replica_lag_at_most = forms.IntegerField(
        label=_("The copy may be behind by, in minutes"),
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
    )
    read_all_within = forms.IntegerField(
        label=_("Every byte is read within, in days"), min_value=1, max_value=_MOST_DAYS
    )
    drill_target: forms.ModelChoiceField[RecoveryTarget] = forms.ModelChoiceField(
        label=_("Drills restore to"), queryset=None, required=False, empty_label=_("Nowhere")
    )
    drill_alarm = forms.ChoiceField(
        label=_("A drill that fails declares"), choices=DrillAlarm.choices
    )
    windows = forms.CharField(
        label=_("Maintenance windows"),
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_(
            "One a line: when it begins in five fields; how many hours; why. No backup begins in "
            "one. As in: 0 22 * * 6; 4; indexes are rebuilt"
        ),
    )
    why = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=MOST_WORDS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Asked for before it is saved; stands in the history below."),
    )
    review_on = forms.DateField(
        label=_("A workaround until it is reviewed, on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("On that day it comes back, until somebody says what became of it."),
    )
    incident: forms.ModelChoiceField[Incident] = forms.ModelChoiceField(
        label=_("With an action item on"), queryset=None, required=False, empty_label=_("None")
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    kinds: ClassVar[Mapping[str, Any]] = {
        "full_schedule": _("Full backups"),
        "incremental_schedule": _("Incremental backups"),
        "drill_schedule": _("Drills"),
    }
    _spans: ClassVar[Mapping[str, timedelta]] = {
        "may_lose": _MINUTE,
        "back_within": _MINUTE,
        "keep_for": _DAY,
        "replica_lag_at_most": _MINUTE,
        "read_all_within": _DAY,
    }

    def __init__(
        self, *args: Any, database: Database, terms: Terms, version: int, reader: User,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self._terms = terms
        super().__init__(*args, initial=_initial(terms, self._spans, version), **kwargs)
        for kind in self.kinds:
            self.fields |= _schedule_fields(kind)
        locations = StorageLocation.objects.exclude(pk=database.storage_id).order_by("name")
        self._choose_from("replicate_to", locations)
        self._choose_from("drill_target", RecoveryTarget.objects.order_by("name"))
        self._choose_from("incident", queries.open_incidents(reader))

    def planned(self) -> Iterator[Planned]:
        """Yield the fields of each schedule."""
        for kind, title in self.kinds.items():
            yield Planned(title=title, fields=[self[name] for name in _schedule_fields(kind)])

    def others(self, *names: str) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def rest(self) -> list[forms.BoundField]:
        """The fields that belong to no schedule, without the reasons."""
        return self.others(
            "archives_log", "may_lose", "back_within", "keep_for", "keep_fulls",
            "wants_encryption", "replicate_to", "replica_lag_at_most", "read_all_within",
            "drill_target", "drill_alarm", "windows", "tz",
        )  # fmt: skip

    @property
    def reasons(self) -> list[forms.BoundField]:
        """The fields that say why."""
        return self.others("why", "review_on", "incident")

    def clean_windows(self) -> tuple[Window, ...]:
        lines = [line.strip() for line in self.cleaned_data["windows"].splitlines()]
        return tuple(_window(line) for line in lines if line)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for kind in self.kinds:
            try:
                cleaned[kind] = _expression(kind, cleaned)
            except schedules.BadSchedule as bad:
                self.add_error(_blamed(kind, cleaned), bad.advice)
        return cleaned

    @property
    def changes(self) -> dict[str, Any]:
        """What was typed otherwise than it stands, by the names of ``Terms``. Valid forms only."""
        found = {kind: self.cleaned_data[kind] for kind in self.kinds}
        for name in ("replicate_to", "drill_target"):
            found[name] = named(self.cleaned_data[name])
        for name, unit in self._spans.items():
            # What was set to the second elsewhere is left so, unless it is typed over.
            if name in self.changed_data:
                value = self.cleaned_data[name]
                found[name] = None if value is None else value * unit
        for name in ("tz", "archives_log", "keep_fulls", "wants_encryption", "drill_alarm"):
            found[name] = self.cleaned_data[name]
        if "windows" in self.changed_data:
            found["windows"] = self.cleaned_data["windows"]
        return {name: value for name, value in found.items() if value != getattr(self._terms, name)}

    def _choose_from(self, name: str, rows: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows


class ReviewForm(DeskForm):
    """What became of a workaround."""

    ids = "review"

    words = forms.CharField(
        label=_("What became of it"),
        max_length=MOST_WORDS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Undone, kept for good, or replaced: whoever reads the history wants to know."),
    )


def _schedule_fields(kind: str) -> dict[str, forms.Field]:
    return {
        f"{kind}_preset": forms.ChoiceField(label=_("How often"), choices=_PRESETS),
        f"{kind}_time": forms.TimeField(
            label=_("At"),
            required=False,
            widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        ),
        f"{kind}_weekday": forms.ChoiceField(
            label=_("Of a week on"), choices=_WEEKDAYS, required=False
        ),
        f"{kind}_own": forms.CharField(
            label=_("In five fields"),
            required=False,
            max_length=schedules.LENGTH,
            widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
            help_text=_("Minute, hour, day, month, weekday: 0 */6 * * * is every six hours."),
        ),
    }


def _initial(terms: Terms, spans: Mapping[str, timedelta], version: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tz": terms.tz,
        "archives_log": terms.archives_log,
        "keep_fulls": terms.keep_fulls,
        "wants_encryption": terms.wants_encryption,
        "replicate_to": terms.replicate_to and terms.replicate_to.id,
        "drill_target": terms.drill_target and terms.drill_target.id,
        "drill_alarm": terms.drill_alarm,
        "windows": "\n".join(_line(window) for window in terms.windows),
        "version": version,
    }
    for name, unit in spans.items():
        value: timedelta | None = getattr(terms, name)
        found[name] = None if value is None else round(value / unit)
    for kind in PolicyForm.kinds:
        found |= _chosen(kind, getattr(terms, kind))
    return found


def _chosen(kind: str, expression: str) -> dict[str, Any]:
    """Return how an expression is chosen: by a preset, or as it is written."""
    preset, at, weekday = (_OWN if expression else _NEVER), _NIGHT, "0"
    plain = _PLAIN.fullmatch(expression)
    if plain is not None:
        every_hour, every_day = plain["hour"] == "*", plain["weekday"] == "*"
        if not every_hour:
            preset = _DAILY if every_day else _WEEKLY
        elif every_day:
            preset = _HOURLY
        at = time(0 if every_hour else int(plain["hour"]), int(plain["minute"]))
        weekday = "0" if every_day else str(int(plain["weekday"]) % 7)
    return {
        f"{kind}_preset": preset,
        f"{kind}_time": at,
        f"{kind}_weekday": weekday,
        f"{kind}_own": expression,
    }


def _expression(kind: str, cleaned: Mapping[str, Any]) -> str:
    """Write what was chosen as a cron expression.

    :raises BadSchedule: if it is none
    """
    preset = cleaned.get(f"{kind}_preset")
    if preset == _OWN:
        written = " ".join(cleaned.get(f"{kind}_own", "").split())
        schedules.check(written)
        return written
    if preset not in (_HOURLY, _DAILY, _WEEKLY):
        return ""
    at: time | None = cleaned.get(f"{kind}_time")
    if at is None:
        raise schedules.BadSchedule(gettext("Say at what time; of every hour, its minutes count."))
    hour = "*" if preset == _HOURLY else at.hour
    weekday = (cleaned.get(f"{kind}_weekday") or "0") if preset == _WEEKLY else "*"
    return f"{at.minute} {hour} * * {weekday}"


def _blamed(kind: str, cleaned: Mapping[str, Any]) -> str:
    return f"{kind}_own" if cleaned.get(f"{kind}_preset") == _OWN else f"{kind}_time"


def _line(window: Window) -> str:
    return f"{window.schedule}; {window.lasts / _HOUR:g}; {window.reason}"


def _window(line: str) -> Window:
    """Read a line of the maintenance windows.

    :raises ValidationError: if it is none, saying which line
    """
    parts = [part.strip() for part in line.split(";", 2)]
    try:
        schedule, hours, reason = parts
        schedules.check(schedule)
        lasts = float(hours.removesuffix("h").replace(",", ".")) * _HOUR
    except schedules.BadSchedule as bad:
        raise forms.ValidationError(bad.advice) from bad
    except (ValueError, OverflowError):
        lasts, reason = timedelta(), ""
    if not reason or not timedelta() < lasts <= _MOST_DAYS * _DAY or len(reason) > _MOST_REASON:
        raise forms.ValidationError(
            gettext("“%s” is no window. Write when it begins; how many hours; why.") % line[:100]
        )
    return Window(schedule=schedule, lasts=lasts, reason=reason)
