"""Stretches of time between moments that are known more or less exactly.

Who knows that something began "around noon" cannot say to the minute how long it lasted: every
figure that rests on such a moment is a range, from the least to the most that it can have been.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from incidents.values import Precision, When

# By how much a moment that is called approximate may be off, either way.
MARGINS = {
    str(Precision.MINUTE): timedelta(minutes=15),
    str(Precision.HOUR): timedelta(hours=1),
    str(Precision.DAY): timedelta(days=1),
    str(Precision.MONTH): timedelta(days=31),
    str(Precision.QUARTER): timedelta(days=92),
    str(Precision.YEAR): timedelta(days=366),
}
_NOTHING = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A moment: not before ``earliest``, not after ``latest``; exact if both are the same."""

    earliest: datetime
    latest: datetime

    @classmethod
    def exactly(cls, at: datetime) -> Self:
        return cls(earliest=at, latest=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How long something took: at least ``low``, at most ``high``; exact if both are the same."""

    low: timedelta
    high: timedelta

    @classmethod
    def exactly(cls, length: timedelta) -> Self:
        return cls(low=length, high=length)

    @property
    def is_exact(self) -> bool:
        return self.low == self.high


def bounds_of(when: When) -> Bounds | None:
    """Return between which moments a time lies; None if that is not known.

    A time to the minute is exact; an hour, a day, a month, a quarter or a year lies between its
    first instant and its end. What is called approximate may lie beside that, by as much as
    ``MARGINS`` says. Of a stretch from one time to another, it is the beginning that is meant.
    """
    first = replace(when, until=None)
    latest = first.latest
    if first.at is None or latest is None:
        return None
    margin = MARGINS[str(when.precision)] if when.approx else _NOTHING
    try:
        return Bounds(
            earliest=first.at.astimezone(UTC) - margin, latest=latest.astimezone(UTC) + margin
        )
    except OverflowError:
        # At the end of the calendar.
        return None


def between(start: Bounds | None, end: Bounds | None) -> Span | None:
    """Return how long it was from one moment to another.

    None if one of them is not known, or if the end lies before the start: then the record
    contradicts itself, and no figure is true.
    """
    if start is None or end is None or end.latest < start.earliest:
        return None
    return Span(low=max(end.earliest - start.latest, _NOTHING), high=end.latest - start.earliest)


def longest_gap(moments: Sequence[Bounds]) -> Span | None:
    """Return the longest of the stretches between moments in order; None if there is none."""
    gaps = [gap for pair in itertools.pairwise(moments) if (gap := between(*pair)) is not None]
    if not gaps:
        return None
    return Span(low=max(gap.low for gap in gaps), high=max(gap.high for gap in gaps))
