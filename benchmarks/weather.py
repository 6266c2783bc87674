"""How well saturation windows are found: more than a hundred simulated storages, hour by hour.

Each storage is measured for four to nine weeks around a change of the clocks, each hour or each
quarter of it, with noise, a gentle wave over the day, lasting bad spells, single outages, hours and
days that are missing, and changes of its line's level. A third has no window, the others one or
two: on every day, those of the week, the weekend or one weekday, over midnight or not, in UTC or by
the clock of a zone (which is not always the one that is said of the provider), there from the
start, begun later, or over since; slower, with errors, or both; on some nights it does not come.

A window that came on fewer than four days that were measured for the most of it counts neither as
true nor, if it is found, as wrong. A window that was found matches a true one if the two share at
least 70 % of their hours in the weeks that were measured (of those in either, by the moments that
each covers), and if the found one is over exactly if the true one is. Each matches one other at
most. Precision is the share of found windows that match, recall that of true ones. Targets: 0.95.

``python -m benchmarks.weather [COUNT] [--first NUMBER] [--missed]``
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

from backups.saturation import Reading, Window, find_windows
from backups.saturation.values import EVERY_DAY

TARGET = 0.95
SHARED = 0.7
SEEN = 4
ZONES = ("UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata")
# Clocks change in many zones on these days; a trace has them anywhere, or not at all.
CHANGES = (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC))
DAYSETS = (EVERY_DAY, EVERY_DAY, EVERY_DAY, (1, 2, 3, 4, 5), (6, 7), (1,), (6,))
HOUR = timedelta(hours=1)
QUARTER = HOUR / 4
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Trace:
    """One storage: what was measured of it, and the truth."""

    number: int
    readings: Sequence[Reading]
    truth: Sequence[Window]
    # Those that hardly came, or were hardly measured.
    faint: Sequence[Window]
    zones: Sequence[str]
    begins_at: datetime
    ends_at: datetime


class Storage:
    """Draws one storage."""

    def __init__(self, number: int) -> None:
        self.dice = dice = Random(number)  # noqa: S311 - a number's storage is always the same
        self.number = number
        self.days = dice.randint(28, 63)
        self.begins_at = dice.choice(CHANGES) - timedelta(days=dice.randint(-5, self.days))
        self.begins_at = self.begins_at.replace(hour=dice.randrange(24))
        self.ends_at = self.begins_at + timedelta(days=self.days)
        # What is said of the provider's zone is not always so.
        self.said = dice.choice(ZONES)
        self.tz = dice.choice((self.said, self.said, "UTC"))
        self.truth = self._windows(dice.choice((0, 1, 1, 1, 2, 0)))
        self.wave = dice.uniform(0, 0.18), dice.uniform(0, 24)
        self.noise = dice.uniform(0.08, 0.32)
        self.level_shifts = sorted(
            (dice.uniform(0, self.days), dice.choice((-1, 1)) * dice.uniform(0.2, 0.9))
            for _shift in range(dice.choice((0, 0, 1, 2)))
        )
        self.missing = dice.choice((0.0, 0.02, 0.1, 0.25))
        self.every = dice.choice((15, 60))
        # Which of its nights each window leaves out.
        self.absent: dict[object, bool] = {}

    def _windows(self, count: int) -> list[Window]:
        windows: list[Window] = []
        while len(windows) < count:
            new = self._window()
            if all(_apart(new, other) for other in windows):
                windows.append(new)
        return windows

    def _window(self) -> Window:
        dice = self.dice
        weekdays = dice.choice(DAYSETS)
        begins = dice.randrange(24) * 60
        hours = dice.randint(2, 9)
        slower = dice.choice((1.0, *(dice.uniform(2, 8) for _each in range(5))))
        kind = dice.choice(("always", "always", "begun", "over"))
        since = until = None
        # It has come at least four times on a weekday, seven on others.
        least = 28 if len(weekdays) < 5 else 10  # those of the week
        if kind == "begun":
            since = self.ends_at - timedelta(days=dice.randint(least, max(least, self.days - 6)))
        if kind == "over":
            weeks = 17 if len(weekdays) < 5 else 6  # as above
            past = dice.randint(weeks, max(weeks, self.days - least))
            until = self.ends_at - timedelta(days=past)
            if until - self.begins_at < timedelta(days=least):
                until = None
        return Window(
            weekdays=weekdays,
            from_minute=begins,
            until_minute=(begins + hours * 60 - 1) % 1440 + 1,
            tz=self.tz,
            slower=slower,
            error_share=dice.uniform(0.2, 0.5) if slower == 1 else dice.choice((0.0, 0.11, 0.3)),
            since_at=since,
            until_at=until,
        )

    def trace(self) -> Trace:
        readings = list(self._readings())
        faint = [window for window in self.truth if self._seen(window, readings) < SEEN]
        return Trace(
            self.number, readings, [each for each in self.truth if each not in faint], faint,
            (self.said, "UTC"), self.begins_at, self.ends_at,
        )  # fmt: skip

    def _seen(self, window: Window, readings: Sequence[Reading]) -> int:
        """Return on how many days a window came and was measured for the most of it."""
        hours = {each.at.replace(minute=0, second=0, microsecond=0) for each in readings}
        seen = 0
        for begins, ends in window.stretches(self.begins_at, self.ends_at):
            count = round((ends - begins) / HOUR)
            first = begins.replace(minute=0, second=0, microsecond=0)
            measured = sum(first + place * HOUR in hours for place in range(count))
            came = not self.absent.get((window.from_minute, begins), True)
            seen += came and measured > count / 2
        return seen

    def _readings(self) -> Iterator[Reading]:
        dice = self.dice
        spell = slow = gap = 0.0
        at = self.begins_at
        while at < self.ends_at:
            hours = self.every / 60
            at += timedelta(minutes=self.every)
            # A bad spell, an outage, or nobody measuring, each for a while.
            spell = spell - hours if spell > 0 else _begins(dice, hours, every=220, lasts=5)
            if spell <= 0:
                slow = dice.uniform(0.3, 1.3)
            gap = gap - hours if gap > 0 else _begins(dice, hours, every=400, lasts=14)
            if gap > 0 or dice.random() < self.missing:
                continue
            # Nobody measures on the minute.
            when = at + timedelta(minutes=dice.uniform(0, self.every))
            now = [window for window in self.truth if window.covers(when)]
            now = [window for window in now if not self._stays_away(window, when)]
            yield self._reading(when, now, slow if spell > 0 else 0.0)

    def _reading(self, at: datetime, now: Sequence[Window], slow: float) -> Reading:
        dice = self.dice
        days = (at - self.begins_at) / DAY
        size, top = self.wave
        speed = math.log(40e6) - slow + dice.gauss(0, self.noise)
        speed += size * math.cos((at.hour - top) / 24 * math.tau)
        speed += sum(shift for since, shift in self.level_shifts if days >= since)
        speed -= sum(math.log(window.slower or 1) for window in now)
        if dice.random() < 0.01:  # an outlier
            speed -= dice.uniform(1, 3)
        share = max([0.01, *(window.error_share or 0.0 for window in now)])
        asked = 4
        failed = sum(dice.random() < share for _request in range(asked))
        if dice.random() < 0.002:  # an outage
            return Reading(at=at, asked=asked, failed=asked)
        return Reading(at=at, speed=math.exp(speed), asked=asked, failed=failed)

    def _stays_away(self, window: Window, at: datetime) -> bool:
        begins = next((begun for begun, _ends in window.stretches(at, at + HOUR)), at)
        key = (window.from_minute, begins)
        if key not in self.absent:
            self.absent[key] = self.dice.random() < 0.08  # one night in twelve
        return self.absent[key]


def _begins(dice: Random, hours: float, *, every: float, lasts: float) -> float:
    return dice.expovariate(1 / lasts) if dice.random() < hours / every else 0.0


def _apart(one: Window, other: Window) -> bool:
    """Say whether two windows have at least two hours between them, on any day."""
    wide = replace(
        one,
        from_minute=(one.from_minute - 120) % 1440,
        until_minute=(one.from_minute + one.minutes + 119) % 1440 + 1,
        weekdays=EVERY_DAY,
    )
    return not wide.week() & replace(other, weekdays=EVERY_DAY).week()


def shared(one: Window, other: Window, trace: Trace) -> float:
    """Return which share of the hours that lie in either lies in both."""
    both = either = 0
    at = trace.begins_at
    while at < trace.ends_at:
        first, second = one.covers(at), other.covers(at)
        both += first and second
        either += first or second
        at += QUARTER
    return both / either if either else 0.0


def matches(trace: Trace, found: Sequence[Window]) -> list[tuple[Window, Window]]:
    """Return which true window is which of those that were found."""
    left = list(found)
    pairs = []
    for true in trace.truth:
        best = max(left, key=lambda window: shared(true, window, trace), default=None)
        if best is None or shared(true, best, trace) < SHARED:
            continue
        if (best.until_at is None) == (true.until_at is None):
            left.remove(best)
            pairs.append((true, best))
    return pairs


def _is_faint(window: Window, trace: Trace) -> bool:
    return any(shared(faint, window, trace) >= SHARED for faint in trace.faint)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=160)
    parser.add_argument("--first", type=int, default=50_000)
    parser.add_argument("--missed", action="store_true", help="show what was not found, or wrongly")
    options = parser.parse_args()
    began = time.monotonic()
    right = found_in_all = true_in_all = alone = 0
    factors = []
    for number in range(options.first, options.first + options.count):
        trace = Storage(number).trace()
        found = find_windows(trace.readings, at=trace.ends_at, zones=trace.zones)
        found = [window for window in found if not _is_faint(window, trace)]
        pairs = matches(trace, found)
        right += len(pairs)
        found_in_all += len(found)
        true_in_all += len(trace.truth)
        alone += not trace.truth
        factors += [abs(math.log((one.slower or 1) / (true.slower or 1))) for true, one in pairs]
        if options.missed and not len(pairs) == len(found) == len(trace.truth):
            _show(trace, found)
    precision, recall = right / max(found_in_all, 1), right / max(true_in_all, 1)
    print(f"{options.count} storages, {alone} of them without a window; ", end="")
    print(f"{true_in_all} windows, {found_in_all} found, {right} of them right")
    print(f"precision {precision:.3f}, recall {recall:.3f}")
    print(f"median error of the factor {math.expm1(statistics.median(factors)):.0%}")
    print(f"{(time.monotonic() - began) / options.count:.2f} s a storage")
    is_met = min(precision, recall) >= TARGET
    print("targets met" if is_met else f"missed: {TARGET} each")
    return 0 if is_met else 1


def _show(trace: Trace, found: Sequence[Window]) -> None:
    print(f"{trace.number}: {trace.begins_at:%Y-%m-%d} to {trace.ends_at:%Y-%m-%d}")
    for true in trace.truth:
        print(f"  true  {true.words}")
    for one in found:
        print(f"  found {one.words}")


if __name__ == "__main__":
    sys.exit(main())
