"""What a restore leaves behind when it moves, and what is cleared away where."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from backups import operations, runner
from backups.engines.directory import TargetDirectory
from backups.models import JobState, RecoveryTarget, RestoreAttempt, RestoreJob
from backups.operations import Course
from backups.runner.places import clear_away
from tests.backups.factories import RecoveryTargetFactory, RestoreJobFactory
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=5)


def place(folder: Path, name: str, *, queue: str = "restores") -> RecoveryTarget:
    target: RecoveryTarget = RecoveryTargetFactory.create(
        name=name,
        port=5990,
        data_dir=str(folder / name / "data"),
        work_dir=str(folder / name / "work"),
        queue=queue,
    )
    return target


def filled(job: RestoreJob) -> TargetDirectory:
    """Fill the restore's directory and work folder, as an attempt leaves them."""
    directory = TargetDirectory(path=Path(job.target.data_dir), token=job.key)
    directory.prepare()
    work = Path(job.target.work_dir) / job.key
    work.mkdir(parents=True)
    (work / "fetched").write_bytes(b"much")
    return directory


def moved(job: RestoreJob, to: RecoveryTarget) -> RestoreJob:
    course = replace(Course.of(job), recovery_target_id=to.pk)
    return operations.pivot_restore(restore_id=job.pk, course=course, at=NOON)


class TestAMoveThatIsCancelled:
    def test_clears_the_former_place_too(self, tmp_path: Path) -> None:
        job = RestoreJobFactory.create(target=place(tmp_path, "one"))
        directory = filled(job)
        other = place(tmp_path, "two")
        Path(other.data_dir).mkdir(parents=True)
        (Path(other.data_dir) / "foreign").touch()
        job = moved(job, other)

        clear_away(job)

        assert not directory.path.exists()
        assert not (tmp_path / "one" / "work" / job.key).exists()
        assert (Path(other.data_dir) / "foreign").exists()


class TestThereAndBack:
    def test_nothing_is_left_to_be_cleared(self, tmp_path: Path) -> None:
        job = RestoreJobFactory.create(target=place(tmp_path, "one"))
        filled(job)
        first = job.target

        job = moved(moved(job, place(tmp_path, "two")), first)

        assert (job.target, job.moved_from) == (first, None)


class TestAMoveToAnotherMachine:
    def test_is_cleared_by_the_worker_there_once_the_restore_runs_elsewhere(
        self, tmp_path: Path
    ) -> None:
        job = RestoreJobFactory.create(target=place(tmp_path, "one", queue="here"))
        directory = filled(job)
        job = moved(job, place(tmp_path, "two", queue="there"))
        assert runner.left_places(at=LATER) == []
        RestoreJob.objects.filter(pk=job.pk).update(
            state=JobState.RUNNING, leased_by="there:1:a", leased_until=NOON + HOUR,
            heartbeat_at=NOON,
        )  # fmt: skip
        RestoreAttempt.objects.create(job=job, number=1, worker="there:1:a", began_at=NOON)

        assert runner.left_places(at=LATER) == [(job.pk, "here")]
        runner.clear_left_place(restore_id=job.pk)

        assert not directory.path.exists()
        assert runner.left_places(at=LATER) == []
