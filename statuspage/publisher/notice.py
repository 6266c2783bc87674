"""A notice on the published page, put there without any database."""

import json
import logging
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from incidents.values import zone
from statuspage.documents.clauses import Edition
from statuspage.documents.facts import Notice
from statuspage.documents.live import LIVE
from statuspage.documents.moments import when
from statuspage.publisher.site import Draft, Site, SiteBusy, replace_file
from statuspage.serving import manifest
from statuspage.serving.directory import folders
from statuspage.serving.manifest import Published, Unreadable

logger = logging.getLogger(__name__)

_FILE = "notice.json"
_PLACE = re.compile(rb"<!--notice-->.*?<!--/notice-->", re.DOTALL)


class NothingPublished(Exception):
    """There is no published page to put a notice on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """On which pages the notice is now, and which could not take it; by the pages' slugs."""

    revisions: dict[str, int] = field(default_factory=dict)
    faults: dict[str, Exception] = field(default_factory=dict)


def read_notice(root: Path) -> Notice | None:
    """Return the notice that stands, if any. One that cannot be read is none, and is logged."""
    try:
        found = json.loads((root / _FILE).read_bytes())
        return Notice(text=str(found["text"]), at=datetime.fromisoformat(found["at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        logger.warning("the notice of page %s cannot be read: %s", root.name, fault)
        return None


def put_notice(text: str, *, at: datetime, slug: str = "") -> Outcome:
    """Put a notice above everything on every page, or on one, from files alone.

    An empty text takes it away. Publishing, once it works again, keeps the notice that stands.
    A page that cannot take it keeps no other from having it.

    :raises NothingPublished: if there is no such page yet
    """
    notice = Notice(text=text, at=at) if text else None
    outcome = Outcome()
    for folder in folders(settings.PUBLIC_ROOT):
        # Without the switch it is no page, or none yet.
        if slug not in ("", folder.name) or not (folder / manifest.CURRENT).is_symlink():
            continue
        try:
            outcome.revisions[folder.name] = _put(Site(folder), notice)
        except (SiteBusy, Unreadable, OSError) as fault:
            outcome.faults[folder.name] = fault
    if not outcome.revisions and not outcome.faults:
        raise NothingPublished
    return outcome


def _put(site: Site, notice: Notice | None) -> int:
    with site.alone():
        before = site.published()
        if before is None:
            raise Unreadable("What is published there is cut short.")
        _remember(site.root, notice)
        state = site.state()
        with translation.override(str(state.get("language", "en"))):
            words = _words(notice)
        draft = Draft(state=state)
        for path, published in before.documents.items():
            draft.documents[path] = _with_notice(site, path, published, words, notice)
        revision = site.next_revision()
        site.put(draft, revision=revision, generated_at=before.generated_at)
    return revision


def _remember(root: Path, notice: Notice | None) -> None:
    if notice is None:
        (root / _FILE).unlink(missing_ok=True)
        return
    words = json.dumps({"text": notice.text, "at": notice.at.isoformat()})
    replace_file(root / _FILE, words.encode(), lasting=True)


def _words(notice: Notice | None) -> bytes:
    # The zone of the page is in the database; this must not ask it.
    context = {
        "notice": notice,
        "notice_at": when(notice.at, zone(""), year=True) if notice else "",
    }
    found = _PLACE.search(render_to_string("statuspage/_notice.html", context).encode())
    if found is None:
        raise Unreadable("The template of the notice has lost its marks.")
    return found[0]


def _with_notice(
    site: Site, path: str, published: Published, words: bytes, notice: Notice | None
) -> list[Edition]:
    editions = []
    for entry in published.editions:
        body = site.read(entry)
        if path == LIVE:
            document = json.loads(body) | {"notice": notice.text if notice else None}
            body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        elif manifest.type_of(entry.file) == manifest.HTML:
            # In pages alone: what people wrote stands there escaped, and is never such a mark.
            body = _PLACE.sub(lambda _match: words, body)
        editions.append(
            Edition(valid_from=datetime.fromtimestamp(entry.valid_from, tz=zone("")), body=body)
        )
    return editions
