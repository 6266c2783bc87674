"""What earlier restores say of a phase's speed, before it has begun here."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backups.estimate.values import Past

DAY_SECONDS = 86400.0
# The speeds of phases on small and large machines, as the bounds of four cases in five; for
# (phase, unit), in units a second. Of a fetch nothing is usual: only the wire can tell.
USUAL = {
    ("UNPACK", "bytes"): (150e6, 1000e6),
    ("REPLAY", "bytes"): (30e6, 250e6),
    ("TENANTS", "bytes"): (10e6, 150e6),
    ("TENANTS", "items"): (0.1, 5.0),
    ("VERIFY", "bytes"): (100e6, 1500e6),
    ("PLAN", ""): (0.1, 2.0),
    ("READY", ""): (0.07, 4.0),
}
# Four cases in five of a bell lie within so many of its spreads to either side.
_FOUR_OF_FIVE = 1.2816
# How much one restore differs from the next where nothing is known, and how many that is worth.
_BETWEEN = 0.22
_WORTH = 3.0
_FADES_DAYS = 90.0
# What another machine's figures count, and how much more they may be off.
_ELSEWHERE_WEIGHT = 0.25
_ELSEWHERE_VARIANCE = 0.4**2
_MOMENT_SECONDS, _MOST_MOMENTS = 1.0, 0.7
# A run of so many bytes says as much of the machine's speed as of what it costs to begin at all; a
# smaller one says it of work that is not much larger than itself.
_HALF_TOLD_BYTES = 64 * 2**20
_MUCH_LARGER = 4.0
# What tells less than this tells nothing.
_LEAST_TOLD = 0.05
# No speed counts as further from the middle of all than this, as a logarithm: three or more.
_FURTHEST, _ENOUGH = 2.0, 3
# Per e-fold of difference in size: what is fixed in a phase weighs otherwise then.
_SIZE_SPREAD = 0.15


@dataclass(frozen=True, slots=True)
class Level:
    """The logarithm of a speed as believed: its middle, its variance, and what that rests on.

    ``wild`` is how likely the truth lies far out, which few earlier cases cannot rule out.
    """

    mean: float
    variance: float
    wild: float
    runs: int
    began: tuple[datetime, ...] = ()


def level_of(
    past: Sequence[Past],
    *,
    phase: str,
    unit: str,
    amount: float,
    at: datetime,
    usual_then: Callable[[datetime, float], float] = lambda _at, _seconds: 0.0,
) -> Level | None:
    """Return the speed that earlier runs of this phase suggest; the usual one if there are none.

    ``usual_then`` says how much a run of that time and length gained or lost by its hours. Runs
    that were too small to show a speed count less, or not at all.
    """
    runs = [
        each
        for each in past
        if each.phase == phase and each.unit == unit and each.amount > 0 and each.seconds > 0
        if each.began_at + timedelta(seconds=each.seconds) <= at
        if _told(each, amount) >= _LEAST_TOLD
    ]
    if not runs:
        return usual_level(phase, unit)
    weights = [_weight(each, at) * _told(each, amount) for each in runs]
    speeds = _without_outliers(
        [
            math.log(each.amount / each.seconds) - usual_then(each.began_at, each.seconds)
            for each in runs
        ]
    )
    total = sum(weights)
    mean = sum(w * s for w, s in zip(weights, speeds, strict=True)) / total
    squares = sum(w * (s - mean) ** 2 for w, s in zip(weights, speeds, strict=True))
    between = (_WORTH * _BETWEEN**2 + squares) / (_WORTH + max(total - 1, 0.0))
    variance = between * (1 + 1 / total)
    if not any(each.is_here for each in runs):
        variance += _ELSEWHERE_VARIANCE
    # What took a moment might have taken another.
    moment = _MOMENT_SECONDS / statistics.median(each.seconds for each in runs)
    variance += min(moment, _MOST_MOMENTS) ** 2
    size = math.log(max(amount, 1.0) / statistics.geometric_mean([each.amount for each in runs]))
    variance += (_SIZE_SPREAD * size) ** 2 if unit else 0.0
    doubt = 1 - total / sum(_weight(each, at) for each in runs)
    usual = usual_level(phase, unit)
    if usual is not None:
        # As far as they do not show the speed, it is the usual one.
        variance += doubt * usual.variance + doubt * (1 - doubt) * (usual.mean - mean) ** 2
        mean += doubt * (usual.mean - mean)
    return Level(
        mean=mean,
        variance=variance,
        wild=1 / (3 + total),
        runs=len(runs),
        began=tuple(each.began_at + timedelta(seconds=each.seconds / 2) for each in runs),
    )


def usual_level(phase: str, unit: str) -> Level | None:
    """Return what is known of a phase that was never measured here; None for a fetch."""
    bounds = USUAL.get((phase, unit))
    if bounds is None:
        return None
    slow, quick = math.log(bounds[0]), math.log(bounds[1])
    spread = (quick - slow) / 2 / _FOUR_OF_FIVE
    return Level(mean=(slow + quick) / 2, variance=spread**2, wild=0.1, runs=0)


def _told(run: Past, amount: float) -> float:
    """Return how much of what a run took was its bytes, from 0 to 1, against so many to come.

    What starting costs is in every run; of 300 bytes in four seconds it is all there is.
    """
    if run.unit != "bytes":
        return 1.0
    half = min(_HALF_TOLD_BYTES, amount / _MUCH_LARGER)
    return run.amount**2 / (run.amount**2 + half**2)


def _without_outliers(speeds: Sequence[float]) -> list[float]:
    if len(speeds) < _ENOUGH:
        return list(speeds)
    middle = statistics.median(speeds)
    return [min(max(each, middle - _FURTHEST), middle + _FURTHEST) for each in speeds]


def _weight(run: Past, at: datetime) -> float:
    days = (at - run.began_at).total_seconds() / DAY_SECONDS
    return float(0.5 ** (days / _FADES_DAYS)) * (1.0 if run.is_here else _ELSEWHERE_WEIGHT)
