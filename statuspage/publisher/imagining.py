"""Pages as they would be after a deed that is not done: rendered, and taken back."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation

from incidents.models import Incident, Maintenance
from statuspage.documents.facts import Facts
from statuspage.models import Page
from statuspage.publisher import gathering, maintenances
from statuspage.publisher.assets import assets
from statuspage.publisher.drafting import add_archived, add_front, page_path
from statuspage.publisher.notice import read_notice
from statuspage.publisher.scope import concerns, concerns_maintenance
from statuspage.publisher.site import Draft, Site
from statuspage.serving.directory import folder_of

# What a deed at the desk is about.
Matter = Incident | Maintenance

# A preview is not worth waiting for somebody who posts, and keeps nobody waiting for long.
_PATIENCE_MS = 3000
_MOST_PAGES = 3
# No script runs in a preview, yet it looks as to all whose browser runs them.
_UNSCRIPTED = re.compile(rb"<noscript>.*?</noscript>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagined:
    """What a page would show: its front and, if it shows the matter at all, the page of that."""

    page: Page
    front: str
    story: str


def imagine(
    deed: Callable[[], Matter],
    *,
    asset_base: Callable[[Page], str],
    now: Callable[[], datetime] = timezone.now,
) -> tuple[list[Imagined], list[Page]]:
    """Return the first pages as they would be after the deed, which returns what it is about.

    The other pages that would show it are named as well: none is left out without a word.

    The deed is the real one, in a transaction that is rolled back: nothing is kept, nothing is
    announced, nothing is published. ``asset_base`` says from where a preview takes the styles
    and pictures of a page. What the deed refuses goes on its way.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_PATIENCE_MS}ms"])
        Page.objects.first_page(at=now())
        matter = deed()
        # As when a page is published: what the deed has begun lies behind it by then.
        at = now()
        pages = [page for page in Page.objects.in_order() if _concerns(page, matter)]
        found = [
            _imagined(page, matter, at=at, asset_base=asset_base(page))
            for page in pages[:_MOST_PAGES]
        ]
        transaction.set_rollback(True)
    return found, pages[_MOST_PAGES:]


def _concerns(page: Page, matter: Matter) -> bool:
    if isinstance(matter, Maintenance):
        return concerns_maintenance(page, matter)
    return concerns(page, matter.pk)


def _imagined(page: Page, matter: Matter, *, at: datetime, asset_base: str) -> Imagined:
    site = Site(folder_of(settings.PUBLIC_ROOT, page.slug))
    also = {matter.pk} if isinstance(matter, Incident) else set()
    with translation.override(page.language):
        facts = gathering.gather(
            page,
            at=at,
            revision=site.next_revision(),
            notice=read_notice(site.root),
            also=also,
            is_so=False,
        )
        facts = replace(facts, assets=_assets(page, asset_base))
        draft = Draft()
        add_front(draft, facts)
        path = _add_story(draft, facts, matter)
    editions = draft.documents.get(path)
    return Imagined(
        page=page,
        front=_as_seen(draft.documents["/"][0].body),
        story=_as_seen(editions[0].body if editions else draft.archived.get(path, b"")),
    )


def _as_seen(body: bytes) -> str:
    return _UNSCRIPTED.sub(b"", body).decode()


def _add_story(draft: Draft, facts: Facts, matter: Matter) -> str:
    """Render the page of what is over, which is in no front; return where its page lies."""
    if isinstance(matter, Maintenance):
        planned = [row for row in facts.maintenances if row.pk == matter.pk and row.is_over]
        maintenances.add_archived(draft, facts, planned)
        return maintenances.page_path(matter)
    over = [row for row in facts.incidents if row.pk == matter.pk and row.is_resolved]
    add_archived(draft, facts, over)
    return page_path(matter)


def _assets(page: Page, base: str) -> dict[str, str]:
    return {role: f"{base}{role}" for role in assets(page)}
