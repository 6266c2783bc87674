"""How a phase has gone since it began, in few points however long it takes."""

from collections.abc import Sequence
from itertools import pairwise

from backups.estimate.values import Window

_POINTS = 160
_WINDOWS = 30
# What arrives comes in lumps; a shorter stretch says more about these than about speed.
_LUMP_SECONDS = 15.0
# Silence of this length is no hiccup.
OUTAGE_SECONDS = 30.0


class Track:
    """The points of a phase: when, and how much was done. Seconds count on any one clock."""

    def __init__(self) -> None:
        self._points: list[tuple[float, float]] = []
        self._stills: list[tuple[float, float]] = []
        self._newest = (0.0, 0.0)
        self._moved_at = 0.0
        self._gap = 1.0

    def go_on(self, points: Sequence[tuple[float, float]]) -> None:
        """Begin with what was measured before, as if it had been noted; the oldest point first."""
        self._points = list(points)
        self._newest = self._points[-1]
        self._moved_at = self._newest[0]

    def note(self, at_seconds: float, done: float) -> None:
        """Take down how much is done. Less than before starts the track anew."""
        if not self._points or done < self._newest[1]:
            self._points = [(at_seconds, done)]
            self._stills = []
            self._newest, self._moved_at, self._gap = (at_seconds, done), at_seconds, 1.0
            return
        if done > self._newest[1]:
            if at_seconds - self._moved_at >= OUTAGE_SECONDS:
                # What came at the end of it came quickly: it is counted to the silence.
                self._stills.append((self._moved_at, at_seconds))
            self._moved_at = at_seconds
        self._newest = (at_seconds, done)
        if at_seconds - self._points[-1][0] < self._gap:
            return
        self._points.append(self._newest)
        if len(self._points) > _POINTS:
            self._points = self._points[::2]
            self._gap *= 2

    def outages(self) -> list[float]:
        """Return the lengths of the silences that are over, in seconds."""
        return [end - begin for begin, end in self._stills]

    def still_seconds(self, now_seconds: float) -> float:
        """Return for how long nothing has come; 0 while that is no outage."""
        quiet = now_seconds - self._moved_at if self._points else 0.0
        return quiet if quiet >= OUTAGE_SECONDS else 0.0

    def windows(self) -> list[Window]:
        """Return the track up to the newest note as some dozens of stretches that all advance."""
        if not self._points:
            return []
        newest = self._newest[0]
        now = [(self._moved_at, newest)] if self.still_seconds(newest) else []
        return _windows([*self._points, self._newest], [*self._stills, *now])


def _windows(
    points: Sequence[tuple[float, float]], stills: Sequence[tuple[float, float]]
) -> list[Window]:
    now = points[-1][0]
    whole = now - points[0][0]
    # Of a phase that has just begun all is one stretch.
    if whole < _LUMP_SECONDS / 3:
        return []
    shortest = whole if whole < 2 * _LUMP_SECONDS else max(_LUMP_SECONDS, whole / _WINDOWS)
    marks = [points[0]]
    for at, done in points[1:]:
        if at - marks[-1][0] >= shortest and done > marks[-1][1]:
            marks.append((at, done))
    # What is too short for a stretch of its own belongs to the one before it.
    if len(marks) > 1:
        marks[-1] = points[-1]
    return [
        Window(
            begin=begin - now,
            end=end - now,
            amount=done - before,
            still=sum(max(0.0, min(end, stop) - max(begin, start)) for start, stop in stills),
        )
        for (begin, before), (end, done) in pairwise(marks)
    ]
