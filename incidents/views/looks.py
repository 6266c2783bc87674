"""How a reader looks at a timeline: in which order and zone, and at which entries."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.safestring import SafeString

from incidents import forms, queries
from incidents.models import Incident, TimelineEntry
from incidents.values import EntryKind, Precision, zone
from incidents.views.shown import Shown, entry_html, show

OLDEST, NEWEST = "oldest", "newest"
# The word for the zone of the incident, which is the one without another choice.
OF_INCIDENT = "incident"
_COOKIE = "reader-zone"
_YEAR = timedelta(days=365)
_KEPT = ("order", "tz", "words", "kind", "tag", "outcome", "shown_to", "pinned", "fold")
_EXACT = (Precision.MINUTE, Precision.HOUR)
# So many are kept as they were read last: 2 MB each, if they are long.
_TIMELINES = 16
# Two in a row are read as quickly as the line that says that there are two.
_FOLDED_FROM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the address and the browser ask for."""

    order: str
    # The zone in which times are shown, and in which they are typed.
    tz: str
    # The choices that are part of the address, as it writes them.
    query: QueryDict

    @property
    def address(self) -> str:
        """The choices as the part of an address behind its question mark."""
        return self.query.urlencode()

    def but(self, **other: str) -> str:
        """Return the address with other choices in the place of some."""
        query = self.query.copy()
        for name, value in other.items():
            query[name] = value
        return "?" + query.urlencode()


@dataclass(slots=True)
class Row:
    """An entry as it stands in the list."""

    shown: Shown
    html: SafeString
    # How many entries are folded away from this one on, and what changes when one of them does.
    folds: int = 0
    fold_stamp: str = ""
    unfolds: bool = False


@dataclass(slots=True)
class Day:
    """The rows of one day of the reader's zone; ``on`` is None before the first known day."""

    on: date | None
    rows: list[Row] = field(default_factory=list)


def look_at(request: HttpRequest, incident: Incident, *, asked: QueryDict | None = None) -> Look:
    """Return what the address asks for, or ``asked``; the zone may come from the browser."""
    asked = request.GET if asked is None else asked
    query = QueryDict(mutable=True)
    for name in _KEPT:
        if value := asked.get(name):
            query[name] = value[:200]
    order = query.get("order", "")
    if order not in (OLDEST, NEWEST):
        order = OLDEST if incident.is_resolved else NEWEST
    wanted = query.get("tz") or request.COOKIES.get(_COOKIE, OF_INCIDENT)
    return Look(order=order, tz=_zone_name(wanted) or incident.tz, query=query)


def chosen_zone(request: HttpRequest) -> str:
    """Return the zone that the reader has chosen for all incidents; empty for that of each."""
    return _zone_name(request.GET.get("tz") or request.COOKIES.get(_COOKIE, OF_INCIDENT))


def remember_zone(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the browser keep the zone that the address asks for, if it does, for all incidents."""
    wanted = request.GET.get("tz", "")
    if wanted == OF_INCIDENT:
        response.delete_cookie(_COOKIE, path="/desk/", samesite="Lax")
    elif _zone_name(wanted):
        response.set_cookie(
            _COOKIE,
            wanted,
            max_age=_YEAR,
            path="/desk/",
            samesite="Lax",
            secure=request.is_secure(),
            httponly=True,
        )
    return response


@lru_cache(maxsize=_TIMELINES)
def _read(
    incident_id: int,
    stamp: str,  # noqa: ARG001 - what was read goes by it
) -> tuple[list[TimelineEntry], dict[int, Shown]]:
    """Return the entries in their order, and what is shown of each; they are not changed.

    Everybody who looks asks for the same ones until somebody writes: they are read once. A stamp
    never comes back for other ones.
    """
    entries = queries.timeline(incident_id)
    return entries, {entry.pk: shown for entry, shown in zip(entries, show(entries), strict=True)}


def timeline(incident: Incident, look: Look, *, stamp: str) -> dict[str, Any]:
    """Return the timeline of this stamp by days, as the reader looks at it."""
    entries, known = _read(incident.pk, stamp)
    form = forms.TimelineFilterForm(look.query, entries=entries)
    chosen = list(form.chosen(entries)) if form.is_valid() else entries
    is_narrowed = form.is_valid() and form.is_narrowed
    days = _by_day(chosen, known, incident, look.tz)
    if look.order == NEWEST:
        days.reverse()
        for day in days:
            day.rows.reverse()
    if look.query.get("fold"):
        for day in days:
            _fold(day.rows)
    return {
        "incident": incident,
        "look": look,
        "tz": look.tz,
        "days": days,
        "pinned": [entry for entry in entries if entry.is_pinned],
        "entry_count": len(entries),
        "shown_count": len(chosen),
        "filter_form": form,
        "is_narrowed": is_narrowed,
        "stamp": stamp,
        "utc_address": look.but(tz="UTC"),
        "incident_address": look.but(tz=OF_INCIDENT),
        "own_address": look.but(tz="ZONE"),
        "newest_address": look.but(order=NEWEST),
        "oldest_address": look.but(order=OLDEST),
    }


def _by_day(
    entries: list[TimelineEntry], known: dict[int, Shown], incident: Incident, tz: str
) -> list[Day]:
    """Group entries that are in order. One without a time stays with the entry before it."""
    days: list[Day] = []
    here = zone(tz)
    for entry in entries:
        shown = known[entry.pk]
        on = _day_of(entry, incident, here)
        if not days or (on is not None and on != days[-1].on):
            days.append(Day(on=on))
        days[-1].rows.append(Row(shown=shown, html=entry_html(shown, tz)))
    return days


def _day_of(entry: TimelineEntry, incident: Incident, here: Any) -> date | None:
    at: datetime | None = entry.at
    if at is None:
        return None
    # A day, month or year belongs to the zone in which it was said: elsewhere it would begin on
    # another day.
    where = here if entry.precision in _EXACT else zone(entry.tz or incident.tz)
    return at.astimezone(where).date()


def _fold(rows: list[Row]) -> None:
    """Mark runs of what jobs say, to be folded."""
    run: list[Row] = []
    for row in [*rows, None]:
        if row is not None and row.shown.kind == EntryKind.JOB:
            run.append(row)
            continue
        if len(run) >= _FOLDED_FROM:
            run[0].folds = len(run)
            run[0].fold_stamp = "-".join(f"{each.shown.pk}.{each.shown.stamp}" for each in run)
            run[-1].unfolds = True
        run = []


def _zone_name(wanted: str) -> str:
    """Return the zone that is asked for; nothing for one that there is not."""
    if wanted == OF_INCIDENT or not wanted:
        return ""
    try:
        zone(wanted)
    except ValueError:
        return ""
    return wanted
