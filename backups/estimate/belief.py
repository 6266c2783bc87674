"""What is believed of the speed of the phase that runs, after what it has done so far.

The logarithm of the speed is a level that stays plus a weather that comes and goes (an
autoregressive process). A Kalman filter with these two states follows the windows of the run, once
for each view of how long the weather lasts, how strong it is and how far the level may lie from
earlier runs; each view counts as much as the run bears it out (Harvey, Forecasting, Structural Time
Series Models and the Kalman Filter, 1989, chapter 3).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backups.estimate.pasts import Level
from backups.estimate.values import Window
from backups.estimate.weather import Spell

# Scatter from one moment to the next: more than any figure of a whole phase shows.
QUICK_VARIANCE = 0.3**2
QUICK_SECONDS = 10.0
# What has arrived is known in lumps, and late: so long it takes until that evens out.
LUMP_SECONDS = 30.0
_STRENGTHS = ((0.35, 0.25), (0.6, 0.3), (1.0, 0.3), (1.6, 0.15))
# How lumpy this run may be, against that.
_LUMPS = ((0.15, 0.5), (1.2, 0.5))
_MOST_LUMPS = 3.0
# The level of a wild case strays so much further.
_WILD = 2.5
_LEAST_WEIGHT = 0.002
# What was still for most of its time tells nothing of the speed.
_MOSTLY = 0.75


@dataclass(frozen=True, slots=True)
class View:
    """One view of the speed: its weather, and the two states with their covariance."""

    weight: float
    span_seconds: float
    strength: float
    spread: float
    level: float
    weather: float
    level_variance: float
    shared: float
    weather_variance: float
    level_before: float
    lumps: float

    def after(self, seconds: float) -> "View":
        """Return the view so many seconds later, with nothing seen meanwhile."""
        keep = math.exp(-max(seconds, 0.0) / self.span_seconds)
        return replace(
            self,
            weather=self.weather * keep,
            shared=self.shared * keep,
            weather_variance=self.weather_variance * keep * keep + self.spread * (1 - keep * keep),
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A window as the filter wants it: how long after the one before, how quick, how sure."""

    gap: float
    speed: float
    effect: float
    lumpy: float
    uncounted: float


def quick_variance(seconds: float) -> float:
    """Return how much the mean speed of so many seconds strays by what lasts a moment."""
    return QUICK_VARIANCE * min(1.0, 2 * QUICK_SECONDS / max(seconds, 1.0))


def views_of(level: Level, spells: Sequence[Spell]) -> list[View]:
    """Return what is believed before the phase has done anything."""
    return [
        View(
            weight=spell.weight * likely * share * often,
            span_seconds=spell.span_seconds,
            strength=strength,
            spread=spell.spread,
            level=level.mean,
            weather=spell.mean / strength,
            level_variance=level.variance * far * far,
            shared=0.0,
            weather_variance=spell.variance,
            level_before=level.variance * far * far,
            lumps=lumps,
        )
        for spell in spells
        for strength, likely in _STRENGTHS
        for far, share in ((1.0, 1 - level.wild), (_WILD, level.wild))
        for lumps, often in _LUMPS
        if spell.weight * likely * share > _LEAST_WEIGHT
    ]


def follow(
    views: Sequence[View],
    windows: Sequence[Window],
    *,
    waited: float,
    lump: float,
    effect: Callable[[float], float],
    usual: Callable[[float], float],
) -> list[View]:
    """Return what is believed once these windows are seen.

    ``waited`` is how many seconds lie between what the views know and the first window; ``usual``
    and ``effect`` say, for a moment in seconds, what its hour adds and how wild it is; ``lump`` is
    how much may have arrived that is not counted yet.
    """
    seen = []
    before = None
    for each in windows:
        if each.amount <= 0 or each.still >= _MOSTLY * each.seconds:
            continue
        seen.append(
            _Seen(
                gap=waited if before is None else each.middle - before,
                speed=math.log(each.amount / (each.seconds - each.still)) - usual(each.middle),
                effect=effect(each.middle),
                # Short windows share what lasts a moment: so little each of them tells.
                lumpy=QUICK_VARIANCE * 2 * LUMP_SECONDS / each.seconds,
                uncounted=min(lump / each.amount, _MOST_LUMPS) ** 2,
            )
        )
        before = each.middle
    if before is None:
        return [view.after(waited) for view in views]
    found = [_follow_one(view, seen) for view in views]
    best = max(likelihood for _view, likelihood in found)
    weights = [view.weight * math.exp(max(likelihood - best, -60.0)) for view, likelihood in found]
    total = sum(weights)
    return [
        replace(view.after(-before), weight=weight / total)
        for (view, _likelihood), weight in zip(found, weights, strict=True)
    ]


def _follow_one(view: View, seen: Sequence[_Seen]) -> tuple[View, float]:
    """Return the view after these windows, and how likely they were, as a logarithm."""
    likelihood, level, weather = 0.0, view.level, view.weather
    # Variances of level and weather, and what they share.
    of_level, shared, of_weather = view.level_variance, view.shared, view.weather_variance
    for each in seen:
        keep = math.exp(-max(each.gap, 0.0) / view.span_seconds)
        weather *= keep
        shared *= keep
        of_weather = of_weather * keep * keep + view.spread * (1 - keep * keep)
        pull = each.effect * view.strength
        along = of_level + pull * shared
        across = shared + pull * of_weather
        spread = along + pull * across + view.lumps * each.lumpy + each.uncounted
        off = each.speed - level - pull * weather
        likelihood -= 0.5 * (math.log(spread) + off * off / spread)
        level += along / spread * off
        weather += across / spread * off
        of_level -= along * along / spread
        shared -= along * across / spread
        of_weather -= across * across / spread
    return replace(
        view,
        level=level,
        weather=weather,
        level_variance=of_level,
        shared=shared,
        weather_variance=of_weather,
    ), likelihood
