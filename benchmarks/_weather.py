"""Restores that never were: storages with weather of many kinds, machines, drills and disasters.

This knows nothing of the model that is measured with it, and shares no code with it. Every world is
drawn from its number alone: a storage by the minute for six weeks, a machine, earlier drills, what
was measured of the storage, and one disaster at the end of it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 44
_MINUTES = DAYS * 1440
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase as it went: points of (seconds since EPOCH, done)."""

    name: str
    unit: str
    amount: float
    points: tuple[tuple[float, float], ...]

    @property
    def began(self) -> float:
        return self.points[0][0]

    @property
    def ended(self) -> float:
        return self.points[-1][0]


@dataclass(frozen=True, slots=True)
class Run:
    """A restore from its first to its last phase."""

    phases: tuple[Phase, ...]
    is_here: bool
    rests: tuple[tuple[float, float], ...] = ()

    @property
    def began(self) -> float:
        return self.phases[0].began

    @property
    def ended(self) -> float:
        return self.phases[-1].ended


@dataclass(slots=True)
class Machine:
    """What a machine does in a second, by phase."""

    speeds: dict[str, float]
    line: float


class World:
    """One customer's storage, machines, database and history."""

    def __init__(self, dice: Random) -> None:
        self.random = dice
        self.rate = list(_storage(dice))
        self.quick = dice.uniform(0.05, 0.3)
        mean = sum(self.rate) / len(self.rate)
        # From a minute to most of a day of fetching.
        self.base_bytes = mean * math.exp(dice.uniform(math.log(60), math.log(10 * 3600)))
        self.wal_share = math.exp(dice.uniform(math.log(0.02), math.log(0.6)))
        self.here, self.there = _machine(dice, mean), _machine(dice, mean)
        self.between_runs = dice.uniform(0.05, 0.25)
        self.luck = dice.uniform(0.03, 0.2)
        self.drift = dice.uniform(0.03, 0.2)
        self.night = dice.random()
        self.probe_factor = dice.uniform(0.1, 0.9)
        self.probe_noise = dice.uniform(0.05, 0.35)

    def drills(self, count: int) -> list[Run]:
        """Return earlier restores, by day, of a database that was smaller then."""
        found = []
        for place in range(count):
            day = 40 - (count - place) * min(4.0, 38 / max(count, 1)) + self.random.uniform(0, 1)
            hour = self.random.choice((8, 9, 10, 11, 13, 14, 15, 16))
            began = (int(day) * 24 + hour) * 3600 + self.random.uniform(0, 3600)
            size = self.base_bytes * self.random.uniform(0.75, 1.0)
            elsewhere = self.random.random() < 0.15
            found.append(self._run(max(began, 3600.0), size, is_here=not elsewhere))
        return [run for run in found if run.ended < 41 * DAY]

    def measurements(self, days: int, every_minutes: int) -> list[tuple[float, float]]:
        """Return (seconds since EPOCH, bytes a second) as a probe would have found them."""
        end = int(self.disaster_at() / 60)
        found = []
        for minute in range(max(0, end - days * 1440), end, every_minutes):
            speed = self.rate[minute] * self.probe_factor
            found.append((minute * 60.0, speed * self.random.lognormvariate(0, self.probe_noise)))
        return found

    def measured_by(self, drills: Sequence[Run]) -> list[tuple[float, float]]:
        """Return what drills saw of the storage, minute by minute while they fetched."""
        found = []
        for run in drills:
            fetch = next(phase for phase in run.phases if phase.name == "FETCH")
            for minute in range(int(fetch.began / 60) + 1, int(fetch.ended / 60)):
                noise = self.random.lognormvariate(0, self.quick / 3)
                found.append((minute * 60.0, self.rate[minute % _MINUTES] * noise))
        return sorted(found)

    def disaster_at(self) -> float:
        """Return when it happens: at any hour, more often in the night."""
        hour = self.night * 48 if self.night < 0.2 else self.night * 24
        return (41 * 24 + hour) * 3600.0

    def disaster(self) -> Run:
        """Return the restore that counts."""
        began = self.disaster_at()
        rests: tuple[tuple[float, float], ...] = ()
        if self.random.random() < 0.15:
            begins = began + self.random.uniform(1, 6) * 3600
            rests = ((begins, begins + self.random.uniform(2, 8) * 3600),)
        return self._run(began, self.base_bytes, is_here=True, is_real=True, rests=rests)

    def _run(
        self,
        began: float,
        size: float,
        *,
        is_here: bool,
        is_real: bool = False,
        rests: tuple[tuple[float, float], ...] = (),
    ) -> Run:
        dice, machine = self.random, self.here if is_here else self.there
        wal = self.base_bytes * self.wal_share * dice.lognormvariate(0, 0.5)
        # Now and then a disaster is like none of the drills.
        is_odd = is_real and dice.random() < 0.15
        luck = dice.lognormvariate(0, 0.5 if is_odd else self.luck)
        spread = 0.5 if is_odd else self.between_runs
        phases: list[Phase] = []
        at = began

        def add(
            name: str, unit: str, amount: float, speed: Callable[[float, float], float]
        ) -> None:
            nonlocal at
            at += dice.uniform(0.0, 0.4)
            phases.append(_go(name, unit, amount, began=at, speed=speed, rests=rests))
            at = phases[-1].ended

        def wire(now: float, step: float) -> float:
            minute = self.rate[int(now / 60) % _MINUTES]
            noise = dice.lognormvariate(0, self.quick / math.sqrt(max(step / 5, 1)))
            return min(minute * luck * noise, machine.line)

        add("PLAN", "", 1, self._machine_speed(1, machine.speeds["PLAN"], spread))
        add("FETCH", "bytes", size + wal, wire)
        for name, unit, amount in (
            ("UNPACK", "bytes", size),
            ("REPLAY", "bytes", wal),
            ("VERIFY", "bytes", 3 * size),
            ("READY", "", 1),
        ):
            add(name, unit, amount, self._machine_speed(amount, machine.speeds[name], spread))
        return Run(tuple(phases), is_here, rests)

    def _machine_speed(
        self, amount: float, usual: float, spread: float
    ) -> Callable[[float, float], float]:
        """Return a speed that wanders as the content does, differently in each run."""
        dice = self.random
        mean = usual * dice.lognormvariate(0, spread)
        pieces = [0.0]
        for _piece in range(40):
            pieces.append(pieces[-1] * 0.9 + dice.gauss(0, self.drift))
        expected = amount / mean
        started: list[float] = []

        def speed(now: float, step: float) -> float:
            if not started:
                started.append(now)
            piece = min(int((now - started[0]) / expected * 25), len(pieces) - 1)
            noise = dice.lognormvariate(0, 0.15 / math.sqrt(max(step / 2, 1)))
            return mean * math.exp(pieces[piece]) * noise

        return speed


def _machine(dice: Random, wire: float) -> Machine:
    return Machine(
        speeds={
            "PLAN": 1 / math.exp(dice.uniform(math.log(0.5), math.log(8))),
            "UNPACK": math.exp(dice.uniform(math.log(80e6), math.log(900e6))),
            "REPLAY": math.exp(dice.uniform(math.log(15e6), math.log(200e6))),
            "VERIFY": math.exp(dice.uniform(math.log(60e6), math.log(1500e6))),
            "READY": 1 / math.exp(dice.uniform(math.log(0.7), math.log(15))),
        },
        line=wire * dice.uniform(1.2, 6),
    )


def _go(
    name: str,
    unit: str,
    amount: float,
    *,
    began: float,
    speed: Callable[[float, float], float],
    rests: tuple[tuple[float, float], ...],
) -> Phase:
    """Walk through a phase second by second where it is short, coarser where it is long."""
    at, done = began, 0.0
    points = [(at, 0.0)]
    step = 0.25
    while done < amount:
        for begins, ends in rests:
            if begins <= at < ends:
                at = ends
                points.append((at, done))
        step = 0.25 if at - began < 30 else 1.0 if at - began < 300 else 10.0
        now = speed(at, step)
        if now * step >= amount - done:
            at += (amount - done) / now
            done = amount
        else:
            at += step
            done += now * step
        points.append((at, done))
    return Phase(name, unit, amount, tuple(points))


def _storage(dice: Random) -> Iterator[float]:
    """Yield bytes a second for every minute of six weeks."""
    mean = math.exp(dice.uniform(math.log(5e6), math.log(300e6)))
    by_hours = _hours(dice)
    wander = _wander(dice)
    moods = _moods(dice)
    outages = _outages(dice)
    trend = dice.uniform(-0.3, 0.3)
    for minute in range(_MINUTES):
        speed = mean * next(by_hours) * next(wander) * next(moods)
        yield 0.0 if next(outages) else speed * math.exp(trend * minute / _MINUTES)


def _hours(dice: Random) -> Iterator[float]:
    kind = dice.choice(("none", "wave", "window", "window", "window", "office"))
    zone = dice.randrange(24)
    depth = dice.uniform(0.12, 0.6)
    length = dice.uniform(3, 8) * 60
    weekends = dice.random() < 0.6
    often = dice.uniform(0.8, 1.0)
    for day in range(DAYS):
        late = dice.gauss(0, 25)
        happens = dice.random() < often and (weekends or day % 7 < 5)
        tonight = min(1.0, depth * dice.lognormvariate(0, 0.2))
        for minute in range(1440):
            local = (minute + zone * 60) % 1440
            if kind == "wave":
                yield 1 - (1 - depth) * (0.5 + 0.5 * math.cos(2 * math.pi * local / 1440))
            elif kind == "window" and happens and late < local < late + length:
                yield tonight
            elif kind == "office" and day % 7 < 5 and 480 < local < 1080:
                yield 0.5 + depth / 2
            else:
                yield 1.0


def _wander(dice: Random) -> Iterator[float]:
    span = math.exp(dice.uniform(math.log(5), math.log(720)))
    strength = dice.uniform(0.05, 0.35)
    keep = math.exp(-1 / span)
    shock = strength * math.sqrt(1 - keep * keep)
    value = 0.0
    while True:
        value = value * keep + dice.gauss(0, shock)
        yield math.exp(value)


def _moods(dice: Random) -> Iterator[float]:
    """Yield the share that bad spells leave, which begin and end at once; half have none."""
    if dice.random() < 0.5:
        while True:
            yield 1.0
    good, bad = dice.uniform(12, 96) * 60, dice.uniform(0.3, 6) * 60
    is_good = True
    mood = 1.0
    while True:
        if dice.random() < 1 / (good if is_good else bad):
            is_good = not is_good
            mood = 1.0 if is_good else dice.uniform(0.25, 0.8)
        yield mood


def _outages(dice: Random) -> Iterator[bool]:
    if dice.random() < 0.4:
        while True:
            yield False
    between = math.exp(dice.uniform(math.log(5), math.log(400))) * 60
    median = math.exp(dice.uniform(math.log(1.5), math.log(25)))
    left = 0.0
    while True:
        if left <= 0 and dice.random() < 1 / between:
            left = median * dice.lognormvariate(0, 0.9)
        left -= 1
        yield left > 0


def moment(seconds: float) -> datetime:
    """Return a moment of the worlds as people write it."""
    return EPOCH + timedelta(seconds=seconds)
