"""The list of incidents, of which any part is reached as quickly as its beginning."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, prefetch_related_objects

from accounts.models import User
from incidents.models import Component, Incident
from incidents.models.fields import words_of
from incidents.models.incident import IncidentQuerySet
from incidents.queries.words import Words, read_words
from incidents.values import Phase

OPEN = "open"
# Of rows that were read `with_beginning`.
_BEGAN = F("began_at")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = re.compile(r"([01])\.(-?\d{1,18})\.(\d{1,18})", re.ASCII)
_REF = re.compile(r"(?:inc-?\s*|#\s*)(\d{1,18})", re.ASCII | re.IGNORECASE)


def named_incident(typed: str) -> int | None:
    """Return the number of the incident that goes by this short name: INC-7, inc 7, #7."""
    found = _REF.fullmatch(typed.strip())
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an incident stands in the list: among those that are open or over, and by its time."""

    is_over: bool
    began_at: datetime
    pk: int

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """Return the place of an incident that was read ``with_beginning``."""
        began_at: datetime = incident.began_at  # type: ignore[attr-defined]
        return cls(is_over=incident.is_resolved, began_at=began_at, pk=incident.pk)

    @classmethod
    def read(cls, code: str) -> Self | None:
        """Return the place that an address names; None if it names none."""
        found = _PLACE.fullmatch(code)
        if found is None:
            return None
        try:
            began_at = _EPOCH + int(found[2]) * _MICROSECOND
        except OverflowError:
            return None
        return cls(is_over=found[1] == "1", began_at=began_at, pk=int(found[3]))

    def __str__(self) -> str:
        return f"{self.is_over:d}.{(self.began_at - _EPOCH) // _MICROSECOND}.{self.pk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What the list is narrowed to. What is empty narrows nothing."""

    words: str = ""
    state: str = ""
    severity: str = ""
    component: int | None = None
    kind: str = ""
    visibility: str = ""
    # Days in UTC, both included.
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of the list, and the places from which one goes on; empty where there is an end."""

    incidents: Sequence[Incident]
    newer: str = ""
    older: str = ""


def incident_list(
    user: User,
    narrowing: Narrowing,
    *,
    size: int,
    after: str = "",
    before: str = "",
) -> Stretch:
    """Return a stretch of what somebody may see: those that are open, then the others.

    Each newest first. ``after`` and ``before`` are places that a stretch gave; what is none is
    passed over. At most three queries.

    :raises NothingToFind: if the words that narrow it hold none
    """
    rows = _narrowed(Incident.objects.seen_by(user).with_beginning(), narrowing)
    parts = _parts(narrowing.state)
    if place := Place.read(before):
        found = _newer(rows, parts, place, size)
        # Less than one stretch is left above: it is shown whole, from the top.
        if len(found) > size:
            return Stretch(
                incidents=_with_components(found[1:]),
                newer=str(Place.of(found[1])),
                older=str(Place.of(found[-1])),
            )
    start = None if before else Place.read(after)
    found = _older(rows, parts, start, size)
    shown = found[:size]
    return Stretch(
        incidents=_with_components(shown),
        newer=str(Place.of(shown[0])) if start and shown else "",
        older=str(Place.of(shown[-1])) if len(found) > size else "",
    )


def _older(
    rows: IncidentQuerySet, parts: list[bool], place: Place | None, size: int
) -> list[Incident]:
    """Return one more than fits from this place on, downwards."""
    found: list[Incident] = []
    for is_over in parts:
        part = _part(rows, is_over=is_over).order_by(_BEGAN.desc(), "-pk")
        if place and is_over == place.is_over:
            # The first condition, which the second implies, is the one that an index understands.
            part = part.filter(
                Q(("began_at__lte", place.began_at)),
                Q(("began_at__lt", place.began_at)) | Q(pk__lt=place.pk),
            )
        if place is None or is_over >= place.is_over:
            found += part[: size + 1 - len(found)]
        if len(found) > size:
            break
    return found


def _newer(rows: IncidentQuerySet, parts: list[bool], place: Place, size: int) -> list[Incident]:
    """Return one more than fits up to this place, in the order of the list."""
    found: list[Incident] = []
    for is_over in reversed(parts):
        part = _part(rows, is_over=is_over).order_by(_BEGAN.asc(), "pk")
        if is_over == place.is_over:
            part = part.filter(
                Q(("began_at__gte", place.began_at)),
                Q(("began_at__gt", place.began_at)) | Q(pk__gt=place.pk),
            )
        if is_over <= place.is_over:
            found += part[: size + 1 - len(found)]
        if len(found) > size:
            break
    return found[::-1]


def _parts(state: str) -> list[bool]:
    """Return in which parts of the list there can be rows: those that are open, those over."""
    if not state:
        return [False, True]
    return [state == Phase.RESOLVED]


def _part(rows: IncidentQuerySet, *, is_over: bool) -> IncidentQuerySet:
    return rows.filter(phase=Phase.RESOLVED) if is_over else rows.open()


def _narrowed(rows: IncidentQuerySet, to: Narrowing) -> IncidentQuerySet:
    exact = {"severity": to.severity, "kind": to.kind, "visibility": to.visibility}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if to.state not in ("", OPEN):
        rows = rows.filter(phase=to.state)
    if (number := named_incident(to.words)) is not None:
        rows = rows.filter(pk=number)
    elif to.words:
        rows = _having(rows, read_words(to.words))
    if to.component is not None:
        parts = Component.objects.filter(Q(pk=to.component) | Q(group=to.component))
        through = Incident.components.through.objects
        rows = rows.filter(pk__in=through.filter(component__in=parts).values("incident_id"))
    if to.since:
        rows = rows.filter(Q(("began_at__gte", _midnight(to.since))))
    if to.until:
        rows = rows.filter(Q(("began_at__lt", _midnight(to.until + timedelta(days=1)))))
    return rows


def _having(rows: IncidentQuerySet, words: Words) -> IncidentQuerySet:
    """Narrow to what has these words, by their index.

    The time is the same, and its index is of no use: left with it, PostgreSQL takes any word for
    one that soon turns up, and reads the words of every row, newest first, for one that does not.
    """
    began_at = ExpressionWrapper(F("began_at") + timedelta(), output_field=DateTimeField())
    found = rows.alias(words=words_of("title", "summary")).filter(words=words)
    return found.annotate(began_at=began_at)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _with_components(incidents: list[Incident]) -> list[Incident]:
    prefetch_related_objects(incidents, "components")
    return incidents
