"""Where a restore goes without a log: to the moments of the backups, and to no other."""

from collections.abc import Sequence
from datetime import datetime

from backups.engines.base import BackupRecord
from backups.engines.planning import Destination
from backups.errors import BackupMissing, TargetOutOfReach


def point_of(backup: BackupRecord) -> datetime:
    """Return the moment up to which a logical backup has everything.

    Each of its databases is as it was at a moment of its own, after this one.
    """
    return backup.began_at


def destination_without_log(
    backups: Sequence[BackupRecord], target_at: datetime | None, *, backup_id: str = ""
) -> Destination:
    """Choose a backup: the named one, the newest, or the one whose moment is asked for.

    :raises BackupMissing: if there is none, or not the named one
    :raises TargetOutOfReach: if no backup has that moment, naming the nearest before and after
    """
    finished = sorted((b for b in backups if b.is_finished), key=point_of)
    if backup_id:
        finished = [backup for backup in finished if backup.backup_id == backup_id]
    elif target_at is not None:
        chosen = [b for b in finished if target_at in (point_of(b), b.ended_at)]
        if finished and not chosen:
            raise TargetOutOfReach(advice=_nearest(finished, target_at))
        finished = chosen
    if not finished:
        raise BackupMissing
    backup = finished[-1]
    return Destination(
        backup=backup,
        timeline=backup.timeline,
        segments=(),
        must_replay_lsn=backup.begin_lsn,
        stop_at=None,
        data_until_at=point_of(backup),
        ends_with_backup=True,
    )


def _nearest(backups: Sequence[BackupRecord], target_at: datetime) -> str:
    before = [point_of(each) for each in backups if point_of(each) < target_at]
    after = [point_of(each) for each in backups if point_of(each) > target_at]
    moments = [*before[-1:], *after[:1]]
    # To the microsecond, so that what is told can be asked for.
    told = " and ".join(f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC" for moment in moments)
    return (
        "This database's engine keeps no log: only the moments of its backups can be restored. "
        f"The nearest are {told}. Ask for one of those."
    )
