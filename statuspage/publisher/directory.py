"""Telling the server which pages there are, and who may read them."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from statuspage.models import Access, Page
from statuspage.serving import directory
from statuspage.serving.directory import PageEntry
from statuspage.serving.gate import Gate, Kind


def has_directory(root: Path) -> bool:
    """Whether the server has been told of any page."""
    try:
        directory.mark(root)
    except OSError:
        return False
    return True


def write_directory(root: Path, pages: Sequence[Page]) -> None:
    """Tell the server of these pages, and take away what was published of others."""
    directory.write(root, [_entry(page) for page in pages])
    known = {page.slug for page in pages}
    for folder in directory.folders(root):
        if folder.name not in known:
            # A publisher that is at it just now leaves a rest, which goes the next time.
            with suppress(OSError):
                shutil.rmtree(folder)


def _entry(page: Page) -> PageEntry:
    return PageEntry(slug=page.slug, hosts=hosts_of(page), gate=_gate(page))


def hosts_of(page: Page) -> tuple[str, ...]:
    """Return how browsers name the page's host: the usual port may be left out, or not."""
    parts = urlsplit(page.url)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = parts.port or usual
    named = f"{host}:{port}"
    return (host, named) if port == usual else (named,)


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
