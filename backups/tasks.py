"""What Celery calls. A message carries a number; the job's state lives in the database."""

from celery import shared_task
from django.utils import timezone

from backups import runner

# A look at a recovery target is of no use once the next one is due.
PROBE_SECONDS = 600


@shared_task
def advance_restore(*, restore_id: int, **_later: object) -> None:
    # _later: a newer publisher may add arguments before this worker is replaced.
    runner.run_restore(restore_id=restore_id, now=timezone.now)


@shared_task
def advance_backup(*, backup_id: int, **_later: object) -> None:
    runner.run_backup(backup_id=backup_id, now=timezone.now)


@shared_task
def probe_target(*, target_id: int, **_later: object) -> None:
    runner.probe_target(target_id=target_id, at=timezone.now())


@shared_task
def probe_targets() -> None:
    """Have every recovery target looked at by the worker beside it."""
    for target_id, queue in runner.targets_by_queue():
        probe_target.apply_async(
            kwargs={"target_id": target_id}, queue=queue, expires=PROBE_SECONDS
        )


@shared_task
def tell_proofs() -> None:
    runner.tell_proofs(at=timezone.now())


@shared_task
def clear_former_place(*, restore_id: int, **_later: object) -> None:
    runner.clear_left_place(restore_id=restore_id)


@shared_task
def requeue_lost_jobs() -> None:
    """Send the jobs that lost their worker, or their message, on their way again."""
    at = timezone.now()
    for restore_id, queue in runner.left_places(at=at):
        clear_former_place.apply_async(kwargs={"restore_id": restore_id}, queue=queue, expires=60)
    for restore_id, queue in runner.waiting_restores(at=at):
        advance_restore.apply_async(kwargs={"restore_id": restore_id}, queue=queue)
    for backup_id in runner.waiting_backups(at=at):
        advance_backup.apply_async(kwargs={"backup_id": backup_id})
