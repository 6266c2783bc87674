"""The dates that the record's own words name, as evidence for the lint."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from incidents.importer import Mention
from incidents.importer.markdown import plain
from incidents.importer.mentions import as_date
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times
from incidents.importer.year import nearest_year


def mentions_in(text: str, *, row: str, line: int, near: date, place: str) -> Iterator[Mention]:
    """Yield the dates that a row's text names. Without a year, the one nearest to ``near`` holds.

    Of two readings of a numeric date, the one closer to ``near`` is taken.
    """
    for stated in find_times(plain(text).masked):
        for point in (stated.start, stated.end):
            if point is not None and point.day is not None and point.day.month:
                yield _mention(stated, point, row=row, line=line, near=near, place=place)


def _mention(
    stated: Stated, point: Point, *, row: str, line: int, near: date, place: str
) -> Mention:
    day = point.day
    assert day is not None
    other = day.swapped
    mention = Mention(
        line=line,
        said=stated.said,
        place=place,
        year=day.year,
        month=day.month,
        day=day.day,
        weekday=point.weekday,
        other_month=other.month if other else None,
        other_day=other.day if other else None,
        row=row,
    )
    readings = [(day.month, day.day)]
    readings += [(other.month, other.day)] if other else []
    meant = [found for month, n in readings if (found := _on(mention, month, n, near)) is not None]
    if not meant:
        return mention
    return replace(mention, resolved=min(meant, key=lambda found: _apart(found, near)).isoformat())


def _on(mention: Mention, month: int, day: int | None, near: date) -> date | None:
    year = mention.year or nearest_year(month, day or 1, near)
    return as_date(replace(mention, year=year, month=month, day=day))


def _apart(one: date, other: date) -> timedelta:
    return abs(one - other)
