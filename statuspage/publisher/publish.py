"""Carrying a publish out: what has changed is rendered, what has not is left as it lies.

A publish costs what the page shows now: the front page, the lists of fifty, the open incidents,
what has changed and its month. How much history there is makes no difference.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.utils import timezone, translation

from statuspage.documents.tenants import FEW
from statuspage.models import Page
from statuspage.publisher import drafting, gathering, maintenances, tenants
from statuspage.publisher.assets import assets
from statuspage.publisher.directory import sync_directory
from statuspage.publisher.fingerprints import recognise
from statuspage.publisher.notice import read_notice
from statuspage.publisher.scope import concerns
from statuspage.publisher.site import Draft, Site
from statuspage.publisher.trouble import recorded
from statuspage.publisher.uptime import add_uptime
from statuspage.serving import directory
from statuspage.serving.directory import folder_of

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

Clock = Callable[[], datetime]

# The pictures are read once for each state of the row.
_OF_A_PAGE = [
    field.attname for field in Page._meta.concrete_fields if field.name not in ("logo", "icon")
]


def request_publish(incident_id: int | None, *, now: Clock = timezone.now) -> None:
    """Publish a change that has been committed; at return it is on every page that shows it.

    Requests that wait for each other are published together by the first of them. If publishing
    a page fails, the others are published all the same, the request stays on record, and the
    next publish makes up for it.

    :raises SiteBusy: if another publisher does not finish in time
    """
    shown = [page for page in _pages(at=now()) if _is_shown(page, incident_id)]
    marked = [(page, _mark(page, incident_id)) for page in shown]
    _each([partial(_publish_marked, page, mark, now) for page, mark in marked])


def publish_now(*, now: Clock = timezone.now) -> None:
    """Publish what is so now."""
    request_publish(None, now=now)


def publish_due(*, now: Clock = timezone.now) -> bool:
    """Publish each page of which a request failed, a moment has passed, or which rested enough.

    Returns whether it published. When there is nothing to do, it reads one small file a page.
    """
    pages = _pages(at=now())
    return any(
        _each(
            [
                partial(_sync, pages[0], now),
                *(partial(_publish_due, page, now) for page in pages),
                *(partial(_publish_tenants_due, page, now) for page in pages),
            ]
        )
    )


def request_tenants(*, count: int, now: Clock = timezone.now) -> None:
    """Publish what so many tenants see of themselves; more than a few are left to the beat.

    :raises SiteBusy: if another publisher does not finish in time
    """
    pages = _pages(at=now())
    for page in pages:
        tenants.want(_site(page))
    if count <= FEW:
        _each([partial(_publish_tenants, page, now, most=FEW) for page in pages])


def publish_all(*, now: Clock = timezone.now) -> dict[str, int]:
    """Publish every page and document anew, and take away what is no longer public.

    For the first time, after an upgrade, and after pages were set up. Returns the revisions by
    the pages' slugs.
    """
    pages = _pages(at=now())
    # Who may read a page counts from before it says anything new.
    _sync(pages[0], now)
    revisions = _each([partial(_publish_everything, page, now) for page in pages])
    return {page.slug: revision for page, revision in zip(pages, revisions, strict=True)}


def publish_page(page_id: int, *, now: Clock = timezone.now) -> int:
    """Publish one page anew, after it was set up. Returns the revision."""
    page = Page.objects.get(pk=page_id)
    _sync(page, now)
    return _publish_everything(page, now)


def forget_removed() -> None:
    """Take away what was published of pages that are no more."""
    sync_directory(settings.PUBLIC_ROOT)


def _sync(page: Page, now: Clock) -> bool:
    """Tell the server which pages there are; a failure stands on record at this one."""
    with recorded(page, at=now(), is_publish=False):
        sync_directory(settings.PUBLIC_ROOT)
    return False


def _each(deeds: "Sequence[Callable[[], Result]]") -> "list[Result]":
    """Do every deed, whatever becomes of the others; the first fault is raised at the end."""
    results, faults = [], []
    for deed in deeds:
        try:
            results.append(deed())
        except Exception as fault:  # noqa: BLE001 - raised below
            faults.append(fault)
    if faults:
        raise faults[0]
    return results


def _pages(*, at: datetime) -> list[Page]:
    found = list(Page.objects.in_order().defer("logo", "icon"))
    return found or [Page.objects.first_page(at=at)]


def _site(page: Page) -> Site:
    return Site(folder_of(settings.PUBLIC_ROOT, page.slug))


def _is_shown(page: Page, incident_id: int | None) -> bool:
    """Whether a change of this incident changes the page; None stands for any change."""
    if incident_id is None or concerns(page, incident_id):
        return True
    return str(incident_id) in _site(page).state().get("known", {})


def _mark(page: Page, incident_id: int | None) -> Path | OSError:
    """Leave the mark on a page; the fault instead, where that cannot be: others go on."""
    try:
        return _site(page).mark(incident_id)
    except OSError as fault:
        return fault


def _publish_marked(page: Page, mark: Path | OSError, now: Clock) -> None:
    with recorded(page, at=now()):
        if isinstance(mark, OSError):
            raise mark
        with _site(page).alone():
            if mark.exists():
                _publish(page, at=now())


def _publish_due(page: Page, now: Clock) -> bool:
    site = _site(page)
    if not _is_due(page, site, now()):
        return False
    with recorded(page, at=now()), site.alone():
        if not _is_due(page, site, now()):
            return False
        _publish(page, at=now())
    return True


def _publish_tenants_due(page: Page, now: Clock) -> bool:
    return tenants.is_due(_site(page), at=now()) and _publish_tenants(page, now)


def _publish_tenants(page: Page, now: Clock, *, most: int | None = None) -> bool:
    """Write the tenants' documents of a page that has been published before."""
    site = _site(page)
    held = site.alone()
    with recorded(page, at=now(), is_publish=False), held, translation.override(page.language):
        return bool(site.state()) and tenants.write(page, site, at=now(), most=most)


def _publish_everything(page: Page, now: Clock) -> int:
    with recorded(page, at=now()), _site(page).alone():
        return _publish(page, at=now(), everything=True)


def _is_due(page: Page, site: Site, at: datetime) -> bool:
    state = site.state()
    return (
        not state
        or at.timestamp() >= state["due_at"]
        # It was set up otherwise, and that could not be published then.
        or state.get("set_up_at") != page.updated_at.isoformat()
        or bool(site.marks())
    )


def _publish(page: Page, *, at: datetime, everything: bool = False) -> int:
    """Publish a page whose site the caller holds."""
    # As it is now: it may have been set up otherwise while the caller waited.
    page.refresh_from_db(fields=_OF_A_PAGE)
    with translation.override(page.language):
        return _publish_in_words(page, at=at, everything=everything)


def _publish_in_words(page: Page, *, at: datetime, everything: bool) -> int:
    site = _site(page)
    marks = site.marks()
    # What is cut short is not built upon: everything is written anew.
    state = site.state() if site.published() else {}
    revision = site.next_revision()
    marked = {int(mark.name.partition(".")[0]) for mark in marks} - {0}
    notice = read_notice(site.root)
    facts = gathering.gather(page, at=at, revision=revision, notice=notice, also=marked)
    draft = Draft(
        state={
            "house": drafting.house(facts),
            "language": page.language,
            "set_up_at": page.updated_at.isoformat(),
            "known": {str(row.pk): recognise(facts, row).as_json() for row in facts.incidents},
        }
    )
    _write_assets(site, page)
    drafting.add_front(draft, facts)
    before = {} if everything else state
    add_uptime(draft, facts, before=before, marked=marked)
    maintenances.add_calendar(draft, facts, before=before)
    if everything or not state:
        drafting.add_everything(site, draft, facts)
    else:
        drafting.add_changes(site, draft, facts, state, marked)
    draft.state |= {
        "due_at": drafting.due_at(draft, facts).timestamp(),
        "month": gathering.month_of(at, facts.zone),
        "maintenances": maintenances.remember(facts),
    }
    site.put(draft, revision=revision, generated_at=at.timestamp())
    for mark in marks:
        mark.unlink(missing_ok=True)
    if not directory.is_there(settings.PUBLIC_ROOT):
        sync_directory(settings.PUBLIC_ROOT)
    tenants.follow(page, site, scope=facts.scope, at=at)
    logger.info("published revision %s of page %s", revision, page.slug)
    return revision


def _write_assets(site: Site, page: Page) -> None:
    for asset in assets(page).values():
        if not site.has_archived(asset.path):
            site.replace_archived(asset.path, asset.body)
