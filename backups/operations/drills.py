"""Holding a drill, and calling one off."""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import User
from backups import runner
from backups.models import Backup, BackupPolicy, Database, Drill, DrillState, RecoveryTarget
from backups.operations.restores import NotCancellable, TargetBusy, cancel_restore, send
from backups.operations.warm import require_no_standby
from backups.operations.wishes import NoBackup, require_ready
from backups.queries import NotRegistered
from incidents.errors import Refused


class NoDrillTarget(Refused):
    code = "no-drill-target"
    message = (
        "Nothing says where to hold the drill. Name a recovery target, or set one in the policy."
    )


class DrillRuns(Refused):
    code = "drill-runs"
    message = "A drill of this database runs already. Wait for it, or call it off."


class DrillOver(Refused):
    code = "drill-over"
    message = "This drill is over already. Hold another one."


def hold_drill(
    *, database_id: int, at: datetime, target_id: int | None = None, by: User | None = None,
    by_worker: bool = True,
) -> Drill:  # fmt: skip
    """Restore the newest backup to a scratch target, to be verified, timed and taken away.

    Without a target, to that of the policy. Without ``by_worker`` nobody is sent at once.

    :raises NoDrillTarget: if none is known
    :raises NoBackup: if there is nothing to restore
    :raises DrillRuns: if the database has one already
    :raises TargetKeepsStandby: if the target is there for a standby alone
    :raises TargetBusy: if a restore has the target, has stopped there, or a drill's cluster stands
    :raises TargetOccupied: if its directory holds something; a drill never moves it aside
    :raises TargetNotReady: if its machine lacks something
    :raises VersionDiffers: if its PostgreSQL is of another major version
    """
    database = Database.objects.select_related("storage").get(pk=database_id)
    target = _target(database, target_id)
    newest = Backup.objects.filter(database=database).usable().newest_first().first()
    if newest is None:
        raise NoBackup
    if database.drills.filter(ended_at=None).exists():
        raise DrillRuns
    require_no_standby(target)
    if runner.is_held(target):
        raise TargetBusy
    require_ready(target, newest, replaces="", at=at)
    try:
        with transaction.atomic():
            # Whoever unregisters it at this moment is waited for.
            if not Database.objects.select_for_update(no_key=True).filter(pk=database.pk):
                raise NotRegistered
            drill = runner.begin_drill(
                database=database, target=target, by_id=by.pk if by else None, at=at
            )
            if by_worker and drill.restore is not None:
                send(drill.restore)
    except IntegrityError as error:
        if "drill_is_one_at_a_time" in str(error):
            raise DrillRuns from error
        raise TargetBusy from error
    return drill


def cancel_drill(*, drill_id: int, at: datetime) -> Drill:
    """Call a drill off; its restore is stopped and taken away.

    :raises DrillOver: if it is over, or only still being cleared away
    """
    drill = Drill.objects.get(pk=drill_id)
    if drill.state != DrillState.RUNNING or drill.restore_id is None:
        raise DrillOver
    try:
        cancel_restore(restore_id=drill.restore_id, at=at)
    except NotCancellable as refusal:
        raise DrillOver from refusal
    return drill


def _target(database: Database, target_id: int | None) -> RecoveryTarget:
    if target_id is not None:
        return RecoveryTarget.objects.get(pk=target_id)
    policy = BackupPolicy.objects.select_related("drill_target").filter(database=database).first()
    if policy is None or policy.drill_target is None:
        raise NoDrillTarget
    return policy.drill_target
