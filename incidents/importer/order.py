"""The order of a list of times, and how its clocks count."""

import re
from itertools import pairwise

from incidents.importer.stated import Point, Stated

_FEWEST = 3
_NOON = 12
_PADDED = re.compile(r"(?:.*\s|\W*)0\d:")


def is_newest_first(stated: list[Stated]) -> bool:
    """Whether the times of a list fall rather than rise. Days count for more than clocks."""
    points = [one.start for one in stated]
    days = list(pairwise((day.month, day.day or 1) for p in points if (day := p.day)))
    if sum(first < second for first, second in days) > sum(
        first > second for first, second in days
    ):
        return False
    clocked = [point for point in points if point.clock is not None]
    pairs = list(pairwise(clocked))
    falling = sum(1 for first, second in pairs if _is_later(first, second))
    rising = sum(1 for first, second in pairs if _is_later(second, first))
    return falling > rising and falling + 1 >= _FEWEST and len(clocked) >= _FEWEST


def counts_to_twelve(stated: list[Stated]) -> bool:
    """Whether a list writes "9:15" and "1:05", without a half of the day, and never 13."""
    clocks = [(one.start, one.said) for one in stated if one.start.clock is not None]
    return len(clocks) >= _FEWEST and all(
        point.clock is not None
        and 0 < point.clock.hour <= _NOON
        and not point.meridiem
        and not _PADDED.match(said)
        for point, said in clocks
    )


def _is_later(first: Point, second: Point) -> bool:
    assert first.clock is not None
    assert second.clock is not None
    if (
        first.day
        and second.day
        and (first.day.month, first.day.day)
        != (
            second.day.month,
            second.day.day,
        )
    ):
        return (first.day.year or 0, first.day.month, first.day.day or 0) > (
            second.day.year or 0,
            second.day.month,
            second.day.day or 0,
        )
    return first.clock > second.clock
