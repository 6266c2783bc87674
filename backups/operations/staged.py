"""Staged recovery: the last backup first, opened and told; then what was written after it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from backups.models import Database, EngineName, RestoreJob, RestoreStrategy
from backups.operations.backups import CatalogueUnreadable, sync_backups
from backups.operations.decisions import Decision
from backups.operations.restores import request_restore
from backups.operations.wishes import require_in_order, require_point
from incidents.errors import Refused


class StagesApart(Refused):
    code = "stages-need-two-targets"
    message = (
        "A staged recovery needs two recovery targets: one that is opened, and one beside it where "
        "the rest is recovered. Name another one for the rest."
    )


class NothingFollows(Refused):
    code = "nothing-follows-a-dump"
    message = (
        "Backups of this database are dumps: nothing that was written after the last one is on "
        "record, so nothing could follow. Restore that backup."
    )


class NobodyToFollow(Refused):
    code = "no-tenants-to-bring"
    message = (
        "No tenant of this database is registered, and the rest is brought tenant by tenant. "
        "Register its tenants first, or restore all of it at once."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The two restores of a staged recovery: ``first`` is opened, ``rest`` is brought into it."""

    first: RestoreJob
    rest: RestoreJob


def request_staged_recovery(
    *,
    database_id: int,
    first_target_id: int,
    target_id: int,
    at: datetime,
    backup_id: int | None = None,
    target_at: datetime | None = None,
    incident_id: int | None = None,
    source_id: int | None = None,
    strategy: RestoreStrategy = RestoreStrategy.STAGE,
    lanes: int | None = None,
    reasons: str = "",
    replaces: str = "",
    decision: Decision | None = None,
    is_looked_at: bool = False,
    by_worker: bool = True,
) -> Staged:
    """Queue a restore to the end of a backup, and behind it one that brings the rest.

    The first opens at ``first_target_id`` with the backup named, or the newest. The second rests
    until then; it recovers up to ``target_at``, or the latest, at ``target_id``, is opened to
    nobody, and brings tenant after tenant forward. Both are queued, or neither. What ``replaces``
    names and the ``decision`` are of the first. The archive is looked at first, unless the caller
    stands on what is on record.

    :raises StagesApart: if both are to be at one recovery target
    :raises NothingFollows: if the database's backups are dumps, which no log follows
    :raises NobodyToFollow: if the database has no tenants
    :raises EndsBeforeFirst: if the rest would end before the backup does
    :raises Refused: for all that ``request_restore`` is refused for
    """
    if first_target_id == target_id:
        raise StagesApart
    database = Database.objects.get(pk=database_id)
    if database.engine == EngineName.PG_DUMP:
        raise NothingFollows
    if not database.tenants.exists():
        raise NobodyToFollow
    if not is_looked_at:
        with suppress(CatalogueUnreadable):
            require_point(
                sync_backups(database_id=database_id, at=at), target_at, source_id=source_id
            )
    with transaction.atomic():
        first = request_restore(
            database_id=database_id,
            recovery_target_id=first_target_id,
            ends_with_backup=True,
            backup_id=backup_id,
            incident_id=incident_id,
            source_id=source_id,
            strategy=strategy,
            reasons=reasons,
            replaces=replaces,
            decision=decision,
            is_looked_at=True,
            by_worker=by_worker,
            at=at,
        )
        assert first.backup is not None, "it ends with one"
        require_in_order(first=first.backup.ended_at, rest=target_at)
        rest = request_restore(
            database_id=database_id,
            recovery_target_id=target_id,
            target_at=target_at,
            incident_id=incident_id,
            source_id=source_id,
            strategy=strategy,
            lanes=lanes,
            reasons=reasons,
            brings_forward_id=first.pk,
            is_looked_at=True,
            by_worker=by_worker,
            at=at,
        )
    return Staged(first=first, rest=rest)
