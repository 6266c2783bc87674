"""A restore is paused, and its plan changed, at work: what was fetched is not fetched again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.models import AttemptOutcome, JobState, RestoreJob, RestorePhase, RestorePoint
from backups.operations import Course
from backups.runner.tools import postgres_at
from backups.storage.fetch import MIB, PART_BYTES
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.faults.test_restore_survives import finished, wait_until, worker
from tests.protected import Protected, Rooms, free_port, rooms_for, rows_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

SLOW = Faults(bytes_per_second=12 * MIB)


@pytest.fixture
def rooms(
    protected: Protected, fault_proxy: FaultProxy, tmp_path: Path, settings: Settings
) -> Iterator[Rooms]:
    settings.STORAGE_SILENCE_SECONDS = 2
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


def is_fetching(job: RestoreJob) -> bool:
    job.refresh_from_db()
    return job.phase == RestorePhase.FETCH and job.done > 16 * MIB


def state_of(job: RestoreJob) -> str:
    job.refresh_from_db()
    return job.state


class TestAPause:
    def test_in_the_fetch_keeps_what_has_arrived(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        before = fault_proxy.total().bytes_down
        fault_proxy.faults = SLOW
        with worker(job) as process:
            wait_until(lambda: is_fetching(job))
            operations.pause_restore(restore_id=job.pk, at=timezone.now())
            assert process.wait(timeout=30) == 0
        assert state_of(job) == JobState.PAUSED
        fault_proxy.faults = Faults()

        operations.resume_restore(restore_id=job.pk, at=timezone.now(), by_worker=False)
        finished(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        fetched = job.steps.get(phase=RestorePhase.FETCH).total
        assert fetched is not None
        assert fault_proxy.total().bytes_down - before < fetched + PART_BYTES
        outcomes = job.attempts.order_by("number").values_list("outcome", flat=True)
        assert list(outcomes) == [AttemptOutcome.PAUSED, AttemptOutcome.SUCCEEDED]

    def test_in_the_replay_goes_on_to_the_same_rows(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        job = rooms.request()
        with worker(job) as process:
            wait_until(lambda: rooms.postgres.pid() is not None)
            operations.pause_restore(restore_id=job.pk, at=timezone.now())
            process.wait(timeout=30)
        if state_of(job) == JobState.PAUSED:
            assert not rooms.postgres.is_running()
            operations.resume_restore(restore_id=job.pk, at=timezone.now(), by_worker=False)
            finished(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]


class TestAnotherPlan:
    def pivoted(self, job: RestoreJob, course: Course) -> None:
        with worker(job) as process:
            wait_until(lambda: is_fetching(job))
            operations.pivot_restore(restore_id=job.pk, course=course, at=timezone.now())
            assert process.wait(timeout=30) == 0
        queued = runner.waiting_restores(at=timezone.now())
        assert [pk for pk, _queue in queued] == [job.pk]

    def test_to_an_earlier_moment_uses_what_has_arrived(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        moment, rows = protected.moments[0]
        job = rooms.request()
        before = fault_proxy.total().bytes_down
        fault_proxy.faults = SLOW
        self.pivoted(job, replace(Course.of(job), point=RestorePoint.MOMENT, target_at=moment))
        fault_proxy.faults = Faults()

        finished(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == rows
        whole = sum(ref.size for ref in protected.bucket().list(protected.place.prefix))
        assert fault_proxy.total().bytes_down - before < whole + PART_BYTES

    def test_to_another_place_takes_what_has_arrived_along(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        other = operations.register_recovery_target(
            name="other",
            port=free_port(),
            data_dir=str(tmp_path / "other"),
            work_dir=str(tmp_path / "other-work"),
            at=timezone.now(),
        )
        job = rooms.request()
        before = fault_proxy.total().bytes_down
        fault_proxy.faults = SLOW
        self.pivoted(job, replace(Course.of(job), recovery_target_id=other.pk))
        fault_proxy.faults = Faults()

        try:
            finished(job)
            rows = rows_of(other.port)
        finally:
            postgres_at(other).stop(mode="immediate")

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows == protected.moments[-1][1]
        assert not Path(rooms.target.data_dir).exists()
        assert not (Path(rooms.target.work_dir) / job.key).exists()
        fetched = job.steps.get(phase=RestorePhase.FETCH).total
        assert fetched is not None
        assert fault_proxy.total().bytes_down - before < fetched + PART_BYTES
