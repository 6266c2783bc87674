"""How well ETAs hold: hundreds of simulated restores, each forecast at start and on its way.

Each restore has a storage of its own with weather of its own kind (``_weather``), a machine, and
more or less of a history, which ends before the restore begins. Targets: the 80 % range covers the
real end in 75 to 90 % at the start, a quarter, half and three quarters of the way; the median error
of the middle, against what was really left, is at most 15 % at half-way.

``python -m benchmarks.eta [COUNT] [--first NUMBER] [--plot FILE]``
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from backups.estimate import (
    Forecast,
    History,
    Learned,
    Past,
    Rest,
    Sample,
    Standing,
    Track,
    Work,
    forecast,
    learn,
)
from benchmarks._calibration import plot
from benchmarks._weather import Run, World, moment

MARKS = {"start": 0.0, "quarter": 0.25, "half": 0.5, "three quarters": 0.75}
DRILLS = (0, 1, 2, 4, 8, 16)
# Days of measuring, and minutes between two measures; or only what drills saw while they fetched.
BY_DRILLS = (-1, 1)
MEASURED = ((0, 60), (2, 15), (7, 30), (28, 60), BY_DRILLS)
SHARES = (0.5, 0.8)
COVERS = (0.75, 0.90)
ERROR = 0.15
# Where nothing is known at the start, these are the moments at which it is asked again, in seconds.
LATER = (10, 15, 20, 30, 45, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Result:
    """One forecast and what came true, in seconds from the moment of the forecast."""

    mark: str
    drills: int
    days: int
    said: Forecast
    truth: float
    phase: str
    whole: float

    @property
    def covers80(self) -> bool:
        return self.said.low80 <= self.truth <= self.said.high80

    @property
    def covers50(self) -> bool:
        return self.said.low50 <= self.truth <= self.said.high50

    @property
    def error(self) -> float:
        return abs(self.said.middle - self.truth) / self.truth

    @property
    def width(self) -> float:
        return (self.said.high80 - self.said.low80) / self.truth


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=240)
    parser.add_argument("--first", type=int, default=100_000)
    parser.add_argument("--plot", type=Path, default=Path("var/eta-calibration.svg"))
    options = parser.parse_args()
    results: list[Result] = []
    silent = 0
    for number in range(options.first, options.first + options.count):
        found, was_silent = simulate(number)
        results += found
        silent += was_silent
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    options.plot.write_text(
        plot({mark: [(r.said, r.truth) for r in results if r.mark == mark] for mark in MARKS})
    )
    return report(results, count=options.count, silent=silent, plotted=options.plot)


def simulate(number: int) -> tuple[list[Result], bool]:
    """Return one restore's forecasts, and whether nothing could be said at its start."""
    dice = Random(number)  # noqa: S311 - a number's world is always the same
    drills, (days, every) = dice.choice(DRILLS), dice.choice(MEASURED)
    world = World(dice)
    runs = world.drills(drills)
    by_drills = (days, every) == BY_DRILLS
    history = _history(
        runs, world.measured_by(runs) if by_drills else world.measurements(days, every)
    )
    run = world.disaster()
    whole = run.ended - run.began
    results = []
    silent = False
    learned: dict[str, Learned] = {}
    for mark, share in MARKS.items():
        asked = [run.began + share * whole]
        if share == 0:
            asked += [run.began + later for later in LATER if later < whole / 2]
        for at in asked:
            said, phase = _ask(run, history, learned, at)
            if said is not None:
                results.append(Result(mark, drills, days, said, run.ended - at, phase, whole))
                break
            silent = silent or share == 0
    return results, silent


def _history(drills: Sequence[Run], measured: Sequence[tuple[float, float]]) -> History:
    return History(
        past=[
            Past(
                phase=phase.name,
                began_at=moment(phase.began),
                seconds=phase.ended - phase.began,
                amount=phase.amount,
                unit=phase.unit,
                is_here=run.is_here,
            )
            for run in drills
            for phase in run.phases
        ],
        samples=[Sample(at=moment(at), rate=rate) for at, rate in measured],
    )


def _ask(
    run: Run, history: History, learned: dict[str, Learned], at: float
) -> tuple[Forecast | None, str]:
    """Ask the model what it would have been asked at this moment."""
    place = max(n for n, phase in enumerate(run.phases) if phase.began <= at or n == 0)
    phase = run.phases[place]
    track = Track()
    done = 0.0
    for when, amount in phase.points:
        if when > at:
            break
        done = amount
        if not any(begins <= when < ends for begins, ends in run.rests):
            track.note(when, done)
    if phase.name not in learned:
        learned[phase.name] = learn(history, at=moment(phase.began))
    still = 0.0 if _rests(run, at) else track.still_seconds(at)
    standing = Standing(
        at=moment(at),
        left=[
            Work(phase=phase.name, amount=phase.amount - done, unit=phase.unit),
            *(
                Work(phase=each.name, amount=each.amount, unit=each.unit)
                for each in run.phases[place + 1 :]
            ),
        ],
        windows=track.windows(),
        outages=track.outages(),
        still_seconds=still,
        rests=[Rest(begins_at=moment(begins), ends_at=moment(ends)) for begins, ends in run.rests],
    )
    return forecast(learned[phase.name], standing), phase.name


def _rests(run: Run, at: float) -> bool:
    return any(begins <= at < ends for begins, ends in run.rests)


def report(results: Sequence[Result], *, count: int, silent: int, plotted: Path) -> int:
    """Print what was found; 0 if the targets are met."""
    print(f"{count} restores; of {silent} nothing could be said at the start: asked again later")
    heads = ("80 %", "50 %", "error", "width", "before", "after")
    print(f"{'':24}{'asked':>6}" + "".join(f"{head:>8}" for head in heads))
    missed = []
    for mark in MARKS:
        of_mark = [result for result in results if result.mark == mark]
        _line(mark, of_mark)
        covered = statistics.fmean(result.covers80 for result in of_mark)
        if not COVERS[0] <= covered <= COVERS[1]:
            missed.append(f"80 % range at {mark}: {covered:.1%}")
    half = statistics.median(result.error for result in results if result.mark == "half")
    if half > ERROR:
        missed.append(f"median error at half: {half:.1%}")
    for name, key in (
        ("drills", lambda r: f"{r.drills:3}"),
        ("measured", lambda r: "by drills" if r.days < 0 else f"{r.days:2} days"),
        ("phase", lambda r: r.phase),
        ("length", lambda r: _length(r.whole)),
    ):
        groups: dict[str, list[Result]] = defaultdict(list)
        for result in results:
            groups[key(result)].append(result)
        for value in sorted(groups):
            _line(f"  {name} {value}", groups[value])
    print(f"calibration plot: {plotted}")
    print("targets met" if not missed else "missed: " + "; ".join(missed))
    return 1 if missed else 0


def _length(seconds: float) -> str:
    bounds = (("under 05 min", 300), ("under 1 h", 3600), ("under 5 h", 18000))
    return next((name for name, most in bounds if seconds < most), "longer")


def _line(name: str, results: Sequence[Result]) -> None:
    def share(values: Sequence[bool]) -> str:
        return f"{statistics.fmean(values):8.1%}"

    print(
        f"{name:24}{len(results):6}"
        f"{share([r.covers80 for r in results])}{share([r.covers50 for r in results])}"
        f"{statistics.median(r.error for r in results):8.1%}"
        f"{statistics.median(r.width for r in results):8.2f}"
        f"{share([r.truth < r.said.low80 for r in results])}"
        f"{share([r.truth > r.said.high80 for r in results])}"
    )


if __name__ == "__main__":
    sys.exit(main())
