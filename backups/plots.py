"""Plots as geometry: a template draws them, with a table of the same figures beside them.

Nothing is drawn here that the table does not say, so that a plot needs no reader's eyes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 640, 180
# Room for the figures at the left, and for the dates below.
LEFT, BOTTOM, TOP, RIGHT = 64, 22, 8, 8
_STEPS = (1, 2, 2.5, 5, 10)
_LINES = 4

Told = Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A figure at a moment, with how far it may be off, where that is known."""

    at: datetime
    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across a plot: what was decided. ``y`` is where it lies."""

    label: str
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A figure on the scale, and where it lies."""

    y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Figures over time, ready to be drawn into a box of ``width`` by ``height``.

    ``lines`` and ``band`` are paths; a gap in what is known is a gap in them. ``dots`` are single
    figures with nothing known beside them. ``rows`` are all of the figures in words, oldest first.
    """

    title: str
    name: str
    width: int
    height: int
    left: int
    right: int
    base: int
    lines: Sequence[str]
    band: str
    dots: Sequence[tuple[float, float]]
    scale: Sequence[Rule]
    marks: Sequence[Mark]
    dates: Sequence[tuple[float, datetime]]
    rows: Sequence[tuple[datetime, str, str]]


def plotted(
    title: str,
    points: Sequence[Point],
    *,
    told: Told,
    name: str,
    limit: float | None = None,
    limit_label: str = "",
    gap: timedelta | None = None,
) -> Plot | None:
    """Return a plot of figures in order of time; None if there are fewer than two of them.

    ``told`` says a figure in words. ``limit`` is drawn as a line across. Where two figures lie
    further apart than ``gap``, nothing is known between them.
    """
    known = [point for point in points if point.value is not None]
    if len(known) <= 1:
        return None
    tops = [value for point in known for value in (point.value, point.high) if value is not None]
    top = _top(max([*tops, limit or 0.0]))
    begins, ends = known[0].at, known[-1].at
    place = _Place(begins, max((ends - begins).total_seconds(), 1.0), top)
    pieces = _pieces(points, gap)
    return Plot(
        title=title,
        name=name,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        base=HEIGHT - BOTTOM,
        lines=[place.line(piece) for piece in pieces if len(piece) > 1],
        band=" ".join(filter(None, (place.band(piece) for piece in pieces))),
        dots=[place.of(piece[0].at, piece[0].value or 0.0) for piece in pieces if len(piece) == 1],
        scale=[
            Rule(y=place.y(top * step / _LINES), label=told(top * step / _LINES))
            for step in range(_LINES + 1)
        ],
        marks=[] if limit is None else [Mark(label=limit_label, y=place.y(limit))],
        dates=[(place.x(at), at) for at in (begins, begins + (ends - begins) / 2, ends)],
        rows=[_row(point, told) for point in points],
    )


class _Place:
    """Where figures lie in the box."""

    def __init__(self, begins: datetime, seconds: float, top: float) -> None:
        self._begins, self._seconds, self._top = begins, seconds, top

    def x(self, at: datetime) -> float:
        share = (at - self._begins).total_seconds() / self._seconds
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = min(value / self._top, 1.0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)

    def of(self, at: datetime, value: float) -> tuple[float, float]:
        return self.x(at), self.y(value)

    def line(self, piece: Sequence[Point]) -> str:
        return "M" + "L".join(f"{self.x(p.at)} {self.y(p.value or 0.0)}" for p in piece)

    def band(self, piece: Sequence[Point]) -> str:
        """Return the outline of what is likely, there and back; empty if nobody said."""
        if len(piece) <= 1 or any(point.low is None or point.high is None for point in piece):
            return ""
        there = "L".join(f"{self.x(p.at)} {self.y(p.high or 0.0)}" for p in piece)
        back = "L".join(f"{self.x(p.at)} {self.y(p.low or 0.0)}" for p in reversed(piece))
        return f"M{there}L{back}Z"


def _pieces(points: Sequence[Point], gap: timedelta | None) -> list[list[Point]]:
    """Part the figures where nothing is known in between."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        is_apart = gap is not None and pieces[-1] and point.at - pieces[-1][-1].at > gap
        if point.value is None or is_apart:
            pieces.append([])
        if point.value is not None:
            pieces[-1].append(point)
    return [piece for piece in pieces if piece]


def _top(highest: float) -> float:
    """Return a round figure above the highest one: 1, 2, 2.5 or 5 times a power of ten."""
    power = 1.0
    while power * 10 < highest:
        power *= 10
    while power > highest > 0:
        power /= 10
    return next(step * power for step in _STEPS if step * power >= highest) if highest else 1.0


def _row(point: Point, told: Told) -> tuple[datetime, str, str]:
    if point.value is None:
        return point.at, "not known", ""
    span = ""
    if point.low is not None and point.high is not None:
        span = f"{told(point.low)} to {told(point.high)}"
    return point.at, told(point.value), span
