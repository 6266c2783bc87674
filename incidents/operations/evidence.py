"""What shows that an entry is so: links and files, attached, taken off and brought back."""

from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.evidence import Examined, examine, plain_name
from incidents.models import Evidence, TimelineEntry

_LONGEST_LINK = 2000


class LinkNotOfTheWeb(Refused):
    code = "link-not-of-the-web"
    message = _("This is no address of the web. Begin it with https://.")


def add_link(
    *, entry_id: int, url: str, caption: str, at: datetime, author: User | None
) -> Evidence:
    """Attach a link.

    :raises LinkNotOfTheWeb: if it is anything but http or https
    """
    refuse_other_links(url)
    return _add(entry_id, url=url, caption=caption, created_by=author, created_at=at)


def add_file(
    *,
    entry_id: int,
    file: File[bytes],
    name: str,
    caption: str,
    at: datetime,
    author: User | None,
) -> Evidence:
    """Attach a file. It is kept by its digest, so that the same file lies there once.

    :raises FileTooLarge: if it is larger than ``EVIDENCE_MOST_BYTES``
    :raises FileIsEmpty: if it holds nothing
    :raises FileOfAnotherKind: if it is nothing that may be attached
    :raises FileNotAsNamed: if its name lies
    """
    found = examine(file.chunks(), name=name, limit=settings.EVIDENCE_MOST_BYTES)
    # Before the row: a file without a row is a few bytes too many, a row without a file a lie.
    place = _keep(file, found)
    return _add(
        entry_id,
        file=place,
        name=plain_name(name),
        content_type=found.content_type,
        size=found.size,
        sha256=found.sha256,
        caption=caption,
        created_by=author,
        created_at=at,
    )


def remove_evidence(*, evidence_id: int, at: datetime) -> Evidence:
    """Take evidence off its entry. It can be brought back."""
    return _set_removed(evidence_id, at)


def restore_evidence(*, evidence_id: int) -> Evidence:
    """Bring evidence back that was removed."""
    return _set_removed(evidence_id, None)


def evidence_storage() -> Storage:
    """Return where files of evidence lie."""
    return storages["evidence"]


def refuse_other_links(url: str) -> None:
    """Refuse a link that a browser would run, or could not follow.

    :raises LinkNotOfTheWeb: if it is anything but http or https
    """
    if not _is_of_the_web(url):
        raise LinkNotOfTheWeb


def _is_of_the_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(url) <= _LONGEST_LINK


def _keep(file: File[bytes], found: Examined) -> str:
    storage = evidence_storage()
    place = f"{found.sha256[:2]}/{found.sha256}"
    # Half a file may be left of a server that died: what has not the size is written anew, beside.
    if storage.exists(place) and storage.size(place) == found.size:
        return place
    file.seek(0)
    return storage.save(place, file)


def _add(entry_id: int, **fields: object) -> Evidence:
    entry = TimelineEntry.objects.get(pk=entry_id)
    evidence: Evidence = entry.evidence.create(**fields)
    return evidence


def _set_removed(evidence_id: int, removed_at: datetime | None) -> Evidence:
    with transaction.atomic():
        evidence = Evidence.objects.select_for_update().get(pk=evidence_id)
        evidence.deleted_at = removed_at
        evidence.save(update_fields=["deleted_at"])
    return evidence
