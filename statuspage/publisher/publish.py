"""Carrying a publish out: what has changed is rendered, what has not is left as it lies.

A publish costs what the page shows now: the front page, the lists of fifty, the open incidents,
what has changed and its month. How much history there is makes no difference.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from incidents.models import Incident
from statuspage.documents import atom, live, pages, v2
from statuspage.documents.clauses import Edition
from statuspage.documents.facts import Facts
from statuspage.publisher import gathering
from statuspage.publisher.assets import assets, edition_of_the_house
from statuspage.publisher.fingerprints import Known, recognise
from statuspage.publisher.notice import read_notice
from statuspage.publisher.site import Draft, Site
from statuspage.serving.manifest import NOT_FOUND

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

# How long publishing may rest while nothing changes: shorter than the page's own patience.
_REST_WHILE_OPEN = timedelta(minutes=1)
_REST = timedelta(minutes=5)
_CHUNK = 100
_ROBOTS = b"User-agent: *\nAllow: /\n"


def request_publish(incident_id: int | None, *, now: Clock = timezone.now) -> None:
    """Publish a change that has been committed; at return it is in PUBLIC_ROOT.

    Requests that wait for each other are published together by the first of them. If publishing
    fails, the request stays on record, and the next publish makes up for it.

    :raises SiteBusy: if another publisher does not finish in time
    """
    site = _site()
    mark = site.mark(incident_id)
    with site.alone():
        if mark.exists():
            _publish(site, at=now())


def publish_now(*, now: Clock = timezone.now) -> None:
    """Publish what is so now."""
    request_publish(None, now=now)


def publish_due(*, now: Clock = timezone.now) -> bool:
    """Publish if a request failed, a promised moment has passed, or publishing has rested enough.

    Returns whether it published. When there is nothing to do, it reads one small file.
    """
    site = _site()
    if not _is_due(site, now()):
        return False
    with site.alone():
        if not _is_due(site, now()):
            return False
        _publish(site, at=now())
    return True


def publish_all(*, now: Clock = timezone.now) -> int:
    """Publish every page and document anew, and take away what is no longer public.

    For the first time, after an upgrade, and after the page was renamed. Returns the revision.
    """
    site = _site()
    with site.alone():
        return _publish(site, at=now(), everything=True)


def _site() -> Site:
    return Site(settings.PUBLIC_ROOT)


def _is_due(site: Site, at: datetime) -> bool:
    state = site.state()
    return not state or at.timestamp() >= state["due_at"] or bool(site.marks())


def _publish(site: Site, *, at: datetime, everything: bool = False) -> int:
    marks = site.marks()
    state = site.state()
    revision = site.next_revision()
    marked = {int(mark.name.partition(".")[0]) for mark in marks} - {0}
    facts = gathering.gather(at=at, revision=revision, notice=read_notice(site.root), also=marked)
    draft = Draft(state={"house": _house(facts)})
    _write_assets(site)
    _add_front(draft, facts)
    if everything or not state:
        _add_everything(site, draft, facts)
    else:
        _add_changes(site, draft, facts, state, marked)
    draft.state |= {
        "due_at": _due_at(draft, facts).timestamp(),
        "month": gathering.month_of(at, facts.zone),
        "known": {
            str(incident.pk): recognise(facts, incident).as_json() for incident in facts.incidents
        },
    }
    site.put(draft, revision=revision, generated_at=at.timestamp())
    for mark in marks:
        mark.unlink(missing_ok=True)
    logger.info("published revision %s", revision)
    return revision


def _house(facts: Facts) -> str:
    page = facts.page
    return f"{edition_of_the_house()} {page.name} {page.url} {page.time_zone} {page.support_url}"


def _write_assets(site: Site) -> None:
    for asset in assets().values():
        if not site.has_archived(asset.path):
            site.replace_archived(asset.path, asset.body)


def _add_front(draft: Draft, facts: Facts) -> None:
    """Render what every publish renders."""
    opened = facts.unresolved
    earlier = gathering.said_before(opened)
    draft.documents.update(pages.front(facts, earlier))
    for incident in opened:
        draft.documents[page_path(incident)] = pages.incident_page(facts, incident, earlier)
    draft.documents[live.LIVE] = live.live(facts)
    plain = v2.documents(facts) | {
        "/history.atom": atom.feed(facts),
        "/robots.txt": _ROBOTS,
        NOT_FOUND: pages.not_found_page(facts),
    }
    for incident in opened:
        plain[api_path(incident)] = v2.incident_document(facts, incident)
    draft.documents.update((path, [_plain(facts, body)]) for path, body in plain.items())


def _add_changes(
    site: Site, draft: Draft, facts: Facts, state: dict[str, Any], marked: set[int]
) -> None:
    """Render the resolved incidents and the months that differ from what is published."""
    known = {int(pk): Known.from_json(entry) for pk, entry in state["known"].items()}
    renewed = state["house"] != _house(facts)
    months: set[str] = {gathering.month_of(facts.at, facts.zone)} - {state["month"]}
    changed: list[Incident] = []
    for incident in facts.incidents:
        now = recognise(facts, incident)
        before = known.get(incident.pk)
        if renewed or before != now:
            changed.append(incident)
        if renewed or before is None or before.line != now.line:
            months |= {now.month} | ({before.month} if before else set())
    _add_archived(draft, facts, [incident for incident in changed if incident.is_resolved])
    shown = {incident.pk for incident in facts.incidents}
    for pk in (marked & known.keys()) - shown:
        draft.withdrawn |= {
            f"/incidents/{known[pk].public_id}",
            f"/api/v2/incidents/{known[pk].public_id}.json",
        }
        months.add(known[pk].month)
    _add_months(site, draft, facts, months)


def _add_everything(site: Site, draft: Draft, facts: Facts) -> None:
    for part in gathering.every_public_incident(_CHUNK):
        over = [incident for incident in part if incident.is_resolved]
        batch = Draft()
        _add_archived(batch, facts, over)
        # Written at once: all of history need not fit into memory.
        for path, body in batch.archived.items():
            site.replace_archived(path, body)
        draft.state.setdefault("all", []).extend(incident.public_id for incident in over)
    site.keep_archived(set(draft.state.pop("all", [])))
    now = gathering.month_of(facts.at, facts.zone)
    _add_months(site, draft, facts, gathering.every_month(facts.zone) | {now})


def _add_archived(draft: Draft, facts: Facts, incidents: list[Incident]) -> None:
    earlier = gathering.said_before(incidents)
    for incident in incidents:
        editions = pages.incident_page(facts, incident, earlier)
        draft.archived[page_path(incident)] = editions[0].body
        draft.archived[api_path(incident)] = v2.incident_document(facts, incident)


def _add_months(site: Site, draft: Draft, facts: Facts, names: set[str]) -> None:
    """Render months. One that is new changes where its neighbours lead."""
    now = gathering.month_of(facts.at, facts.zone)
    waiting, done = set(names), set()
    while waiting:
        name = waiting.pop()
        done.add(name)
        month, incidents = gathering.month(name, facts.zone)
        path = f"/history/{name}"
        if not incidents and name != now:
            draft.withdrawn.add(path)
        if not site.has_archived(path) or not incidents:
            waiting |= {month.earlier, month.later} - done - {""}
        body = pages.history_page(facts, month, incidents)
        if incidents:
            draft.archived[path] = body
        if name == now:
            draft.documents["/history"] = [_plain(facts, body)]
    if "/history" not in draft.documents:
        draft.keep.add("/history")


def _due_at(draft: Draft, facts: Facts) -> datetime:
    """Return when something is to be published at the latest, if nothing happens before."""
    moments = [
        edition.valid_from
        for editions in draft.documents.values()
        for edition in editions
        if edition.valid_from > facts.at
    ]
    rest = _REST_WHILE_OPEN if facts.unresolved else _REST
    return min([facts.at + rest, *moments])


def _plain(facts: Facts, body: bytes) -> Edition:
    return Edition(valid_from=facts.at, body=body)


def page_path(incident: Incident) -> str:
    return f"/incidents/{incident.public_id}"


def api_path(incident: Incident) -> str:
    return f"/api/v2/incidents/{incident.public_id}.json"
