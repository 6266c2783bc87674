"""What a restore may be asked for: looked at before it is queued, and refused in words."""

from datetime import datetime, timedelta

from django.db.models import Q

from backups.engines import registry
from backups.models import (
    Backup,
    BackupKind,
    BackupQuerySet,
    Database,
    RecoveryTarget,
    RestorePoint,
    RestoreStrategy,
    StorageLocation,
)
from backups.operations.warm import require_no_standby
from incidents.errors import Refused

# What a worker saw of its machine longer ago than this is left to the worker to find out anew.
FRESH = timedelta(minutes=30)
MOST_LANES = 64
MOST_REASONS = 1000

_HOLDS = {"running": "a running cluster", "foreign": "files that no restore put there"}
_LACKS = {
    "port": "another program listens on its port",
    "programs": "its PostgreSQL programs are not where it was registered",
    "disk": "nothing can be written to its disk",
    "ours": "a restore that has stopped left its work there; resume or cancel that one",
    "standby": "a standby was kept there when it was last looked at",
}


class NoBackup(Refused):
    code = "no-backup"
    message = "There is no finished backup of this database. Take or copy one, then ask again."


class BackupNotUsable(Refused):
    code = "backup-not-usable"
    message = "This backup cannot be restored. Choose another one of this database."


class PointOutOfReach(Refused):
    code = "point-out-of-reach"
    message = "This moment cannot be restored."


class LogHasHole(Refused):
    code = "log-has-hole"
    message = "A log file is missing in the archive. Bring it back, or ask for an earlier moment."


class NoSuchSource(Refused):
    code = "no-such-source"
    message = "This place does not hold the database's objects. Choose its storage or a copy of it."


class TargetOccupied(Refused):
    code = "recovery-target-occupied"
    message = "The directory of this recovery target holds something. Choose another."


class TargetNotReady(Refused):
    code = "recovery-target-not-ready"
    message = "This recovery target cannot take a restore. Mend it or choose another."


class VersionDiffers(Refused):
    code = "recovery-target-version"
    message = "The backup is of another major version. Choose a target with its programs."


class StrategyNotKnown(Refused):
    code = "strategy-not-known"
    message = "This database's engine cannot restore in this way. Choose the strategy stage."


class LanesOutOfRange(Refused):
    code = "lanes-out-of-range"
    message = f"So many tenants cannot come back at once. Give a number from 1 to {MOST_LANES}."


class ReasonsTooLong(Refused):
    code = "reasons-too-long"
    message = f"The reasons are too long. Say it in at most {MOST_REASONS} characters."


class EndsBeforeFirst(Refused):
    code = "rest-ends-before-first-part"
    message = (
        "The rest of a staged recovery would end before its first part, and older rows would "
        "replace newer ones. Choose a later moment for the rest, or the latest."
    )


class NameDiffers(Refused):
    code = "directory-name-differs"
    message = "What was typed is not the target's directory. Type it exactly as it is shown."


def require_strategy(database: Database, strategy: RestoreStrategy) -> RestoreStrategy:
    """Return the strategy if the database's engine knows it.

    :raises StrategyNotKnown: if it does not
    """
    if strategy.value not in registry.strategies_of(database.engine):
        raise StrategyNotKnown
    return strategy


def require_lanes(lanes: int | None) -> int | None:
    """Return how many tenants come back at once, if so many can; None is as many as there is room.

    :raises LanesOutOfRange: if they cannot
    """
    if lanes is not None and not 1 <= lanes <= MOST_LANES:
        raise LanesOutOfRange
    return lanes


def require_reasons(reasons: str) -> str:
    """Return the reasons for a plan, if they can be kept.

    :raises ReasonsTooLong: if they cannot
    """
    if len(reasons) > MOST_REASONS:
        raise ReasonsTooLong
    return reasons


def require_point(
    database: Database, target_at: datetime | None, *, source_id: int | None = None
) -> None:
    """Make sure that a moment, or the latest, can be reached by what the archive holds.

    With a source, by what that copy holds, if its log leads further.

    :raises NoBackup: if there is nothing to restore from
    :raises PointOutOfReach: naming the nearest moment that can be reached
    :raises LogHasHole: if a log file on the way is missing, naming the last moment before it
    """
    if _copy_reaches(database, target_at, source_id):
        return
    usable = Backup.objects.filter(database=database, reaches_until_at__isnull=False).usable()
    earliest = usable.order_by("ended_at").first()
    if earliest is None:
        raise NoBackup
    if earliest.kind == BackupKind.LOGICAL:
        _require_moment_of_a_backup(usable, target_at)
        return
    if target_at is not None and target_at < earliest.ended_at:
        raise PointOutOfReach(
            f"The earliest point that can be restored is {told(earliest.ended_at)}, "
            "the end of the first backup. Ask for that or a later one."
        )
    before = usable if target_at is None else usable.filter(ended_at__lte=target_at)
    backup = before.newest_first().first()
    assert backup is not None, "the earliest is one"
    assert backup.reaches_until_at is not None, "only such were asked for"
    if backup.log_missing and (target_at is None or target_at > backup.reaches_until_at):
        raise LogHasHole(
            f"The log file {backup.log_missing} is missing or damaged in the archive. "
            f"{_remedy(backup)}, or "
            f"ask for {told(backup.reaches_until_at)}, the last moment before it, or an earlier "
            "one."
        )
    if target_at is not None and target_at > backup.reaches_until_at:
        raise PointOutOfReach(
            f"The latest point that can be restored is {told(backup.reaches_until_at)}, "
            "the last archived change. Ask for that or an earlier one, or for the latest."
        )


def _require_moment_of_a_backup(usable: BackupQuerySet, target_at: datetime | None) -> None:
    """Without a log only the moments of the backups can be reached."""
    if target_at is None or usable.filter(Q(began_at=target_at) | Q(ended_at=target_at)).exists():
        return
    moments = [backup.began_at for backup in usable.order_by("began_at")]
    before = [moment for moment in moments if moment < target_at][-1:]
    after = [moment for moment in moments if moment > target_at][:1]
    raise PointOutOfReach(
        "This database's engine keeps no log: only the moments of its backups can be restored. The "
        f"nearest are {' and '.join(told(moment) for moment in [*before, *after])}. Ask for one of "
        "those."
    )


def _copy_reaches(database: Database, target_at: datetime | None, source_id: int | None) -> bool:
    """Say whether the copy that is to be read from has a log that leads further, and far enough."""
    newest = Backup.objects.filter(database=database).usable().newest_first().first()
    until = newest.reaches_elsewhere.get(str(source_id)) if newest is not None else None
    if newest is None or until is None:
        return False
    return target_at is None or newest.ended_at <= target_at <= datetime.fromisoformat(until)


def _remedy(backup: Backup) -> str:
    having = StorageLocation.objects.filter(pk__in=list(backup.reaches_elsewhere)).order_by("name")
    names = ", ".join(place.name for place in having)
    return f"{names} has it: choose that as the source" if names else "Bring it back"


def chosen_backup(
    database: Database, backup_id: int | None, *, source_id: int | None = None
) -> Backup:
    """Return the backup at whose end a restore is to stop; without a choice, the newest.

    :raises NoBackup: if there is none
    :raises BackupNotUsable: if the chosen one cannot be restored, saying why
    """
    usable = Backup.objects.filter(database=database).usable()
    if backup_id is None:
        newest = usable.filter(reaches_until_at__isnull=False).newest_first().first()
        if newest is None:
            raise NoBackup
        return newest
    backup = usable.filter(pk=backup_id).first()
    if backup is None:
        raise BackupNotUsable
    is_whole_there = str(source_id) in backup.reaches_elsewhere
    if backup.log_missing and backup.reaches_until_at is None and not is_whole_there:
        raise BackupNotUsable(
            f"{backup} needs the log file {backup.log_missing}, which is missing in the archive. "
            "Bring it back, or choose another backup."
        )
    return backup


def require_source(database: Database, source_id: int | None) -> StorageLocation | None:
    """Return the place to read from first; None for the database's own.

    :raises NoSuchSource: if it does not hold the database's objects
    """
    if source_id is None or source_id == database.storage_id:
        return None
    found: StorageLocation | None = database.copies.filter(pk=source_id).first()
    if found is None:
        raise NoSuchSource
    return found


def require_ready(
    target: RecoveryTarget, backup: Backup | None, *, replaces: str, at: datetime
) -> None:
    """Make sure that a machine can take a restore, as far as its worker has seen it lately.

    :raises NameDiffers: if a directory to be moved aside is named, and named wrongly
    :raises TargetKeepsStandby: if it is there for a standby alone
    :raises TargetOccupied: if it holds something that nobody has named
    :raises TargetNotReady: if something else is in the way
    :raises VersionDiffers: if its PostgreSQL is of another major version than the backup
    """
    if replaces and replaces != target.data_dir:
        raise NameDiffers
    require_no_standby(target)
    if target.probed_at is None or at - target.probed_at > FRESH:
        return
    if target.occupied_by in _HOLDS and not replaces:
        raise TargetOccupied(
            f"The directory of {target} holds {_HOLDS[target.occupied_by]}. Choose another target, "
            f"or name the directory, {target.data_dir}, to have it moved aside."
        )
    if target.occupied_by in _LACKS:
        raise TargetNotReady(
            f"{target} cannot take a restore: {_LACKS[target.occupied_by]}. Mend it and have it "
            "looked at again, or choose another."
        )
    ours, theirs = target.major, backup.server_version // 10000 if backup else None
    if backup and ours and theirs and not _runs(ours, backup):
        raise VersionDiffers(
            f"{target} runs PostgreSQL {ours}, and the backup is of {theirs}. Choose a target "
            "with the programs of that version, or register one."
        )


def end_of(
    point: RestorePoint, target_at: datetime | None, backup: Backup | None
) -> datetime | None:
    """Return where a restore to this point ends; None for the latest there is."""
    if point == RestorePoint.BACKUP and backup is not None:
        return backup.ended_at
    return target_at


def require_in_order(*, first: datetime | None, rest: datetime | None) -> None:
    """Make sure that the rest of a staged recovery ends no earlier than its first part.

    :raises EndsBeforeFirst: if it does
    """
    if rest is not None and (first is None or rest < first):
        raise EndsBeforeFirst


def told(moment: datetime) -> str:
    """Write a moment so exactly that what is told can be asked for, and loses nothing."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def _runs(major: int, backup: Backup) -> bool:
    theirs = backup.server_version // 10000
    # Statements can be played into newer programs as well.
    return major >= theirs if backup.kind == BackupKind.LOGICAL else major == theirs
