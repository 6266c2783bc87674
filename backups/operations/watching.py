"""Having a database looked at now, instead of when its turn comes."""

import contextlib
from collections.abc import Collection, Sequence
from datetime import datetime

from backups import runner
from backups.models import BackupCheck, BackupCheckName
from backups.operations.backups import CatalogueUnreadable, sync_backups


def check_now(
    *, database_id: int, at: datetime, names: Collection[BackupCheckName] = ()
) -> Sequence[BackupCheck]:
    """Read the archive, look with every check or those named, and return what was found.

    Takes seconds. An archive that does not answer is no reason to say nothing: the checks then say
    what they can of what is on record, and unknown where it is too old.
    """
    with contextlib.suppress(CatalogueUnreadable):
        sync_backups(database_id=database_id, at=at)
    return runner.check_database(database_id=database_id, at=at, names=names)
