"""A restore's rest, walked through some hundred times.

Each trial draws a speed for every phase that is left and walks through them: through the hours of
the day, through outages, past the times at which nothing is done. The dice are always the same, so
that the same knowledge gives the same answer, and little news moves it little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from statistics import NormalDist

from backups.estimate.belief import View, follow, quick_variance, views_of
from backups.estimate.hours import HOURS
from backups.estimate.pasts import Level, level_of
from backups.estimate.values import History, Standing, Window, Work
from backups.estimate.weather import HOUR_SECONDS, Spell, Weather

FETCH = "FETCH"
TRIALS = 240
_SEED = 4
# The steps of a middling walk, and how many any walk takes at most.
_STEPS = 32
_MOST_STEPS = 800
_LONGEST_STEP = 1800.0
_CELL = 900.0
# The weather of phases that run on the machine alone.
_MACHINE_SCATTER = 0.35
_MACHINE_SPELLS = tuple(
    Spell(span, weight, 1.0, 0.0, 1.0)
    for span, weight in ((60.0, 0.3), (600.0, 0.4), (7200.0, 0.3))
)
# What was measured was work of another kind, with fewer requests at once: this much slower.
_AGAINST_SAMPLE = (math.log(1.3), 0.7**2)
_NEVER_SEEN = Level(mean=math.log(30e6), variance=2.0**2, wild=0.1, runs=0)
# What is under way in a dozen requests at once, and counted only when a piece is whole.
_LUMP_BYTES = 8e6
# How long a phase must have run before it says anything where nothing else does.
_SHORTEST_SECONDS = 12.0
# How long it has run is told in steps: a figure that changes all the time is no news.
_TOLD_SECONDS = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, *range(3600, 720 * 3600, 3600))
# What the outages of this run weigh against those of before, in hours of watching.
_WATCHED_HOURS = 3.0
# Starting, stopping and looking take moments that no phase shows.
_BLUR_SECONDS = 1.0
# No model is better than this.
_FLOOR_VARIANCE = 0.07**2
# How much further a wild case strays.
_WILD = 2.5


@dataclass(frozen=True, slots=True)
class _Draw:
    """One trial's speed: a level, the weather now and how it goes on."""

    level: float
    weather: float
    span_seconds: float
    strength: float
    spread: float
    hours: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Cell:
    usual: float
    effect: float
    outages: float
    hour: int


class Trials:
    """All trials of one standing."""

    def __init__(
        self, history: History, weather: Weather, standing: Standing, *, learned_at: datetime
    ) -> None:
        self._history = history
        # The outages of this run are the likeliest measure of the next.
        self._weather = replace(
            weather, outage_seconds=(*weather.outage_seconds, *standing.outages)
        )
        self._standing = standing
        self._learned_at = learned_at
        self._random = Random(_SEED)  # noqa: S311 - dice, not secrets
        self._cells: list[_Cell] = []
        self._levels = [self._level(work) for work in standing.left]
        self._rests = sorted(
            (self._seconds(rest.begins_at), self._seconds(rest.ends_at)) for rest in standing.rests
        )
        self._outage_factor = self._more_outages()

    def can_tell(self) -> bool:
        """Whether enough is known of every phase."""
        first, *later = self._levels
        return all(later) and (first is not None or self._seen() >= _SHORTEST_SECONDS)

    def basis(self) -> str:
        """Name what the answer rests on."""
        runs = max((level.runs for level in self._levels if level is not None), default=0)
        parts = [f"past:{runs}"] if runs else []
        if self._weather.days and any(work.phase == FETCH for work in self._standing.left):
            parts.append(f"hours:{self._weather.days}")
        if self._seen() >= _SHORTEST_SECONDS:
            parts.append(f"last:{max(step for step in _TOLD_SECONDS if step <= self._seen())}")
        return ",".join(parts) or "usual:"

    def ends(self) -> list[float]:
        """Return in how many seconds each trial ends."""
        ends = [0.0] * TRIALS
        for place, (work, level) in enumerate(zip(self._standing.left, self._levels, strict=True)):
            if work.phase == FETCH:
                ends = self._fetch(work, level or _NEVER_SEEN, ends, is_running=place == 0)
            elif place == 0 and self._standing.windows:
                ends = self._running(work, level or _NEVER_SEEN, ends)
            elif level is not None:
                ends = self._coming(work, level, ends)
        # Nobody looks oftener than every two seconds.
        return [
            max(0.0, end + _BLUR_SECONDS * normal)
            for end, normal in zip(ends, self._normals(), strict=True)
        ]

    def _seen(self) -> float:
        windows = self._standing.windows
        return -windows[0].begin if windows else 0.0

    def _seconds(self, at: datetime) -> float:
        return (at - self._standing.at).total_seconds()

    def _level(self, work: Work) -> Level | None:
        is_fetch = work.phase == FETCH
        known = level_of(
            self._history.past,
            phase=work.phase,
            unit=work.unit,
            amount=work.amount,
            at=self._standing.at,
            usual_then=self._usual_over if is_fetch else (lambda _at, _seconds: 0.0),
        )
        if known is None and is_fetch and self._weather.level is not None:
            more, variance = _AGAINST_SAMPLE
            return Level(mean=self._weather.level + more, variance=variance, wild=0.1, runs=0)
        return known

    def _usual_over(self, at: datetime, seconds: float) -> float:
        """Return what the hours took from or gave to the mean speed of a fetch."""
        parts = max(1, min(48, int(seconds / HOUR_SECONDS * 2)))
        speeds = [
            math.exp(self._weather.usual(at + timedelta(seconds=seconds * (part + 0.5) / parts)))
            for part in range(parts)
        ]
        return math.log(sum(speeds) / parts)

    def _more_outages(self) -> float:
        """Return how much oftener than before outages begin, by what this run has seen."""
        usual = sum(self._weather.outages_an_hour) / HOURS
        seen = len(self._standing.outages)
        hours = self._seen() / HOUR_SECONDS
        return ((usual * _WATCHED_HOURS + seen) / (_WATCHED_HOURS + hours)) / usual

    def _normals(self) -> list[float]:
        """Return normal draws that cover the bell evenly, in no order."""
        bell = NormalDist()
        draws = [bell.inv_cdf((place + 0.5) / TRIALS) for place in range(TRIALS)]
        self._random.shuffle(draws)
        return draws

    # A phase to come

    def _coming(self, work: Work, level: Level, starts: Sequence[float]) -> list[float]:
        spread = math.sqrt(level.variance + _FLOOR_VARIANCE)
        wild = [self._random.random() < level.wild for _trial in starts]
        return [
            self._past_rests(
                start,
                work.amount / math.exp(level.mean + spread * normal * (_WILD if far else 1.0)),
            )
            for start, normal, far in zip(starts, self._normals(), wild, strict=True)
        ]

    # The phase that runs

    def _running(self, work: Work, level: Level, starts: Sequence[float]) -> list[float]:
        views = follow(
            views_of(level, _MACHINE_SPELLS),
            self._standing.windows,
            waited=0.0,
            lump=0.0,
            effect=lambda _at: _MACHINE_SCATTER,
            usual=lambda _at: 0.0,
        )
        return [
            self._walk(start, work.amount, draw, plain=True)
            for start, draw in zip(starts, self._draws(views), strict=True)
        ]

    def _draws(self, views: Sequence[View], hours: Sequence[Sequence[float]] = ()) -> list[_Draw]:
        ladder = list(accumulate(view.weight for view in views))
        places = [(trial + 0.5) / TRIALS * ladder[-1] for trial in range(TRIALS)]
        chosen = []
        at = 0
        for place in places:
            while ladder[at] < place and at < len(views) - 1:
                at += 1
            chosen.append(views[at])
        self._random.shuffle(chosen)
        found = []
        for trial, (view, one, other) in enumerate(
            zip(chosen, self._normals(), self._normals(), strict=True)
        ):
            spread = math.sqrt(max(view.level_variance, 1e-9))
            shared = view.shared / spread
            rest = math.sqrt(max(view.weather_variance - shared * shared, 0.0))
            found.append(
                _Draw(
                    level=view.level + spread * one,
                    weather=view.weather + shared * one + rest * other,
                    span_seconds=view.span_seconds,
                    strength=view.strength,
                    spread=view.spread,
                    hours=hours[trial] if hours else (),
                )
            )
        return found

    def _fetch(
        self, work: Work, level: Level, starts: Sequence[float], *, is_running: bool
    ) -> list[float]:
        weather = self._weather
        windows = self._standing.windows if is_running else ()
        since = self._seconds(self._learned_at)
        views = views_of(level, weather.spells)
        if windows:
            views = follow(
                views,
                windows,
                waited=windows[0].middle - since,
                lump=_LUMP_BYTES,
                effect=lambda at: self._cell(at).effect,
                usual=lambda at: weather.usual(self._standing.at + timedelta(seconds=at)),
            )
        else:
            views = [view.after(-since) for view in views]
        hours = [self._hours(views, windows, level) for _trial in range(TRIALS)]
        return [
            self._walk(self._past_rests(start, self._rest_of_outage()), work.amount, draw)
            for start, draw in zip(starts, self._draws(views, hours), strict=True)
        ]

    def _hours(
        self, views: Sequence[View], windows: Sequence[Window], level: Level
    ) -> Sequence[float]:
        """Return one way in which the hours may differ from what was learned of them.

        The hours at which the level was seen are its anchor: there is no doubt about them twice.
        """
        weather = self._weather
        off = weather.hours.draw(self._random)
        if weather.apart is not None:
            apart = weather.apart[1 if self._standing.at.weekday() >= 5 else 0]  # noqa: PLR2004
            off = [one + other for one, other in zip(off, apart.draw(self._random), strict=True)]
        before = sum(view.weight * view.level_before for view in views)
        now = sum(view.weight * view.level_variance for view in views)
        told = max(0.0, 1 - now / before) if windows else 0.0
        anchor = 0.0
        if windows:
            seen = [off[self._cell(each.middle).hour] for each in windows]
            anchor += told * sum(seen) / len(seen)
        if level.began:
            drilled = [off[at.hour] for at in level.began]
            anchor += (1 - told) * sum(drilled) / len(drilled)
        return [value - anchor for value in off]

    def _rest_of_outage(self) -> float:
        still = self._standing.still_seconds
        if not still:
            return 0.0
        for _try in range(20):
            whole = self._weather.outage(self._random)
            if whole > still:
                return whole - still
        # Longer than all that is known: it may well last as long again.
        return still * self._random.uniform(0.1, 2.0)

    def _cell(self, seconds: float) -> _Cell:
        if seconds < 0:
            return self._cell_at(seconds)
        place = int(seconds / _CELL)
        while len(self._cells) <= place:
            self._cells.append(self._cell_at((len(self._cells) + 0.5) * _CELL))
        return self._cells[place]

    def _cell_at(self, seconds: float) -> _Cell:
        at = self._standing.at + timedelta(seconds=seconds)
        weather = self._weather
        return _Cell(
            usual=weather.usual(at),
            effect=weather.scatter[at.hour],
            outages=weather.outages_an_hour[at.hour] * self._outage_factor,
            hour=at.hour,
        )

    def _walk(self, start: float, amount: float, draw: _Draw, *, plain: bool = False) -> float:
        """Return when a trial that begins there is through."""
        random = self._random
        usual = amount / math.exp(draw.level)
        level = draw.level + random.gauss(0.0, math.sqrt(quick_variance(usual) + _FLOOR_VARIANCE))
        step = min(max(usual / _STEPS, 0.05), _LONGEST_STEP)
        keep = math.exp(-step / draw.span_seconds)
        shock = math.sqrt(draw.spread * (1 - keep * keep))
        at, weather, speed = start, draw.weather, math.exp(level)
        effect = _MACHINE_SCATTER
        for _step in range(_MOST_STEPS):
            more = 0.0
            if not plain:
                cell = self._cell(at)
                effect, more = cell.effect, cell.usual + draw.hours[cell.hour]
                if random.random() < cell.outages * step / HOUR_SECONDS:
                    at = self._past_rests(at, self._weather.outage(random))
            speed = math.exp(level + more + effect * draw.strength * weather)
            if amount <= speed * step:
                break
            amount -= speed * step
            at = self._past_rests(at, step)
            weather = keep * weather + shock * random.gauss(0.0, 1.0)
        return self._past_rests(at, amount / speed)

    def _past_rests(self, at: float, seconds: float) -> float:
        """Return when so many seconds of work that begin there are done."""
        for begins, ends in self._rests:
            if ends <= at:
                continue
            if begins >= at + seconds:
                break
            if at < begins:
                seconds -= begins - at
            at = ends
        return at + seconds
