"""Publishing planned work: what is to come or runs each time, what is over when it has changed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from incidents import queries
from incidents.models import Maintenance
from statuspage.documents import pages, v2
from statuspage.documents.calendar import CALENDAR, KEPT_FOR, calendar
from statuspage.documents.clauses import Edition
from statuspage.documents.facts import Facts, parts_of, said
from statuspage.documents.scope import Scope
from statuspage.publisher.fingerprints import Known, fingerprint
from statuspage.publisher.gathering import month_of, said_before_of
from statuspage.publisher.site import Draft, Site

# What tells an entry of the calendar from what it was: whatever is said moves its last change.
_OF_AN_ENTRY = (
    "pk", "title", "state", "sequence", "scheduled_for", "scheduled_until", "published_at",
    "updated_at",
)  # fmt: skip


def add_open(draft: Draft, facts: Facts) -> None:
    """Render what every publish renders: what is to come and what runs."""
    open_ones = [*facts.running, *facts.upcoming]
    earlier = said_before_of(open_ones)
    for maintenance in open_ones:
        draft.documents[page_path(maintenance)] = pages.maintenance_page(
            facts, maintenance, earlier
        )
        draft.documents[api_path(maintenance)] = [
            Edition(valid_from=facts.at, body=v2.maintenance_document(facts, maintenance))
        ]


def add_calendar(draft: Draft, facts: Facts, *, before: Mapping[str, Any]) -> None:
    """Put the calendar into the draft: anew, or as it is if nothing that it carries has changed.

    ``before`` is the state of the last publish, empty to render it in any case. Of what is over
    there may be much, so words are read only to render it.
    """
    kept = queries.public_calendar(since=facts.at - KEPT_FOR, touching=facts.scope.touching)
    now = fingerprint(draft.state["house"], list(kept.values_list(*_OF_AN_ENTRY)))
    if now == before.get("calendar"):
        draft.keep.add(CALENDAR)
    else:
        draft.documents[CALENDAR] = [Edition(valid_from=facts.at, body=calendar(facts, kept))]
    draft.state["calendar"] = now


def add_changed(
    site: Site, draft: Draft, facts: Facts, state: Mapping[str, Any], *, renewed: bool
) -> set[str]:
    """Render those that are over and differ from what is published, withdraw what is hidden.

    Returns the months that are to be rendered anew.
    """
    known = {int(pk): Known.from_json(entry) for pk, entry in state.get("maintenances", {}).items()}
    changed: list[Maintenance] = []
    months: set[str] = set()
    for maintenance in facts.maintenances:
        now, before = recognise(facts, maintenance), known.get(maintenance.pk)
        if maintenance.is_over and (renewed or before != now):
            changed.append(maintenance)
        if renewed or before is None or before.line != now.line:
            months |= {now.month} | ({before.month} if before else set())
    add_archived(draft, facts, changed)
    shown = {maintenance.pk for maintenance in facts.maintenances}
    for maintenance in queries.recently_changed_maintenances():
        if maintenance.pk in shown:
            continue
        # By what was published too: a publisher that was killed may have withdrawn it already.
        if maintenance.pk in known or site.has_archived(page_path(maintenance)):
            draft.withdrawn |= {page_path(maintenance), api_path(maintenance)}
            months.add(month_of(maintenance.dated_at, facts.zone))
    return months


def add_archived(draft: Draft, facts: Facts, maintenances: Sequence[Maintenance]) -> None:
    """Render maintenances that are over."""
    earlier = said_before_of(maintenances)
    for maintenance in maintenances:
        editions = pages.maintenance_page(facts, maintenance, earlier)
        draft.archived[page_path(maintenance)] = editions[0].body
        draft.archived[api_path(maintenance)] = v2.maintenance_document(facts, maintenance)


def every_past(scope: Scope, chunk: int) -> Iterator[list[Maintenance]]:
    """Return all that are over and that a page ever shows, some at a time."""
    last = 0
    while True:
        rows = queries.public_past_maintenances(touching=scope.touching)
        part = scope.narrow(rows.filter(pk__gt=last).order_by("pk")[:chunk])
        if not part:
            return
        yield part
        last = part[-1].pk


def remember(facts: Facts) -> dict[str, dict[str, str]]:
    """Return what the next publish is to know of those that are shown."""
    return {str(row.pk): recognise(facts, row).as_json() for row in facts.maintenances}


def recognise(facts: Facts, maintenance: Maintenance) -> Known:
    """Return what tells this state of the maintenance from any other."""
    head = [
        maintenance.title,
        maintenance.state,
        maintenance.scheduled_for,
        maintenance.began_at,
        maintenance.ended_at,
    ]
    updates = [(update.pk, update.published_at, update.edited_at) for update in said(maintenance)]
    parts = [v2.component_object(facts, part) for part in parts_of(maintenance)]
    return Known(
        public_id=maintenance.public_id,
        month=month_of(maintenance.dated_at, facts.zone),
        page=fingerprint(head, updates, parts, maintenance.scheduled_until, maintenance.updated_at),
        line=fingerprint(head, updates[:1]) if maintenance.is_over else "",
    )


def page_path(maintenance: Maintenance) -> str:
    return f"/maintenances/{maintenance.public_id}"


def api_path(maintenance: Maintenance) -> str:
    return f"/api/v2/incidents/{maintenance.public_id}.json"
