"""Reading the archives again and again, so that what is on record is what is there."""

import logging
from datetime import datetime, timedelta

from django.db.models import Q

from backups.models import Database
from backups.runner.looking import look_at_archive

logger = logging.getLogger(__name__)

# One that was read since then is not read again for its own sake.
EVERY = timedelta(minutes=4)
LONGEST_SECONDS = 240.0


def unread_archives(*, at: datetime) -> list[int]:
    """Return the databases whose archive was not read of late."""
    rows = Database.objects.filter(Q(synced_at=None) | Q(synced_at__lt=at - EVERY))
    return list(rows.order_by("pk").values_list("pk", flat=True))


def read_archive(*, database_id: int, at: datetime) -> None:
    """Read a database's archive, and write down what it holds.

    If it does not answer, what was known before stays, with its age.
    """
    try:
        look = look_at_archive(
            database_id=database_id, at=at, budget_seconds=LONGEST_SECONDS, waits_for_copies=True
        )
    except Database.DoesNotExist:
        logger.info("database %s is not registered any more", database_id)
        return
    for place, failure in look.faults.items():
        logger.warning("archive of %s in location %s: %s", look.database, place, failure.code)
