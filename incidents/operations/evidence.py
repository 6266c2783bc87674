"""What shows that an entry is so: links and files, attached, taken off and brought back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.evidence import Examined, FileDiffers, examine, plain_name
from incidents.models import Evidence, TimelineEntry

_LONGEST_LINK = 2000
_KEPT_UNUSED = timedelta(days=1)
# Any number that nobody else takes: "evid".
_LOCK = 0x65766964


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
    sha256: str = "",
) -> Evidence:
    """Attach a file. It is kept by its digest, so that the same file lies there once.

    ``sha256`` is what the sender says of it, in hexadecimal; empty if nothing.

    :raises FileTooLarge: if it is larger than ``EVIDENCE_MOST_BYTES``
    :raises FileIsEmpty: if it holds nothing
    :raises FileOfAnotherKind: if it is nothing that may be attached
    :raises FileNotAsNamed: if its name lies
    :raises FileDiffers: if its digest is not ``sha256``
    """
    found = examine(file.chunks(), name=name, limit=settings.EVIDENCE_MOST_BYTES)
    if sha256 and sha256.lower() != found.sha256:
        raise FileDiffers
    with transaction.atomic():
        _hold_files(for_clearing=False)
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


def clear_unused_files(*, at: datetime) -> int:
    """Delete the files that no evidence names, and return how many those were.

    What was taken off an entry can be brought back, so that its file stays. So does, for a day, a
    file that nothing names: whoever looks after a mishap finds it.
    """
    storage = evidence_storage()
    cleared = 0
    for place in _places(storage):
        if at - storage.get_modified_time(place) < _KEPT_UNUSED:
            continue
        with transaction.atomic():
            # Between the look and the deed nobody attaches the same file anew.
            _hold_files(for_clearing=True)
            if not Evidence.objects.filter(file=place).exists():
                storage.delete(place)
                cleared += 1
    return cleared


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


def _places(storage: Storage) -> Iterator[str]:
    """Yield where files lie: in folders of one level."""
    try:
        folders, _files = storage.listdir("")
    except FileNotFoundError:
        # Nothing was ever attached.
        return
    for folder in sorted(folders):
        _folders, files = storage.listdir(folder)
        yield from (f"{folder}/{file}" for file in sorted(files))


def _hold_files(*, for_clearing: bool) -> None:
    """Keep the files as they are until the transaction ends; or be alone with them."""
    lock = "pg_advisory_xact_lock" if for_clearing else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(%s)", [_LOCK])


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
