"""Keeping a standby of a database warm at a recovery target, and ending that."""

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.models import User
from backups import queries, runner, tasks
from backups.engines import registry
from backups.models import (
    Backup,
    BackupPolicy,
    Database,
    RecoveryTarget,
    Standby,
    StandbyState,
)
from backups.operations.restores import TargetBusy, send
from backups.operations.warm import NoStandby, TargetKeepsStandby, require_no_standby
from backups.operations.wishes import NoBackup, TargetNotReady, require_ready
from backups.options.words import amount
from incidents.errors import Refused

logger = logging.getLogger(__name__)

# A worker that looked at its machine longer ago than this is not known to be there.
_SEEN_WITHIN = timedelta(minutes=30)
# The cluster, its backup while that is unpacked, and some log beside them.
_ROOM_FACTOR = 1.1
_ROOM_FOR_LOG = 1024**3


class EngineKeepsNoStandby(Refused):
    code = "engine-keeps-no-standby"
    message = "The engine of this database cannot keep a standby warm. Barman's can."


class TargetForDrills(Refused):
    code = "recovery-target-for-drills"
    message = (
        "Drills are held at this recovery target, and a standby would never leave it free. Choose "
        "another target, or let the policy hold its drills elsewhere."
    )


class TargetTooSmall(Refused):
    code = "recovery-target-too-small"
    message = "There is too little room at this recovery target. Make room, or choose another."


class StandbyIsTaken(Refused):
    code = "standby-is-taken"
    message = (
        "A restore brings this standby up. Cancel that one first; then the standby can be ended."
    )


class StandbyNameDiffers(Refused):
    code = "standby-name-differs"
    message = "What was typed is not the target's name. Type it exactly as it is shown."


def keep_warm(
    *,
    database_id: int,
    target_id: int,
    at: datetime,
    by: User | None = None,
    by_worker: bool = True,
) -> Standby:
    """Keep a standby of a database warm at a recovery target, which is its alone from now on.

    Its base, the newest backup, is restored first; then it follows what is archived. Without
    ``by_worker`` nobody is sent at once.

    :raises EngineKeepsNoStandby: if the database's engine cannot
    :raises TargetKeepsStandby: if the target keeps one already
    :raises TargetForDrills: if a policy holds its drills there
    :raises NoBackup: if there is nothing to begin with
    :raises TargetBusy: if a restore has the target, has stopped there, or a drill's cluster stands
    :raises TargetOccupied: if its directory holds something; it is never moved aside
    :raises TargetNotReady: if its machine lacks something, or no worker has looked at it of late
    :raises VersionDiffers: if its PostgreSQL is of another major version
    :raises TargetTooSmall: if there is too little room
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    target = RecoveryTarget.objects.get(pk=target_id)
    if not registry.can_follow(database.engine):
        raise EngineKeepsNoStandby(
            f"Databases of the engine {database.get_engine_display()} cannot have a standby kept "
            "warm: what it archives cannot be followed. Barman's can."
        )
    newest = _require_fit(database, target, at=at)
    try:
        with transaction.atomic():
            # Whoever unregisters it at this moment is waited for.
            if not Database.objects.select_for_update(no_key=True).filter(pk=database_id):
                raise queries.NotRegistered
            base = runner.base_of(database=database, target=target, backup=newest, at=at)
            standby = Standby.objects.create(
                target=target, database=database, base=base, requested_at=at, requested_by=by
            )
            if by_worker:
                send(base)
    except IntegrityError as error:
        if "restorejob_has_its_target_alone" in str(error):
            raise TargetBusy from error
        raise TargetKeepsStandby from error
    return standby


def _require_fit(database: Database, target: RecoveryTarget, *, at: datetime) -> Backup:
    """Return the backup to begin with, if it has a place there."""
    require_no_standby(target)
    if BackupPolicy.objects.filter(drill_target=target, database__unregistered_at=None).exists():
        raise TargetForDrills
    newest = runner.newest_backup(database)
    if newest is None:
        raise NoBackup
    if runner.is_held(target):
        raise TargetBusy
    if target.probed_at is None or at - target.probed_at > _SEEN_WITHIN:
        raise TargetNotReady(
            f"No worker has looked at {target} of late. Start the worker of the queue "
            f"{target.queue} beside it, have it looked at again, and ask again."
        )
    require_ready(target, newest, replaces="", at=at)
    stored = newest.stored_bytes or newest.cluster_bytes
    needed = int((newest.cluster_bytes + stored) * _ROOM_FACTOR) + _ROOM_FOR_LOG
    free = target.free_bytes
    if free is not None and target.work_free_bytes is not None:
        free += target.work_free_bytes
    if free is not None and free < needed:
        raise TargetTooSmall(
            f"{amount(needed)} are needed at {target} for the cluster, its backup and some log; "
            f"{amount(free)} are free. Make room, or choose another target."
        )
    return newest


def stop_keeping_warm(
    *, standby_id: int, typed: str, by: User | None = None, by_worker: bool = True
) -> Standby:
    """Stop keeping a standby: its server, its directory and its log are taken away for good.

    :raises NoStandby: if it is not there any more
    :raises StandbyNameDiffers: if what was typed is not the name of its target
    :raises StandbyIsTaken: if a restore brings it up
    """
    with transaction.atomic():
        rows = Standby.objects.select_for_update(of=("self",)).select_related("target", "database")
        standby = rows.filter(pk=standby_id).first()
        if standby is None:
            raise NoStandby
        if typed.strip() != standby.target.name:
            raise StandbyNameDiffers
        if standby.state == StandbyState.TAKEN:
            raise StandbyIsTaken
        standby.state = StandbyState.STOPPING
        standby.save(update_fields=["state"])
        if by_worker:
            _send(standby)
    logger.info("standby %s: to be taken away, says %s", standby_id, by.pk if by else "a command")
    return standby


def _send(standby: Standby) -> None:
    pk, queue = standby.pk, standby.target.queue

    # A function, not a partial: Django asks a robust hook that failed for its name.
    def call() -> None:
        tasks.tend_standby.apply_async(kwargs={"standby_id": pk}, queue=queue, expires=60)

    # Robust: with the broker away the beat sends somebody.
    transaction.on_commit(call, robust=True)
