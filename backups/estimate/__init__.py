"""When a restore ends, as ranges with their basis, or nothing when nothing can be known.

Pure: from what was measured before and what this restore has done so far. No rows, no clock.
"""

from backups.estimate.lanes import in_one_lane
from backups.estimate.model import Learned, forecast, learn
from backups.estimate.remaining import Pace, Remaining, own_share
from backups.estimate.track import Track
from backups.estimate.values import Forecast, History, Past, Rest, Sample, Standing, Window, Work

__all__ = [
    "Forecast",
    "History",
    "Learned",
    "Pace",
    "Past",
    "Remaining",
    "Rest",
    "Sample",
    "Standing",
    "Track",
    "Window",
    "Work",
    "forecast",
    "in_one_lane",
    "learn",
    "own_share",
]
