"""Stretches of a list, any of which is reached as quickly as the first: by a place, not a count."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import Combinable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = re.compile(r"(-?\d{1,18})\.(\d{1,18})", re.ASCII)
# Of rows that were read by `stretch_of`.
_AT = F("place_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Rows of a list, and the places from which one goes on; empty where there is an end."""

    rows: Sequence[Any]
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a row stands: by its time, and by its number among those of the same time."""

    at: datetime
    pk: int

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(at=row.place_at, pk=row.pk)

    @classmethod
    def read(cls, code: str) -> Self | None:
        """Return the place that an address names; None if it names none."""
        found = _PLACE.fullmatch(code)
        if found is None:
            return None
        try:
            at = _EPOCH + int(found[1]) * _MICROSECOND
        except OverflowError:
            return None
        return cls(at=at, pk=int(found[2]))

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}.{self.pk}"


def stretch_of(
    rows: QuerySet[Any],
    asked: Mapping[str, str],
    *,
    by: Combinable,
    newest_first: bool,
    size: int,
) -> Stretch:
    """Return what an address asks for, ``after`` a place that a stretch gave or ``before`` one.

    ``by`` is the time by which the rows stand, of which each has one. What names no place is
    passed over. Two queries at most.
    """
    placed = rows.annotate(place_at=by)
    if place := _Place.read(asked.get("before", "")):
        found = _from(placed, place, descending=not newest_first, size=size)
        # Less than one stretch is left above: it is shown whole, from the top.
        if len(found) > size:
            shown = found[size - 1 :: -1]
            return Stretch(rows=shown, before=_code(shown[0]), after=_code(shown[-1]))
    start = None if asked.get("before") else _Place.read(asked.get("after", ""))
    found = _from(placed, start, descending=newest_first, size=size)
    shown = found[:size]
    return Stretch(
        rows=shown,
        before=_code(shown[0]) if start and shown else "",
        after=_code(shown[-1]) if len(found) > size else "",
    )


def _from(placed: QuerySet[Any], place: _Place | None, *, descending: bool, size: int) -> list[Any]:
    """Return one more than fits from this place on, in this direction."""
    order = (_AT.desc(), "-pk") if descending else (_AT.asc(), "pk")
    way = "lt" if descending else "gt"
    if place:
        # The first condition, which the second implies, is the one that an index understands.
        placed = placed.filter(
            Q((f"place_at__{way}e", place.at)),
            Q((f"place_at__{way}", place.at)) | Q((f"pk__{way}", place.pk)),
        )
    return list(placed.order_by(*order)[: size + 1])


def _code(row: Any) -> str:
    return str(_Place.of(row))
