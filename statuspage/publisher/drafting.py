"""What a revision consists of: what each publish renders, and what only when it has changed."""

from datetime import datetime, timedelta
from typing import Any

from incidents import queries
from incidents.models import Incident
from statuspage.documents import atom, live, pages, v2
from statuspage.documents.clauses import Edition
from statuspage.documents.facts import Facts
from statuspage.documents.tenants import MY, lookup_page
from statuspage.publisher import gathering, maintenances, withdrawing
from statuspage.publisher.assets import edition_of_the_house
from statuspage.publisher.fingerprints import Known
from statuspage.publisher.site import Draft, Site
from statuspage.serving.manifest import GATE, GATE_REFUSED, NOT_FOUND

# How long publishing may rest while nothing changes: shorter than the page's own patience.
_REST_WHILE_OPEN = timedelta(minutes=1)
_REST = timedelta(minutes=5)
_CHUNK = 100
_ROBOTS = b"User-agent: *\nAllow: /\n"
_NO_ROBOTS = b"User-agent: *\nDisallow: /\n"


def house(facts: Facts) -> str:
    """Return what tells templates, words, assets and the page's row from what was before."""
    return f"{edition_of_the_house()} {facts.page.updated_at.isoformat()}"


def add_front(draft: Draft, facts: Facts) -> None:
    """Render what every publish renders."""
    opened = facts.unresolved
    earlier = gathering.said_before(opened)
    draft.documents.update(pages.front(facts, earlier))
    for incident in opened:
        draft.documents[page_path(incident)] = pages.incident_page(facts, incident, earlier)
        _add_account(draft, facts, incident)
    draft.documents[live.LIVE] = live.live(facts)
    plain = v2.documents(facts) | {
        "/history.atom": atom.feed(facts),
        "/robots.txt": _NO_ROBOTS if facts.page.is_private else _ROBOTS,
        NOT_FOUND: pages.not_found_page(facts),
    }
    if facts.page.has_my_data:
        plain[MY] = lookup_page(facts)
    if facts.page.is_private:
        plain[GATE] = pages.gate_page(facts, is_refused=False)
        plain[GATE_REFUSED] = pages.gate_page(facts, is_refused=True)
    for incident in opened:
        plain[api_path(incident)] = v2.incident_document(facts, incident)
    draft.documents.update((path, [_plain(facts, body)]) for path, body in plain.items())
    maintenances.add_open(draft, facts)


def add_changes(
    site: Site, draft: Draft, facts: Facts, state: dict[str, Any], marked: set[int]
) -> None:
    """Render the resolved incidents and the months that differ from what is published.

    What is so now is in the draft's own state, under ``known``.
    """
    known, seen = _recognised(state), _recognised(draft.state)
    renewed = state["house"] != house(facts)
    months: set[str] = {gathering.month_of(facts.at, facts.zone)} - {state["month"]}
    changed: list[Incident] = []
    for incident in facts.incidents:
        now, before = seen[incident.pk], known.get(incident.pk)
        if renewed or before != now:
            changed.append(incident)
        if renewed or before is None or before.line != now.line:
            months |= {now.month} | ({before.month} if before else set())
    add_archived(draft, facts, [incident for incident in changed if incident.is_resolved])
    months |= withdrawing.add_hidden(site, draft, facts, state, marked)
    months |= maintenances.add_changed(site, draft, facts, state, renewed=renewed)
    _add_months(site, draft, facts, months)


def _recognised(state: dict[str, Any]) -> dict[int, Known]:
    return {int(pk): Known.from_json(entry) for pk, entry in state["known"].items()}


def add_everything(site: Site, draft: Draft, facts: Facts) -> None:
    """Render all of history, and take out of the archive what this page does not show."""
    for part in gathering.every_public_incident(facts.scope, _CHUNK):
        over = [incident for incident in part if incident.is_resolved]
        batch = Draft()
        add_archived(batch, facts, over)
        # Written at once: all of history need not fit into memory.
        draft.withdrawn |= batch.withdrawn
        for path, body in batch.archived.items():
            site.replace_archived(path, body)
        draft.state.setdefault("all", []).extend(incident.public_id for incident in over)
    _add_every_maintenance(site, draft, facts)
    months = gathering.every_month(facts.scope, facts.zone)
    site.keep_archived(set(draft.state.pop("all", [])), months=months)
    draft.state["compared_at"] = facts.at.timestamp()
    _add_months(site, draft, facts, months | {gathering.month_of(facts.at, facts.zone)})


def _add_every_maintenance(site: Site, draft: Draft, facts: Facts) -> None:
    for part in maintenances.every_past(facts.scope, _CHUNK):
        batch = Draft()
        maintenances.add_archived(batch, facts, part)
        for path, body in batch.archived.items():
            site.replace_archived(path, body)
        draft.state.setdefault("all", []).extend(row.public_id for row in part)


def add_archived(draft: Draft, facts: Facts, incidents: list[Incident]) -> None:
    """Render incidents that are over."""
    queries.complete(incidents)
    earlier = gathering.said_before(incidents)
    for incident in incidents:
        editions = pages.incident_page(facts, incident, earlier)
        draft.archived[page_path(incident)] = editions[0].body
        draft.archived[api_path(incident)] = v2.incident_document(facts, incident)
        _add_account(draft, facts, incident)


def _add_account(draft: Draft, facts: Facts, incident: Incident) -> None:
    """Render the postmortem of an incident, or withdraw what is published no more."""
    body = pages.account_page(facts, incident)
    if body is None:
        draft.withdrawn.add(account_path(incident))
    else:
        draft.archived[account_path(incident)] = body


def _add_months(site: Site, draft: Draft, facts: Facts, names: set[str]) -> None:
    """Render months. One that is new changes where its neighbours lead."""
    now = gathering.month_of(facts.at, facts.zone)
    waiting, done = set(names), set()
    while waiting:
        name = waiting.pop()
        done.add(name)
        month, incidents, planned = gathering.month(name, facts.scope, facts.zone)
        path, is_empty = f"/history/{name}", not incidents and not planned
        if is_empty:
            draft.withdrawn.add(path)
        if not site.has_archived(path) or is_empty:
            # The newest leads to them, too, although it may be empty, and nobody's neighbour.
            waiting |= {month.earlier, month.later, now} - done - {""}
        body = pages.history_page(facts, month, incidents, planned)
        if not is_empty:
            draft.archived[path] = body
        if name == now:
            draft.documents["/history"] = [_plain(facts, body)]
    if "/history" not in draft.documents:
        draft.keep.add("/history")


def due_at(draft: Draft, facts: Facts) -> datetime:
    """Return when something is to be published at the latest, if nothing happens before."""
    moments = [
        edition.valid_from
        for editions in draft.documents.values()
        for edition in editions
        if edition.valid_from > facts.at
    ]
    rest = _REST_WHILE_OPEN if facts.unresolved or facts.running else _REST
    return min([facts.at + rest, *moments])


def _plain(facts: Facts, body: bytes) -> Edition:
    return Edition(valid_from=facts.at, body=body)


def page_path(incident: Incident) -> str:
    return f"/incidents/{incident.public_id}"


def account_path(incident: Incident) -> str:
    return f"{page_path(incident)}/postmortem"


def api_path(incident: Incident) -> str:
    return f"/api/v2/incidents/{incident.public_id}.json"
