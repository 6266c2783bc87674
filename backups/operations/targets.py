"""Recovery targets: having each looked at by the worker beside it, and letting go of one."""

import logging
from datetime import datetime

from django.db import transaction

from backups import tasks
from backups.models import BackupPolicy, RecoveryTarget, RestoreJob, Standby
from backups.models.jobs import OVER
from incidents.errors import Refused

logger = logging.getLogger(__name__)


class TargetNeeded(Refused):
    code = "target-needed"
    message = (
        "Something still uses this recovery target: end its restore, its standby, or the drills "
        "that a policy plans there. Then unregister it."
    )


class TargetNameDiffers(Refused):
    code = "target-name-differs"
    message = "Type the name of the recovery target exactly as it is written, to unregister it."


def look_at_targets() -> None:
    """Ask the workers beside the recovery targets what is there now. They answer in their rows."""

    # A function, not the task itself: Django asks a robust hook that failed for its name.
    def ask() -> None:
        tasks.probe_targets.delay()

    transaction.on_commit(ask, robust=True)


def unregister_recovery_target(*, target_id: int, typed: str, at: datetime) -> RecoveryTarget:
    """Let go of a recovery target: no plan, drill or probe knows it from now on.

    What lies on its machine is not touched, and a cluster that runs there goes on. Its restores and
    drills stay on record under its name, which may be registered again.

    :raises TargetNameDiffers: if what was typed is not its name
    :raises TargetNeeded: if a restore, a standby or a policy uses it, naming which
    """
    with transaction.atomic():
        target = RecoveryTarget.objects.select_for_update().get(pk=target_id)
        if typed.strip() != target.name:
            raise TargetNameDiffers
        _require_unused(target)
        target.unregistered_at = at
        target.save(update_fields=["unregistered_at"])
    logger.info("recovery target %s: unregistered", target.pk)
    return target


def _require_unused(target: RecoveryTarget) -> None:
    job = RestoreJob.objects.exclude(state__in=OVER).filter(target=target).order_by("pk").first()
    if job is not None:
        raise TargetNeeded(
            f"{job} is not over, and it has {target}. Wait for its end, or cancel it; then "
            "unregister the target."
        )
    standby = Standby.objects.filter(target=target).select_related("database").first()
    if standby is not None:
        raise TargetNeeded(
            f"A standby of {standby.database} is kept warm at {target}. Stop keeping it; then "
            "unregister the target."
        )
    policies = BackupPolicy.objects.filter(drill_target=target, database__unregistered_at=None)
    policy = policies.select_related("database").order_by("pk").first()
    if policy is not None:
        raise TargetNeeded(
            f"The policy of {policy.database} holds its drills at {target}. Name another target "
            "there; then unregister this one."
        )
