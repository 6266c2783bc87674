"""Telling the server which pages there are, and who may read them."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from statuspage.models import Access, Page
from statuspage.publisher.site import alone
from statuspage.serving import directory
from statuspage.serving.directory import PageEntry
from statuspage.serving.gate import Gate, Kind
from statuspage.serving.manifest import Unreadable


def sync_directory(root: Path) -> None:
    """Tell the server of the pages as they are now; take away what was published of others.

    Writes only what differs. Several at once do not undo each other: each reads the rows when it
    is its turn.

    :raises SiteBusy: if another process does not finish in time
    """
    with alone(root):
        pages = list(Page.objects.in_order().defer("logo", "icon"))
        wanted = [_entry(page) for page in pages]
        if _known(root) != wanted:
            directory.write(root, wanted)
        slugs = {page.slug for page in pages}
        for folder in directory.folders(root):
            if folder.name not in slugs:
                # A publisher that is at it just now leaves a rest, which goes the next time.
                with suppress(OSError):
                    shutil.rmtree(folder)


def hosts_of(page: Page) -> tuple[str, ...]:
    """Return how browsers name the page's host: the usual port may be left out, or not."""
    parts = urlsplit(page.url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port or usual
    named = f"{host}:{port}"
    return (host, named) if port == usual else (named,)


def _known(root: Path) -> list[PageEntry]:
    try:
        return directory.read(root)
    except Unreadable:
        return []


def _entry(page: Page) -> PageEntry:
    return PageEntry(id=page.public_id, slug=page.slug, hosts=hosts_of(page), gate=_gate(page))


def _gate(page: Page) -> Gate | None:
    if page.access == Access.PUBLIC:
        return None
    return Gate(
        kind=cast("Kind", str(page.access)),
        ticket_key=page.ticket_key,
        feed_key=page.feed_key,
        password_hash=page.password_hash,
        networks=tuple(page.networks),
    )
