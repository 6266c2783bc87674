"""Looking at databases with every check, and keeping what was found with since when."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from backups.errors import EngineFailed
from backups.models import (
    BackupCheck,
    BackupCheckChange,
    BackupCheckName,
    CheckState,
    Database,
)
from backups.runner.watching.base import Check, Found, Subject, unknown
from backups.runner.watching.log import LogFresh, LogWhole
from backups.runner.watching.recovery import (
    DrillPassed,
    PolicyStands,
    TargetsReady,
    WithinObjectives,
)
from backups.runner.watching.stored import (
    ClocksAgree,
    ContentSound,
    CredentialsValid,
    Encrypted,
    ObjectsPresent,
    ReplicaRecent,
    WeatherGood,
)
from backups.runner.watching.surroundings import Surroundings
from backups.runner.watching.taken import (
    DurationUsual,
    FullFresh,
    Retention,
    ScheduleKept,
    SizeUsual,
)

logger = logging.getLogger(__name__)

CHECKS: Sequence[Check] = (
    FullFresh(),
    ScheduleKept(),
    LogWhole(),
    LogFresh(),
    SizeUsual(),
    DurationUsual(),
    ObjectsPresent(),
    ContentSound(),
    Encrypted(),
    Retention(),
    ReplicaRecent(),
    CredentialsValid(),
    ClocksAgree(),
    TargetsReady(),
    WithinObjectives(),
    WeatherGood(),
    DrillPassed(),
    PolicyStands(),
)
_OF_PROBES = (BackupCheckName.CREDENTIALS, BackupCheckName.CLOCK, BackupCheckName.WEATHER)
_OF_ARCHIVE = (
    BackupCheckName.FULL_FRESH,
    BackupCheckName.SCHEDULE,
    BackupCheckName.LOG_WHOLE,
    BackupCheckName.LOG_FRESH,
    BackupCheckName.SIZE,
    BackupCheckName.DURATION,
    BackupCheckName.RETENTION,
)
_WORDS = BackupCheck._meta.get_field("words").max_length
_ADVICE = BackupCheck._meta.get_field("advice").max_length


def check_database(
    *,
    database_id: int,
    at: datetime,
    names: Collection[str] = (),
    around: Surroundings | None = None,
) -> Sequence[BackupCheck]:
    """Look at a database with all checks, or with those of these names, and keep what they found.

    A check that fails to look has found UNKNOWN. Looking again at the same moment changes nothing.
    ``around`` is what others were looked at with.
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    subject = Subject(database, at=at, around=around)
    chosen = [check for check in CHECKS if not names or check.name in names]
    found = {check.name: _dated(check, subject, _looked(check, subject)) for check in chosen}
    return _kept(database, found, at=at)


def check_databases(*, at: datetime) -> int:
    """Look at every database, one after the other; return how many were."""
    ids = list(Database.objects.order_by("pk").values_list("pk", flat=True))
    looked, around = 0, Surroundings(at=at)
    for pk in ids:
        try:
            check_database(database_id=pk, at=at, around=around)
        except Database.DoesNotExist:
            # Unregistered since.
            continue
        except Exception:
            # The others are looked at all the same; that this one was not, its age says.
            logger.exception("database %s could not be looked at", pk)
            continue
        looked += 1
    return looked


def _looked(check: Check, subject: Subject) -> Found:
    try:
        return check.look(subject)
    except EngineFailed as failure:
        return unknown(f"It could not be looked at ({failure.code}).", failure.advice)
    except Exception:
        # One check that stumbles is no reason to know nothing of all the others.
        logger.exception("check %s of database %s", check.name, subject.database.pk)
        return unknown(
            "It could not be looked at: a fault of Highwater's own.", "See the worker's log."
        )


def _dated(check: Check, subject: Subject, found: Found) -> Found:
    """Add to the evidence when what a check goes by was last asked of the storage itself."""
    place = subject.database.storage_id
    if check.name == BackupCheckName.OBJECTS:
        what, at = "storage_listed_at", subject.database.listed_at
    elif check.name == BackupCheckName.CONTENT:
        what, at = "storage_read_at", subject.readings(place).read_at
    elif check.name in _OF_PROBES:
        # What is well goes by those that came to something: others have learnt nothing of it.
        told = [e for e in subject.probes if not e.error or found.state != CheckState.OK]
        what, at = "storage_probed_at", max((each.at for each in told), default=None)
    elif check.name in _OF_ARCHIVE:
        what, at = "archive_read_at", subject.database.synced_at
    else:
        return found
    if at is None:
        return found
    return replace(found, evidence={**found.evidence, what: at.isoformat()})


def _kept(
    database: Database, found: dict[BackupCheckName, Found], *, at: datetime
) -> Sequence[BackupCheck]:
    with transaction.atomic():
        # Two lookers at once: the second waits, and sees what the first one wrote.
        Database.objects.select_for_update().get(pk=database.pk)
        known = {row.name: row for row in database.backup_checks.all()}
        rows, changes = [], []
        for name, each in found.items():
            row = known.get(name) or BackupCheck(database=database, name=name, since_at=at)
            if row.pk and row.looked_at > at:
                rows.append(row)
                continue
            if row.state != each.state:
                row.state, row.since_at = each.state, at
                changes.append(
                    BackupCheckChange(
                        database=database, name=name, state=each.state, at=at,
                        words=_cut(each.words, _WORDS),
                    )
                )  # fmt: skip
            row.looked_at = at
            row.words, row.advice = _cut(each.words, _WORDS), _cut(each.advice, _ADVICE)
            row.evidence = dict(each.evidence)
            rows.append(row)
        BackupCheck.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["database", "name"],
            update_fields=["state", "since_at", "looked_at", "words", "advice", "evidence"],
        )
        BackupCheckChange.objects.bulk_create(changes)
    return rows


def _cut(words: str, length: int | None) -> str:
    """Return words that fit their column, and that show where something was left out."""
    clean = words.replace("\0", "")
    return clean if length is None or len(clean) <= length else f"{clean[: length - 1]}…"
