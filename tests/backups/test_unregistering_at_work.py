"""A database is unregistered while the tool takes its backup: the job ends, and says what came."""

import threading
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.models import Backup, BackupJob, Database, JobState
from tests.backups.engines.test_contract import rooms_of
from tests.lives import Lives

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_database_is_unregistered_while_its_backup_runs(
    lives: Lives, tmp_path: Path, settings: Settings
) -> None:
    settings.HEARTBEAT_SECONDS = 0.1
    rooms = rooms_of(lives.of("BARMAN_CLOUD"), tmp_path)
    database_id = rooms.database.pk
    known = set(Backup.objects.values_list("engine_id", flat=True))
    job = operations.take_backup(
        database_id=database_id, label="cut-short", at=timezone.now(), by_worker=False
    )
    told: list[operations.Unregistered] = []

    def unregister() -> None:
        try:
            while BackupJob.objects.get(pk=job.pk).state == JobState.QUEUED:
                time.sleep(0.01)
            told.append(
                operations.unregister_database(
                    database_id=database_id, typed=rooms.database.name, by=None, at=timezone.now()
                )
            )
        finally:
            connection.close()

    person = threading.Thread(target=unregister)
    person.start()
    runner.run_backup(backup_id=job.pk, now=timezone.now)
    person.join()

    job.refresh_from_db()
    assert told[0].ending == ["Backup cut-short"]
    assert not Database.objects.filter(pk=database_id).exists()
    taken = Backup.objects.exclude(engine_id__in=known).filter(label="cut-short")
    # Either it ended before its worker heard of it, and is there; or it was cut short, and is not.
    assert (job.state, taken.exists()) in {
        (JobState.SUCCEEDED, True),
        (JobState.CANCELLED, False),
    }, job.detail
    assert (job.leased_by, job.leased_until) == ("", None)
    assert runner.waiting_backups(at=timezone.now()) == []
