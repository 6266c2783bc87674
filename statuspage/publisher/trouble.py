"""What went wrong with a publish, in words for staff: what it is, and where."""

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import DatabaseError
from django.db.models import Value
from django.db.models.functions import Coalesce

from statuspage.models import Page, Publication
from statuspage.publisher.site import SiteBusy

logger = logging.getLogger(__name__)

_SAID = {
    errno.ENOSPC: "No space left on the disk of {where}.",
    errno.EDQUOT: "No space left in the quota of {where}.",
    errno.EFBIG: "A file of {where} may not grow as large as it must.",
    errno.EROFS: "The disk of {where} can only be read.",
    errno.EACCES: "{where} may not be written to by this account.",
    errno.EPERM: "{where} may not be written to by this account.",
    errno.ENOENT: "{where} is not there. Is its disk mounted?",
    errno.ENOTDIR: "{where} is no folder.",
    errno.EIO: "The disk of {where} does not work.",
    errno.ESTALE: "The disk of {where} has gone away.",
}


@contextmanager
def recorded(page: Page, *, at: datetime, is_publish: bool = True) -> Iterator[None]:
    """Keep on record whether the page could be published in here. Every fault goes on its way.

    Only a publish that works ends the trouble; other work that fails is trouble all the same.
    """
    try:
        yield
    except Exception as fault:
        _record(page, in_plain_words(fault, where="PUBLIC_ROOT"), at=at)
        raise
    if is_publish:
        known = Publication.objects.filter(page=page, failing_since__isnull=False)
        known.update(failing_since=None, failure="")


def _record(page: Page, failure: str, *, at: datetime) -> None:
    try:
        Publication.objects.get_or_create(page=page)
        Publication.objects.filter(page=page).update(
            failing_since=Coalesce("failing_since", Value(at)), failure=failure
        )
    except DatabaseError:
        # Then this is the smaller trouble.
        logger.exception("page %s: the failure could not be recorded", page.slug)


def in_plain_words(fault: Exception, *, where: str) -> str:
    """Return a sentence about a fault that somebody can act on. ``where`` is the place meant."""
    if isinstance(fault, OSError) and fault.errno in _SAID:
        return _SAID[fault.errno].format(where=where)
    if isinstance(fault, SiteBusy):
        return "Another process holds the page and does not finish."
    if isinstance(fault, DatabaseError):
        return "The database does not answer."
    return f"Something unforeseen ({type(fault).__name__}). The log says more."
