"""A planned backup of a real cluster: begun by the beat, taken by the tool, and what follows."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backups import operations, queries, runner
from backups.models import Backup, BackupJob, BackupPolicy, JobState
from tests.backups.engines.test_contract import rooms_of
from tests.lives import Lives

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_planned_backup_is_taken_and_forecast_from(lives: Lives, tmp_path: Path) -> None:
    rooms = rooms_of(lives.of("BARMAN_CLOUD"), tmp_path)
    database_id = rooms.database.pk
    operations.change_policy(
        database_id=database_id,
        changes={"full_schedule": "0 * * * *", "keep_fulls": 1},
        why="because",
        by=None,
        at=timezone.now(),
    )

    # The hour has come: one beat begins the backup, and a worker takes it.
    BackupPolicy.objects.update(full_due_at=timezone.now())
    (job_id,) = runner.begin_due_backups(at=timezone.now())
    runner.run_backup(backup_id=job_id, now=timezone.now)

    job = BackupJob.objects.get(pk=job_id)
    assert job.state == JobState.SUCCEEDED, job.detail
    taken = Backup.objects.get(engine_id=job.engine_id)
    assert taken.label == job.label
    found = queries.retention_of(rooms.database, at=timezone.now())
    assert [each.held.key for each in found if each.is_kept] == [taken.engine_id]
    assert len(found) > 1

    # What was counted in the archive makes the effect of a change known.
    earlier = timezone.now() - timedelta(hours=1)
    Backup.objects.update(began_at=earlier, ended_at=earlier)
    preview = operations.preview_policy(
        database_id=database_id, changes={"full_schedule": "0 2 * * SUN"}, at=timezone.now()
    )
    assert "hourly → weekly fulls: replay grows from 1 h to 7 days, back in" in preview.effect.words
    assert preview.effect.after.back is not None
