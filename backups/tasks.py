"""What Celery calls. A message carries a number; the job's state lives in the database."""

from celery import shared_task
from django.utils import timezone

from backups import runner

# A look at a recovery target is of no use once the next one is due.
PROBE_SECONDS = 600
# Storage locations that are due are asked for again each minute.
STORAGE_SECONDS = 60
# Nor is a reading of an archive.
READ_SECONDS = 300
# Nor a round at a standby.
TEND_SECONDS = 60
# Nor one of its content.
CONTENT_SECONDS = 600


@shared_task
def advance_restore(*, restore_id: int, **_later: object) -> None:
    # _later: a newer publisher may add arguments before this worker is replaced.
    runner.run_restore(restore_id=restore_id, now=timezone.now)


@shared_task
def advance_backup(*, backup_id: int, **_later: object) -> None:
    runner.run_backup(backup_id=backup_id, now=timezone.now)


@shared_task
def advance_copy(*, copy_id: int, **_later: object) -> None:
    runner.run_copy(copy_id=copy_id, now=timezone.now)


@shared_task
def advance_manifest(*, manifest_id: int, **_later: object) -> None:
    runner.run_manifest(manifest_id=manifest_id, now=timezone.now)


@shared_task
def begin_copies() -> None:
    """Begin the copies that policies want, and let go of old runs that found nothing to copy."""
    at = timezone.now()
    for copy_id in runner.begin_due_copies(at=at):
        advance_copy.delay(copy_id=copy_id)
    runner.thin_copies(at=at)


@shared_task
def read_content(*, database_id: int, location_id: int, **_later: object) -> None:
    runner.try_to_read(database_id=database_id, location_id=location_id, at=timezone.now())


@shared_task
def read_contents() -> None:
    """Have the backups in every place read on, so that every byte is read in time."""
    for database_id, location_id in runner.places_to_read():
        read_content.apply_async(
            kwargs={"database_id": database_id, "location_id": location_id},
            expires=CONTENT_SECONDS,
        )


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
def probe_storage(*, location_id: int, is_asked_for: bool = False, **_later: object) -> None:
    runner.probe_storage(location_id=location_id, at=timezone.now(), is_asked_for=is_asked_for)


@shared_task
def probe_storages() -> None:
    """Have the storage locations probed that are due, each on its own: one that hangs is one."""
    for location_id in runner.due_storages(at=timezone.now()):
        probe_storage.apply_async(kwargs={"location_id": location_id}, expires=STORAGE_SECONDS)


@shared_task
def look_for_windows() -> None:
    """Look for saturation windows where that was not done today, and let go of old probes."""
    at = timezone.now()
    for location_id in runner.storages_to_look_at(at=at):
        runner.look_for_windows(location_id=location_id, at=at)
    runner.thin_probes(at=at)


@shared_task
def thin_history() -> None:
    """Let go of what checks and storages said long ago."""
    at = timezone.now()
    runner.thin_check_changes(at=at)
    runner.thin_measurements(at=at)


@shared_task
def tell_proofs() -> None:
    runner.tell_proofs(at=timezone.now())


@shared_task
def read_archive(*, database_id: int, **_later: object) -> None:
    runner.read_archive(database_id=database_id, at=timezone.now())


@shared_task
def read_archives() -> None:
    """Have every archive that was not read of late read, each by a worker of its own."""
    for database_id in runner.unread_archives(at=timezone.now()):
        read_archive.apply_async(kwargs={"database_id": database_id}, expires=READ_SECONDS)


@shared_task
def check_databases() -> None:
    """Look at every database with every check."""
    runner.check_databases(at=timezone.now())


@shared_task
def advance_drills() -> None:
    """Begin drills that are due, judge those that are done, and have their clusters cleared."""
    at = timezone.now()
    runner.begin_due_drills(at=at)
    for drill_id, queue in runner.advance_drills(at=at):
        clear_drill.apply_async(kwargs={"drill_id": drill_id}, queue=queue, expires=30)


@shared_task
def clear_drill(*, drill_id: int, **_later: object) -> None:
    runner.clear_drill(drill_id=drill_id, at=timezone.now())


@shared_task
def tend_standby(*, standby_id: int, **_later: object) -> None:
    runner.tend_standby(standby_id=standby_id, now=timezone.now)


@shared_task
def tend_standbys() -> None:
    """Have every standby looked after by the worker beside its target."""
    for standby_id, queue in runner.standbys_by_queue():
        tend_standby.apply_async(
            kwargs={"standby_id": standby_id}, queue=queue, expires=TEND_SECONDS
        )


@shared_task
def follow_findings() -> None:
    runner.follow_findings(at=timezone.now())


@shared_task
def keep_pulse() -> None:
    """Write down that a worker was reached, and say outside that all is well."""
    at = timezone.now()
    runner.beat(at=at)
    runner.send_heartbeat(at=at)


@shared_task
def forecast_losses() -> None:
    """Say of every database what its loss would cost now, and let go of what was said long ago."""
    at = timezone.now()
    runner.forecast_losses(at=at)
    runner.thin_forecasts(at=at)


@shared_task
def write_runbooks() -> None:
    runner.write_runbooks(at=timezone.now())


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
    for copy_id in runner.waiting_copies(at=at):
        advance_copy.apply_async(kwargs={"copy_id": copy_id})
    for manifest_id in runner.waiting_manifests(at=at):
        advance_manifest.apply_async(kwargs={"manifest_id": manifest_id})


@shared_task
def begin_what_is_due() -> None:
    """Begin the backups that policies plan, and bring workarounds back on their day."""
    at = timezone.now()
    for backup_id in runner.begin_due_backups(at=at):
        advance_backup.delay(backup_id=backup_id)
    runner.hang_reviews(at=at)
