"""What measurements tell of a storage: its hours, how long a bad spell lasts, its outages."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise
from random import Random

from backups import saturation
from backups.estimate.hours import HOURS, Bin, Hours, learn_hours
from backups.estimate.values import Sample

HOUR_SECONDS = 3600.0
# How long the weather stays as it is: the spans between which the measurements choose.
SPANS_SECONDS = (1200.0, 3600.0, 14400.0, 57600.0)
# How much of the scatter is of the single measurement and not of the storage.
_OWN_SHARES = (0.1, 0.5)
_AMPLITUDES = (0.1, 0.2, 0.4, 0.8)
_CLASS_AMPLITUDES = (0.02, 0.1, 0.3, 0.6)
# What is believed before anything is measured, and how many days of measuring that is worth.
_SCATTER = 0.25
_WORTH_DAYS = 4.0
# Weeks count less the longer ago they are.
_FADES_DAYS = 28.0
_SERIES = 500
_OUTAGES_AN_HOUR = 0.01
_WORTH_HOURS = 100.0
_OUTAGE_MEDIAN_SECONDS = 480.0
_OUTAGE_SPREAD = 1.2
_WORTH_OUTAGES = 3
_WEEKEND = 5
_TELLING_HOURS = 8


@dataclass(frozen=True, slots=True)
class Spell:
    """One view of the weather: how long it stays, how likely the view is, and the weather now.

    ``spread`` is the variance of the weather at any time; ``mean`` and ``variance`` are what it is
    now.
    """

    span_seconds: float
    weight: float
    spread: float
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Weather:
    """What is known of a storage. Speeds are logarithms; the weather counts in ``scatter``."""

    level: float | None
    hours: Hours
    apart: tuple[Hours, Hours] | None
    scatter: tuple[float, ...]
    spells: tuple[Spell, ...]
    outages_an_hour: tuple[float, ...]
    outage_seconds: tuple[float, ...]
    days: int
    windows: tuple[saturation.Window, ...] = ()

    def usual(self, at: datetime) -> float:
        """Return how much the speed at this moment differs from the level, as a rule."""
        hour, share = at.hour, (at.minute * 60 + at.second) / HOUR_SECONDS
        apart = self.apart[_kind(at)].mean if self.apart else (0.0,) * HOURS
        # An hour's figure is that of its middle.
        other, share = (hour + 1, share - 0.5) if share >= 0.5 else (hour - 1, 0.5 - share)  # noqa: PLR2004
        other %= HOURS
        here, there = self.hours.mean[hour] + apart[hour], self.hours.mean[other] + apart[other]
        return here * (1 - share) + there * share - slowed(self.windows, at)

    def outage(self, random: Random) -> float:
        """Return how long an outage may last."""
        known = len(self.outage_seconds)
        if known and random.random() < known / (known + _WORTH_OUTAGES):
            return random.choice(self.outage_seconds) * random.uniform(0.6, 1.4)
        return random.lognormvariate(math.log(_OUTAGE_MEDIAN_SECONDS), _OUTAGE_SPREAD)


def slowed(windows: Sequence[saturation.Window], at: datetime) -> float:
    """Return what the worst window takes from the logarithm of the speed at this moment."""
    return max((math.log(each.factor) for each in windows if each.covers(at)), default=0.0)


def learn_weather(
    samples: Sequence[Sample], *, at: datetime, windows: Sequence[saturation.Window] = ()
) -> Weather:
    """Return what the samples tell, as it matters at this moment.

    What the windows explain is taken out of the samples first: the hours learn only the rest.
    """
    samples = sorted((each for each in samples if each.at <= at), key=lambda each: each.at)
    logs = [
        (each.at, math.log(each.rate) + slowed(windows, each.at))
        for each in samples
        if each.rate > 0
    ]
    daily = _by_day_and_hour(logs)
    level = statistics.fmean(value for _at, value in daily) if daily else None
    noise = _noise(daily)
    hours = _fit([(when, value - (level or 0)) for when, value in daily], noise, at, _AMPLITUDES)
    apart = None
    if daily and level is not None:
        rest = [(when, value - level - hours.mean[when.hour]) for when, value in daily]
        apart = (
            _fit([each for each in rest if not _kind(each[0])], noise, at, _CLASS_AMPLITUDES),
            _fit([each for each in rest if _kind(each[0])], noise, at, _CLASS_AMPLITUDES),
        )
    plain = Weather(level, hours, apart, (_SCATTER,) * HOURS, (), (), (), 0)
    residuals = [(when, value - (level or 0) - plain.usual(when)) for when, value in logs]
    scatter = _scatter(residuals)
    rates, lengths = _outages(samples)
    return Weather(
        level=level,
        hours=hours,
        apart=apart,
        scatter=scatter,
        spells=_spells([(when, rest / scatter[when.hour]) for when, rest in residuals], at),
        outages_an_hour=rates,
        outage_seconds=lengths,
        days=len({when.date() for when, _value in logs}),
        windows=tuple(windows),
    )


def _kind(at: datetime) -> int:
    return 1 if at.weekday() >= _WEEKEND else 0


def _by_day_and_hour(logs: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """Return one measure for each hour: those within an hour are alike, and count as one."""
    found: dict[datetime, list[float]] = defaultdict(list)
    for when, value in logs:
        found[when.replace(minute=0, second=0, microsecond=0)].append(value)
    return [(when, statistics.fmean(values)) for when, values in found.items()]


def _noise(daily: Sequence[tuple[datetime, float]]) -> float:
    """Return the variance of the same hour on different days."""
    by_hour: dict[int, list[float]] = defaultdict(list)
    for when, value in daily:
        by_hour[when.hour].append(value)
    squares, freedom = _WORTH_DAYS * _SCATTER**2, _WORTH_DAYS
    for values in by_hour.values():
        squares += statistics.pvariance(values) * len(values)
        freedom += len(values) - 1
    return squares / freedom


def _fit(
    daily: Sequence[tuple[datetime, float]],
    noise: float,
    at: datetime,
    amplitudes: Sequence[float],
) -> Hours:
    values: dict[int, float] = defaultdict(float)
    weights: dict[int, float] = defaultdict(float)
    for when, value in daily:
        weight = 0.5 ** ((at - when).total_seconds() / HOUR_SECONDS / HOURS / _FADES_DAYS)
        values[when.hour] += value * weight
        weights[when.hour] += weight
    bins = [Bin(hour, values[hour] / weights[hour], weights[hour]) for hour in sorted(weights)]
    # A few hours cannot tell how much the others differ.
    believed = amplitudes[-2:-1] if len(bins) < _TELLING_HOURS else amplitudes
    return learn_hours(bins, noise=noise, amplitudes=believed)


def _scatter(residuals: Sequence[tuple[datetime, float]]) -> tuple[float, ...]:
    """Return how far the speed strays at each hour: nights may be wild and days calm."""
    days: dict[int, set[object]] = defaultdict(set)
    squares: dict[int, list[float]] = defaultdict(list)
    for when, rest in residuals:
        for hour in (when.hour - 1, when.hour, when.hour + 1):
            squares[hour % HOURS].append(rest * rest)
            days[hour % HOURS].add(when.date())
    everywhere = [value for values in squares.values() for value in values]
    known = len({when.date() for when, _rest in residuals})
    mean = (sum(everywhere) / len(everywhere)) if everywhere else 0.0
    overall = (known * mean + _WORTH_DAYS * _SCATTER**2) / (known + _WORTH_DAYS)
    return tuple(
        math.sqrt(
            (len(days[hour]) * statistics.fmean(squares[hour]) + _WORTH_DAYS * overall)
            / (len(days[hour]) + _WORTH_DAYS)
        )
        if hour in squares
        else math.sqrt(overall)
        for hour in range(HOURS)
    )


def _spells(series: Sequence[tuple[datetime, float]], at: datetime) -> tuple[Spell, ...]:
    """Return, for each view of how long weather lasts, how well it fits and what holds now."""
    series = series[-_SERIES:]
    found = []
    for span in SPANS_SECONDS:
        for own in _OWN_SHARES:
            likelihood, mean, variance = _follow(series, span, own, at)
            found.append((likelihood, Spell(span, 0.0, 1 - own, mean, variance)))
    best = max(likelihood for likelihood, _spell in found)
    weights = [math.exp(max(likelihood - best, -30.0)) for likelihood, _spell in found]
    return tuple(
        replace(spell, weight=weight / sum(weights))
        for (_likelihood, spell), weight in zip(found, weights, strict=True)
    )


def _follow(
    series: Sequence[tuple[datetime, float]], span: float, own: float, at: datetime
) -> tuple[float, float, float]:
    """Filter the series (Kalman, one state) and return its likelihood and the state now."""
    likelihood, mean, variance = 0.0, 0.0, 1 - own
    before = series[0][0] if series else at
    for when, value in [*series, (at, math.nan)]:
        keep = math.exp(-(when - before).total_seconds() / span)
        before = when
        mean *= keep
        variance = variance * keep * keep + (1 - own) * (1 - keep * keep)
        if math.isnan(value):
            break
        spread = variance + own
        likelihood -= 0.5 * (math.log(spread) + (value - mean) ** 2 / spread)
        gain = variance / spread
        mean += gain * (value - mean)
        variance *= 1 - gain
    return likelihood, mean, variance


def _outages(samples: Sequence[Sample]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return how often outages begin at each hour, and how long those were that were seen."""
    watched = [0.0] * HOURS
    begun = [0.0] * HOURS
    gaps = [(after.at - before.at).total_seconds() for before, after in pairwise(samples)]
    usual_gap = statistics.median(gaps) if gaps else 0.0
    for each in samples:
        watched[each.at.hour] += usual_gap / HOUR_SECONDS
    lengths = []
    for is_out, group in groupby(samples, key=lambda each: each.rate <= 0):
        if is_out:
            members = list(group)
            begun[members[0].at.hour] += 1
            # Seen by chance at its measurements, it lasted about as many gaps.
            lengths.append(len(members) * usual_gap)
    overall = (sum(begun) + _OUTAGES_AN_HOUR * _WORTH_HOURS) / (sum(watched) + _WORTH_HOURS)
    rates = tuple(
        (begun[hour] + overall * _WORTH_HOURS / 4) / (watched[hour] + _WORTH_HOURS / 4)
        for hour in range(HOURS)
    )
    return rates, tuple(lengths)
