"""When a restore ends: what remains, tried out some hundred times with what is believed of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backups.estimate.trials import Trials
from backups.estimate.values import Forecast, History, Standing
from backups.estimate.weather import Weather, learn_weather

# The outer share to each side of what is called the 80 % range.
_OUTER = 0.1
# So many outages must have been seen to end before one that lasts can be reckoned with.
_KNOWN_OUTAGES = 3


@dataclass(frozen=True, slots=True)
class Learned:
    """What history says, worked out once; the weather as it was at that moment."""

    history: History
    weather: Weather
    at: datetime


def learn(history: History, *, at: datetime) -> Learned:
    """Work out what history says. Takes a moment, and holds for the phase that begins now."""
    return Learned(history, learn_weather(history.samples, at=at, windows=history.windows), at)


def forecast(learned: Learned, standing: Standing) -> Forecast | None:
    """Say when the restore ends; None where nothing could be told that is worth telling.

    That is while nothing was ever fetched from this storage and the fetch has shown too little, or
    while nothing arrives and fewer than three outages of this storage were seen to end.
    """
    if not standing.left:
        return None
    known_outages = len(learned.weather.outage_seconds) + len(standing.outages)
    if standing.still_seconds > 0 and known_outages < _KNOWN_OUTAGES:
        return None
    trials = Trials(learned.history, learned.weather, standing, learned_at=learned.at)
    if not trials.can_tell():
        return None
    ends = sorted(trials.ends())
    return Forecast(
        low80=_share(ends, _OUTER),
        low50=_share(ends, 0.25),
        middle=_share(ends, 0.5),
        high50=_share(ends, 0.75),
        high80=_share(ends, 1 - _OUTER),
        basis=trials.basis(),
    )


def _share(ends: Sequence[float], share: float) -> float:
    place = share * (len(ends) - 1)
    below = int(place)
    above = min(below + 1, len(ends) - 1)
    return ends[below] + (ends[above] - ends[below]) * (place - below)
