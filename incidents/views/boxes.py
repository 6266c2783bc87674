"""Medians and quartiles as geometry: a template draws them, with a table of the same figures.

Nothing is drawn here that the table does not say, so that a plot needs no reader's eyes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from incidents.queries import Group

WIDTH = 360
# Room at both ends, so that the figures of the scale are not cut off.
_SIDE = 24
_ROW, _LABEL, _BAR = 38, 13, 12
_SCALE = 22
# What took less than a minute lies at the edge: who reads this plans in minutes.
_MINUTE = 60
_RULES = (
    (60, "1 min"),
    (600, "10 min"),
    (3600, "1 h"),
    (6 * 3600, "6 h"),
    (86_400, "1 d"),
    (7 * 86_400, "7 d"),
    (30 * 86_400, "30 d"),
    (365 * 86_400, "1 y"),
    (10 * 365 * 86_400, "10 y"),
)
# A median that is known to the second is drawn all the same.
_THINNEST = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One group: from lower to upper quartile, and the median, a range where that is one.

    ``y`` is that of its name, ``bar`` that of what is drawn below. Without quartiles, nothing is.
    """

    group: Group
    y: float
    bar: float
    x: float = 0.0
    width: float = 0.0
    median_x: float = 0.0
    median_width: float = 0.0

    @property
    def is_drawn(self) -> bool:
        return self.group.middle.median is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Groups one below the other, on a scale on which ten times as long is one step further."""

    name: str
    title: str
    width: int
    height: int
    base: int
    bar_height: int
    boxes: Sequence[Box]
    rules: Sequence[tuple[float, str]]


def boxes(name: str, title: str, groups: Sequence[Group]) -> Boxes:
    """Return the plot of these groups, in their order."""
    longest = [
        group.middle.upper.high.total_seconds()
        for group in groups
        if group.middle.upper is not None
    ]
    top = max([*longest, 10 * _MINUTE])
    end = next((seconds for seconds, _label in _RULES if seconds >= top), top)
    base = _ROW * len(groups)
    return Boxes(
        name=name,
        title=title,
        width=WIDTH,
        height=base + _SCALE,
        base=base,
        bar_height=_BAR,
        boxes=[_box(group, place, end) for place, group in enumerate(groups)],
        rules=[(_x(seconds, end), label) for seconds, label in _RULES if seconds <= end],
    )


def _box(group: Group, place: int, end: float) -> Box:
    y, bar = float(place * _ROW + _LABEL), float(place * _ROW + _LABEL + 6)
    middle = group.middle
    if middle.lower is None or middle.median is None or middle.upper is None:
        return Box(group=group, y=y, bar=bar)
    left, right = _at(middle.lower.low, end), _at(middle.upper.high, end)
    least, most = _at(middle.median.low, end), _at(middle.median.high, end)
    return Box(
        group=group,
        y=y,
        bar=bar,
        x=left,
        width=round(max(right - left, _THINNEST), 1),
        median_x=round(least - max(_THINNEST - (most - least), 0.0) / 2, 1),
        median_width=round(max(most - least, _THINNEST), 1),
    )


def _at(length: timedelta, end: float) -> float:
    return _x(length.total_seconds(), end)


def _x(seconds: float, end: float) -> float:
    """Return where a length lies: one of a minute or less at the left edge."""
    share = math.log(max(seconds, _MINUTE) / _MINUTE) / math.log(end / _MINUTE)
    return round(_SIDE + min(share, 1.0) * (WIDTH - 2 * _SIDE), 1)
