"""What falls into windows: planned moments, and work that begins at any hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backups.saturation.values import Window

_HOUR = timedelta(hours=1)
_WEEK_HOURS = 7 * 24


@dataclass(frozen=True, slots=True)
class Meeting:
    """A planned moment whose work falls into a window."""

    at: datetime
    window: Window


def meeting(
    windows: Sequence[Window], moments: Iterable[datetime], *, seconds: float
) -> list[Meeting]:
    """Return which of the moments fall into which window, if the work takes so many seconds."""
    return [
        Meeting(moment, window)
        for moment in moments
        for window in windows
        if window.meets(moment, seconds)
    ]


def share_that_meets(windows: Sequence[Window], *, seconds: float, after: datetime) -> float:
    """Return at which share of the coming week's hours such work would begin into a window."""
    begins = [after + hours * _HOUR for hours in range(_WEEK_HOURS)]
    met = sum(any(window.meets(each, seconds) for window in windows) for each in begins)
    return met / len(begins)
