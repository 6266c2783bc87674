"""Windows put together, and their edges drawn as finely as it was measured."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations

from backups.saturation.grid import QUARTER, Grid, quarter_of
from backups.saturation.values import DAY_MINUTES, LEAST_SLOWER, Window

# Hours that mostly agree, on days that follow each other, were one window all the time.
_SAME_HOURS = 0.7
_APART = timedelta(days=4)
_EDGE = 60
_LEAST_SEEN = 3


def joined(windows: Sequence[Window]) -> list[Window]:
    """Put together what was found in parts: the same hours earlier and later, or on other days."""
    left = list(windows)
    while True:
        pair = next((each for each in combinations(left, 2) if _belong(*each)), None)
        if pair is None:
            return sorted(left, key=lambda each: (each.from_minute, each.weekdays))
        one, other = pair
        left = [each for each in left if each is not one and each is not other]
        left.append(_as_one(one, other))


def refined(window: Window, grid: Grid) -> Window:
    """Draw the edges to the quarter of an hour where so much was measured."""
    is_even = window.slower is None or window.slower < LEAST_SLOWER
    if is_even or not grid.quarters or window.minutes >= DAY_MINUTES - 2 * _EDGE:
        return window
    offs = _by_quarter(window, grid)
    half = math.log(window.slower or 1.0) / 2
    begins = _edge(offs, window.from_minute, half, into=1)
    ends = _edge(offs, window.from_minute + window.minutes, half, into=-1)
    if ends - begins < QUARTER:
        return window
    return replace(
        window,
        from_minute=begins % DAY_MINUTES,
        until_minute=(ends - 1) % DAY_MINUTES + 1,
    )


def _edge(offs: dict[int, float], minute: int, half: float, *, into: int) -> int:
    """Return where what is below the middle between good and bad begins, going inwards."""
    if not any((minute + off) % DAY_MINUTES in offs for off in range(-_EDGE, _EDGE, QUARTER)):
        return minute
    best, most = minute, -math.inf
    for edge in range(minute - _EDGE, minute + _EDGE + 1, QUARTER):
        inner = (
            range(edge, minute + _EDGE, QUARTER)
            if into > 0
            else range(minute - _EDGE, edge, QUARTER)
        )
        worth = sum(-offs.get(each % DAY_MINUTES, -half) - half for each in inner)
        if worth > most or (worth == most and edge == minute):
            best, most = edge, worth
    return best


def _by_quarter(window: Window, grid: Grid) -> dict[int, float]:
    """Return how good the quarters of the day are by the window's clock, while it was so."""
    found: dict[int, list[float]] = defaultdict(list)
    for number, off in grid.quarters.items():
        here = quarter_of(number, window.tz)
        if _is_within(window, here):
            found[here.hour * 60 + here.minute].append(off)
    return {
        minute: statistics.median(values)
        for minute, values in found.items()
        if len(values) >= _LEAST_SEEN
    }


def _is_within(window: Window, at: datetime) -> bool:
    hour = timedelta(minutes=_EDGE)
    begun = window.since_at is None or at >= window.since_at - hour
    over = window.until_at is not None and at >= window.until_at + hour
    # What ends after midnight has its end on the next day.
    past = (at.hour * 60 + at.minute - window.from_minute + _EDGE) % DAY_MINUTES
    day = (at - timedelta(minutes=past)).isoweekday()
    return begun and not over and day in window.weekdays


def _belong(one: Window, other: Window) -> bool:
    if one.tz != other.tz:
        return False
    first, second = _clock(one), _clock(other)
    if len(first & second) < _SAME_HOURS * len(first | second):
        return False
    if set(one.weekdays) & set(other.weekdays):
        return _follow(one, other) or _follow(other, one)
    return _overlap(one, other)


def _follow(one: Window, other: Window) -> bool:
    if one.until_at is None or other.since_at is None:
        return False
    return abs(other.since_at - one.until_at) <= _APART


def _overlap(one: Window, other: Window) -> bool:
    assert one.since_at is not None
    assert other.since_at is not None
    return abs(one.since_at - other.since_at) <= 2 * _APART and (
        (one.until_at is None) == (other.until_at is None)
    )


def _as_one(one: Window, other: Window) -> Window:
    sinces = [each.since_at for each in (one, other) if each.since_at is not None]
    untils = [each.until_at for each in (one, other)]
    return replace(
        one
        if one.until_at is None or (untils[1] is not None and one.until_at > untils[1])
        else other,
        weekdays=tuple(sorted({*one.weekdays, *other.weekdays})),
        since_at=min(sinces),
        until_at=None if None in untils else max(each for each in untils if each is not None),
    )


def _clock(window: Window) -> set[int]:
    begins = window.from_minute
    return {(begins + minute) % DAY_MINUTES for minute in range(0, window.minutes, QUARTER)}
