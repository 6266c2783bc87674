"""What is in the way of a pause or an end is told, and left to a person."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backups import operations, runner
from backups.engines.postgres import Postgres, PostgresFailed
from backups.models import AttemptOutcome, JobState, RestoreJob
from backups.runner.places import directory_of
from tests.backups.factories import RecoveryTargetFactory, RestoreJobFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return tmp_path / "disk"


@pytest.fixture
def job(disk: Path, tmp_path: Path) -> RestoreJob:
    """Give a restore that waits, and has filled a directory that only a link leads to."""
    disk.mkdir()
    place = tmp_path / "data"
    place.symlink_to(disk)
    target = RecoveryTargetFactory.create(data_dir=str(place), work_dir=str(tmp_path / "work"))
    made: RestoreJob = RestoreJobFactory.create(target=target)
    directory_of(made).prepare()
    (disk / "PG_VERSION").write_text("17")
    return made


def _carried(job: RestoreJob) -> None:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()


def test_what_cannot_be_cleared_away_stops_and_says_so(
    job: RestoreJob, admin_client: Client
) -> None:
    operations.cancel_restore(restore_id=job.pk, at=timezone.now())

    _carried(job)

    assert (job.state, job.failure_code) == (JobState.FAILED, "not-cleared")
    assert "cancel the restore again" in job.failure_advice
    attempt = job.attempts.get()
    assert attempt.outcome == AttemptOutcome.FAILED
    assert "symbolic link" in attempt.detail
    # It is not tried lease by lease.
    assert runner.waiting_restores(at=timezone.now() + timedelta(minutes=5)) == []
    page = admin_client.get(reverse("backups:restore-detail", args=[job.pk])).content.decode()
    assert "restore-cancel" in page


def test_cancelled_again_it_is_cleared_away_once_it_can_be(job: RestoreJob, disk: Path) -> None:
    operations.cancel_restore(restore_id=job.pk, at=timezone.now())
    _carried(job)
    place = Path(job.target.data_dir)
    place.unlink()
    disk.rename(place)

    operations.cancel_restore(restore_id=job.pk, at=timezone.now())
    _carried(job)

    assert (job.state, job.failure_code, job.failure_advice) == (JobState.CANCELLED, "", "")
    assert not place.exists()


def test_one_whose_place_was_taken_meanwhile_is_not_cancelled_over_it(job: RestoreJob) -> None:
    operations.cancel_restore(restore_id=job.pk, at=timezone.now())
    _carried(job)
    RestoreJobFactory.create(target=job.target)

    with pytest.raises(operations.TargetBusy):
        operations.cancel_restore(restore_id=job.pk, at=timezone.now())


def test_what_does_not_stop_for_a_pause_says_so(
    job: RestoreJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(postgres: Postgres) -> None:
        raise PostgresFailed(f"The PostgreSQL server in {postgres.data_dir} does not stop.")

    monkeypatch.setattr(Postgres, "stop", stop)
    RestoreJob.objects.filter(pk=job.pk).update(pause_at=timezone.now())

    _carried(job)

    assert (job.state, job.failure_code) == (JobState.FAILED, "not-at-rest")
    assert "does not stop" in job.attempts.get().detail
