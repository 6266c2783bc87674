"""What a restore may want of a target that keeps a standby: to bring that up, and nothing else."""

from datetime import datetime

from backups.models import Database, RecoveryTarget, RestoreJob, Standby, StandbyState
from incidents.errors import Refused


class TargetKeepsStandby(Refused):
    code = "recovery-target-keeps-standby"
    message = (
        "This recovery target keeps a standby warm. Bring that one up, stop keeping it, or choose "
        "another target."
    )


class NoStandby(Refused):
    code = "no-standby"
    message = "No standby of this database is kept warm there. Look at the recovery targets."


class RestoreMakesBase(Refused):
    code = "restore-makes-base"
    message = (
        "This restore makes the base of a standby. Stop keeping the standby instead: that ends it."
    )


def require_no_standby(target: RecoveryTarget) -> None:
    """Make sure that a target is not there for a standby alone.

    :raises TargetKeepsStandby: if it is
    """
    standby = Standby.objects.select_related("database").filter(target=target).first()
    if standby is not None:
        raise TargetKeepsStandby(
            f"{target} keeps a standby of {standby.database} warm. Bring that one up, stop keeping "
            "it, or choose another target."
        )


def require_no_base(job: RestoreJob) -> None:
    """Make sure that a restore is not there for a standby.

    :raises RestoreMakesBase: if it is
    """
    if job.is_base:
        raise RestoreMakesBase


def require_standby(
    database: Database, target: RecoveryTarget, target_at: datetime | None
) -> Standby:
    """Return the standby that a restore to this moment can bring up.

    :raises NoStandby: if none is warm there, or it has replayed beyond the moment
    """
    standby = Standby.objects.filter(database=database, target=target).warm().first()
    if standby is None or standby.warm_until_at is None:
        raise NoStandby(f"No standby of {database} is warm at {target}. Choose another way back.")
    if target_at is not None and target_at < standby.warm_until_at:
        raise NoStandby(
            f"The standby at {target} has replayed up to {standby.warm_until_at:%Y-%m-%d %H:%M:%S} "
            "UTC, later than the moment that was asked for. Choose another way back."
        )
    return standby


def take_standby(job: RestoreJob) -> None:
    """Let a restore have the standby whose base it goes on from. In the caller's transaction.

    :raises NoStandby: if it is not there to be had any more
    """
    rows = Standby.objects.filter(base_id=job.continues_id).warm()
    if not rows.update(state=StandbyState.TAKEN, taken_by=job):
        raise NoStandby
