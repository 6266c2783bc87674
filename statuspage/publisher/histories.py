"""Histories as they are published: what does not change before midnight is read and packed once.

A publish asks the database only for components whose history has been written since this process
packed it, so that it costs the same after a day and after a year of changes.
"""

from collections.abc import Sequence
from datetime import date, datetime, tzinfo

from incidents import queries
from incidents.models import Component
from statuspage.documents.uptime import (
    Calendar,
    History,
    Past,
    Stretch,
    calendar,
    midnight,
    pack,
    together,
    unpack,
)

# What makes a packed past another one: a write of the history, or another start date.
_Version = tuple[int, date | None]

# By zone: the day on which they were packed, and the pasts by component. Pages share them.
_packed: dict[tzinfo, tuple[date, dict[int, tuple[_Version, Past]]]] = {}


def histories(
    components: Sequence[Component], *, at: datetime, zone: tzinfo, is_so: bool = True
) -> dict[int, History]:
    """Return how components and groups were, by id. At most one query, and most times none.

    What is not so, but only imagined, is not kept: its versions are given anew to what comes.
    """
    days = calendar(at, zone)
    pasts = _pasts([part for part in components if not part.is_group], days, zone, is_so=is_so)
    found = {pk: unpack(past, days, at=at) for pk, past in pasts.items()}
    members: dict[int, list[History]] = {part.pk: [] for part in components if part.is_group}
    for part in components:
        if part.group_id in members:
            members[part.group_id].append(found[part.pk])
    return found | {pk: together(own, days) for pk, own in members.items()}


def _pasts(
    components: Sequence[Component], days: Calendar, zone: tzinfo, *, is_so: bool
) -> dict[int, Past]:
    packed_on, packed = _packed.get(zone, (None, {}))
    if packed_on != days.today:
        packed = {}
    found = {
        part.pk: packed[part.pk]
        for part in components
        if part.pk in packed and packed[part.pk][0] == _version(part)
    }
    for part, stretches in _read([part for part in components if part.pk not in found], days):
        start = midnight(part.start_on, zone) if part.start_on else None
        found[part.pk] = (_version(part), pack(stretches, days, start=start))
    if is_so:
        # A new one each time: another thread may be reading the one that is there.
        _packed[zone] = (days.today, packed | found)
    return {pk: past for pk, (_version_then, past) in found.items()}


def _read(components: Sequence[Component], days: Calendar) -> list[tuple[Component, list[Stretch]]]:
    found: dict[int, list[Stretch]] = {part.pk: [] for part in components}
    if found:
        rows = queries.status_intervals(list(found), since=days.edges[0])
        for row in rows.values_list("component", "status", "began_at", "ended_at"):
            found[row[0]].append(row[1:])
    return [(part, found[part.pk]) for part in components]


def _version(component: Component) -> _Version:
    return (component.history_version, component.start_on)
