"""What a backup policy says, as plain values, and how one version differs from another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from backups import schedules
from backups.options.words import span

# What a policy says of itself, in the words of the desk and in its order.
LABELS = {
    "tz": "Time zone",
    "full_schedule": "Full backups",
    "incremental_schedule": "Incremental backups",
    "archives_log": "Log archiving",
    "may_lose": "May lose at most",
    "back_within": "Has to be back within",
    "keep_for": "Kept for",
    "keep_fulls": "Full backups kept at least",
    "wants_encryption": "Encryption",
    "replicate_to": "Replicated to",
    "replica_lag_at_most": "Replica behind by at most",
    "read_all_within": "Every byte read within",
    "drill_schedule": "Drills",
    "drill_target": "Drills run at",
    "drill_alarm": "A drill that fails declares",
    "windows": "Maintenance windows",
}

# A second place is compared, and brought up to date, so often.
COPIED_EVERY = timedelta(minutes=10)
_ALARMS = {"NOTHING": "nothing", "DRILL": "a drill incident", "LIVE": "an incident"}
_PLAIN = {None: "not said", True: "yes", False: "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Another row, and what people call it."""

    id: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours in which backups are not begun: from each moment of a schedule, for so long."""

    schedule: str
    lasts: timedelta
    reason: str

    def __str__(self) -> str:
        return f"{schedule_words(self.schedule)} for {span(self.lasts)} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Everything that one version of a policy says, with the objectives of its database."""

    tz: str = "UTC"
    full_schedule: str = ""
    incremental_schedule: str = ""
    archives_log: bool = True
    may_lose: timedelta | None = None
    back_within: timedelta | None = None
    keep_for: timedelta | None = None
    keep_fulls: int | None = None
    wants_encryption: bool = False
    replicate_to: Named | None = None
    replica_lag_at_most: timedelta | None = None
    read_all_within: timedelta = timedelta(days=30)
    drill_schedule: str = ""
    drill_target: Named | None = None
    drill_alarm: str = "NOTHING"
    windows: Sequence[Window] = ()


def in_words(terms: Terms) -> dict[str, str]:
    """Say each term as people read it, by its name, in the order of ``LABELS``."""
    return {name: _said(name, getattr(terms, name)) for name in LABELS}


def changes(before: Terms, after: Terms) -> dict[str, list[str]]:
    """Return what is said otherwise: the words before and after, by the name of the term."""
    was, becomes = in_words(before), in_words(after)
    differs = {
        each.name
        for each in fields(Terms)
        if getattr(before, each.name) != getattr(after, each.name)
    }
    return {name: [was[name], becomes[name]] for name in LABELS if name in differs}


def label_of(name: str) -> str:
    """Return what people call a term."""
    return LABELS.get(name, name)


def described(changed: Mapping[str, Sequence[str]]) -> list[str]:
    """Say changes in sentences without their stop: "Full backups: never -> every day at 02:00"."""
    return [f"{label_of(name)}: {was} → {becomes}" for name, (was, becomes) in changed.items()]


def _said(name: str, value: Any) -> str:
    if name.endswith("_schedule"):
        return schedule_words(value)
    if name == "windows":
        return "; ".join(str(window) for window in value) or "none"
    if name == "drill_alarm":
        return str(_ALARMS.get(value, value))
    if isinstance(value, timedelta):
        return span(value)
    return str(_PLAIN[value] if value is None or isinstance(value, bool) else value)


def schedule_words(expression: str) -> str:
    """Say a schedule in words; as it stands where it was written past every check."""
    try:
        return schedules.in_words(expression)
    except schedules.BadSchedule:
        return expression
