"""Hours that come back in which a storage gives less than it can: found, told, and met.

Pure: from what was measured. No rows, no clock. Everything that reckons with such hours (ways back,
estimates, advice on schedules) takes them from here.
"""

from backups.saturation.advice import Meeting, meeting, share_that_meets
from backups.saturation.finding import LEAST_DAYS, find_windows, was_looked_at
from backups.saturation.heat import HEAT_FOR, PASSING, Cell, Figures, Heat, Probed, heat_of
from backups.saturation.values import Reading, Window, is_alike, merged

__all__ = [
    "HEAT_FOR",
    "LEAST_DAYS",
    "PASSING",
    "Cell",
    "Figures",
    "Heat",
    "Meeting",
    "Probed",
    "Reading",
    "Window",
    "find_windows",
    "heat_of",
    "is_alike",
    "meeting",
    "merged",
    "share_that_meets",
    "was_looked_at",
]
