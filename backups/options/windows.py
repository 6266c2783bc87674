"""Maintenance windows of a policy: which one is open, and when nothing is in the way again."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from backups import schedules
from backups.options.terms import Window


def open_window(windows: Iterable[Window], tz: str, at: datetime) -> tuple[Window, datetime] | None:
    """Return the window that is open at a moment, and when it closes: of several, the last to.

    :raises BadSchedule: if a schedule or the zone cannot be read
    """
    latest = None
    for window in windows:
        ends = _ends(window, tz, at)
        if ends is not None and ends > at and (latest is None or ends > latest[1]):
            latest = window, ends
    return latest


def closed_until(windows: Iterable[Window], tz: str, at: datetime, *, most: timedelta) -> datetime:
    """Return the first moment from ``at`` on that lies in no window; no later than ``most`` on."""
    windows, until = tuple(windows), at
    while until < at + most:
        found = open_window(windows, tz, until)
        if found is None:
            return until
        until = found[1]
    return at + most


def _ends(window: Window, tz: str, at: datetime) -> datetime | None:
    """Return when the last one that began by then ends; None where none ever began."""
    try:
        return schedules.last_before(window.schedule, tz, at) + window.lasts
    except schedules.BadSchedule:
        schedules.check(window.schedule)
        schedules.check_zone(tz)
        return None
