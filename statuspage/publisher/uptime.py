"""The page of uptime: rendered when what it shows has changed, else left as it lies."""

import hashlib
from collections.abc import Mapping
from typing import Any

from incidents import queries
from incidents.models import Component, Incident, Maintenance
from statuspage.documents.clauses import Edition
from statuspage.documents.facts import Facts, began
from statuspage.documents.uptime import FIRST_DRAWN, calendar
from statuspage.documents.uptime_page import UPTIME, Touch, look_of, odd_components, uptime_page
from statuspage.publisher.site import Draft


def add_uptime(draft: Draft, facts: Facts, *, before: Mapping[str, Any], marked: set[int]) -> None:
    """Put the page into the draft: anew, or as it is if nothing that it shows has changed.

    ``before`` is the state of the last publish, empty to render it in any case; ``marked`` are
    the incidents of which it is known that they changed.
    """
    now = {
        "house": draft.state["house"],
        "figures": look_of(facts),
        "incidents": {str(row.pk): _look(row) for row in facts.incidents},
        "maintenances": {str(row.pk): _look(row) for row in facts.maintenances},
    }
    if _differs(now, before.get("uptime", {}), gone={str(pk) for pk in marked}):
        body = uptime_page(facts, _touches(facts))
        draft.documents[UPTIME] = [Edition(valid_from=facts.at, body=body)]
    else:
        draft.keep.add(UPTIME)
    draft.state["uptime"] = now


def _differs(now: Mapping[str, Any], before: Mapping[str, Any], *, gone: set[str]) -> bool:
    """Whether the page would say something else. An incident that left the lists says the same."""
    if any(now[name] != before.get(name) for name in ("house", "figures")):
        return True
    # Of the incidents it is known which changed; a maintenance that is no longer listed is rare.
    left = {
        kind: {pk for pk, look in before[kind].items() if look} - now[kind].keys()
        for kind in ("incidents", "maintenances")
    }
    if left["incidents"] & gone or left["maintenances"]:
        return True
    return any(
        look != before[kind].get(pk, "")
        for kind in ("incidents", "maintenances")
        for pk, look in now[kind].items()
    )


def _look(row: Incident | Maintenance) -> str:
    """Return a name for what the page shows of it; empty if that is nothing."""
    affected: list[Component] = row.affected  # type: ignore[union-attr]
    touch = _touch(0, row)
    if not affected or touch is None:
        return ""
    shown = (touch, sorted(component.pk for component in affected))
    return hashlib.blake2b(repr(shown).encode(), digest_size=8).hexdigest()


def _touches(facts: Facts) -> list[Touch]:
    since = calendar(facts.at, facts.zone).edges[FIRST_DRAWN]
    found = queries.public_touches(odd_components(facts), since=since)
    return [touch for pk, row in found if (touch := _touch(pk, row))]


def _touch(component_id: int, row: Incident | Maintenance) -> Touch | None:
    if isinstance(row, Incident):
        room, since, until = "incidents", began(row), row.resolved_at
    elif row.began_at is not None and not row.was_missed:
        room, since, until = "maintenances", row.began_at, row.ended_at
    else:
        return None
    return Touch(
        component_id=component_id,
        path=f"/{room}/{row.public_id}",
        title=row.title,
        since=since,
        until=until,
    )
