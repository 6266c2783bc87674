"""Checks of the archived log: without a gap, and archived in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from backups.models import Backup, BackupCheckName, BackupKind, StorageLocation
from backups.options.words import duration, told
from backups.runner.watching.base import (
    Evidence,
    Found,
    Subject,
    critical,
    ok,
    unasked,
    unknown,
    unread,
    warning,
)

# Where no objective says how much may be lost, a log that stands still for so long is told.
USUAL_LIMIT = timedelta(hours=1)
# So many backups are told by name.
NAMED = 3


class LogWhole:
    """Whether the log leads on from every backup that is kept."""

    name: ClassVar = BackupCheckName.LOG_WHOLE

    def look(self, subject: Subject) -> Found:
        if unsure := unread(subject):
            return unsure
        physical = [each for each in subject.backups if each.kind != BackupKind.LOGICAL]
        if not physical:
            return (
                ok("These backups need no log.")
                if subject.backups
                else unknown("There is no backup to look at.", "Take one.")
            )
        lost = [each for each in physical if each.reaches_until_at is None]
        broken = [each for each in physical if each.log_missing]
        if lost:
            return _unusable(lost, is_newest=lost[0] == physical[0])
        if broken:
            return _broken_off(broken, is_newest=broken[0] == physical[0])
        many = len(physical)
        return ok(
            f"The log leads on from {f'all {many} backups' if many > 1 else 'the one backup'} "
            "without a gap.",
            segments=physical[0].log_segments,
        )


def _unusable(lost: Sequence[Backup], *, is_newest: bool) -> Found:
    """Say of backups that the log that they need themselves is not whole."""
    names = ", ".join(each.label for each in lost[:NAMED])
    names += f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    said = f"{names}: the log that the backup itself needs is not whole"
    missing, places = lost[0].log_missing, _having(lost[0])
    if places:
        return warning(
            f"{said} in the storage; {places} has it.",
            f"Restore from {places} as the source, and bring the log back from there.",
            missing=missing,
        )
    found = critical if is_newest else warning
    return found(
        f"{said}, so it cannot be restored.",
        f"Bring back {missing or 'the log'}, or take a full backup now.",
        missing=missing,
    )


def _broken_off(broken: Sequence[Backup], *, is_newest: bool) -> Found:
    """Say of backups that a file is missing in the log behind them."""
    first, places = broken[0], _having(broken[0])
    until = f": from {told(first.reaches_until_at)} on" if first.reaches_until_at else ""
    said = (
        f"The log file {first.log_missing} is missing or damaged{until} nothing can be restored "
        f"from {first.label}"
    )
    evidence: Evidence = {"missing": first.log_missing, "backups": len(broken)}
    if places:
        return warning(
            f"{said} but from {places}, whose log leads further.",
            f"Bring the file back from {places}; until then choose that as the source.",
            **evidence,
        )
    found = critical if is_newest else warning
    return found(
        f"{said}.",
        "Bring the file back from the server or a copy; if it is gone, take a full backup now.",
        **evidence,
    )


def _having(backup: Backup) -> str:
    """Name the copies whose log leads further from a backup; empty if none does."""
    places = StorageLocation.objects.filter(pk__in=list(backup.reaches_elsewhere))
    return ", ".join(places.order_by("name").values_list("name", flat=True))


class LogFresh:
    """Whether what was written arrives in the archive before more than may be lost piles up."""

    name: ClassVar = BackupCheckName.LOG_FRESH

    def look(self, subject: Subject) -> Found:
        database, policy = subject.database, subject.policy
        if policy is not None and not policy.archives_log:
            return unasked("The policy archives no log.")
        if subject.backups and all(each.kind == BackupKind.LOGICAL for each in subject.backups):
            return unasked("This engine keeps no log: each backup leads to its own moment.")
        unsure = unread(subject)
        if database.synced_at is None or unsure:
            return unsure or unknown("The archive was never read.", "Read it.")
        if database.latest_restorable_at is None:
            return critical(
                "Nothing can be restored: no backup has the log that it needs.",
                "Take a full backup now, and see that the server archives its log.",
            )
        return _compared(subject, database.synced_at, database.latest_restorable_at)


def _compared(subject: Subject, synced: datetime, latest: datetime) -> Found:
    objective = subject.database.recovery_point_objective
    limit = objective or USUAL_LIMIT
    behind = max(synced - latest, timedelta())
    said = f"The newest log was archived {duration(behind)} before the archive was read"
    evidence: Evidence = {"behind_seconds": behind.total_seconds(), "limit": duration(limit)}
    if behind > limit:
        found = critical if objective else warning
        return found(
            f"{said}; {duration(limit)} may be lost.",
            "See pg_stat_archiver on the server: a failing or slow archive_command, or no "
            "archive_timeout on a quiet server.",
            **evidence,
        )
    return ok(f"{said}.", **evidence)
