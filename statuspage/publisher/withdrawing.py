"""Taking out of the archive what customers may not know of, or what a page shows no more."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from incidents import queries
from statuspage.documents.facts import Facts, began
from statuspage.publisher.gathering import month_of, placed_at
from statuspage.publisher.site import Draft, Site

# How often all that lies in the archive is compared with all that is public.
_COMPARED_EVERY = timedelta(days=1)


def add_hidden(
    site: Site, draft: Draft, facts: Facts, state: Mapping[str, Any], marked: Collection[int]
) -> set[str]:
    """Withdraw what is public no longer; return the months that are to be rendered anew.

    What was asked for and what was shown are looked up each time, however old they are. Once a day
    the whole archive is compared: a change that nobody asked to publish is found by that.
    """
    published = {int(pk): entry for pk, entry in state["known"].items()}
    shown = {incident.pk for incident in facts.incidents}
    months: set[str] = set()
    if suspects := {*marked, *published} - shown:
        for incident in queries.hidden_incidents(suspects, touching=facts.scope.touching):
            draft.withdrawn |= _paths(incident.public_id)
            months.add(month_of(began(incident), facts.zone))
            if incident.pk in published:
                months.add(published[incident.pk]["month"])
    compared_at = state.get("compared_at", 0)
    if facts.at.timestamp() >= compared_at + _COMPARED_EVERY.total_seconds():
        months |= _add_strange(site, draft, facts)
        compared_at = facts.at.timestamp()
    draft.state["compared_at"] = compared_at
    return months


def _add_strange(site: Site, draft: Draft, facts: Facts) -> set[str]:
    """Withdraw whatever lies in the archive and is not public."""
    strange = site.archived_ids() - queries.public_ids(touching=facts.scope.touching)
    if not strange:
        return set()
    for public_id in strange:
        draft.withdrawn |= _paths(public_id)
    return {month_of(placed_at(row), facts.zone) for row in queries.named(strange)}


def _paths(public_id: str) -> set[str]:
    return {
        f"/incidents/{public_id}",
        f"/incidents/{public_id}/postmortem",
        f"/maintenances/{public_id}",
        f"/api/v2/incidents/{public_id}.json",
    }
