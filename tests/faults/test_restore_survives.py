"""Workers killed, storage cut, stalled, stopped: the restore goes on, no row is missing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import runner
from backups.models import AttemptOutcome, JobState, RestoreJob, RestorePhase
from backups.storage.fetch import MIB, PART_BYTES
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.protected import Protected, Rooms, rooms_for, rows_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

EVERYTHING = Faults(
    reset_after_bytes=3 * MIB,
    reset_share=0.3,
    error_share=0.2,
    stall_at_byte=500_000,
    stall_share=0.1,
)


@pytest.fixture
def rooms(
    protected: Protected, fault_proxy: FaultProxy, tmp_path: Path, settings: Settings
) -> Iterator[Rooms]:
    settings.STORAGE_SILENCE_SECONDS = 2
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


@contextmanager
def worker(job: RestoreJob) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a worker in a process of its own, like the one that Celery would run it in."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.faults.worker",
            str(job.pk),
            connection.settings_dict["NAME"],
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_until(is_so: Callable[[], bool], *, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def requeue() -> list[int]:
    return [pk for pk, _queue in runner.waiting_restores(at=timezone.now())]


def finished(job: RestoreJob) -> RestoreJob:
    with worker(job) as process:
        assert process.wait(timeout=90) == 0
    job.refresh_from_db()
    return job


class TestAConnectionThatFails:
    def test_costs_time_and_no_row(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        fault_proxy.faults = EVERYTHING

        runner.run_restore(restore_id=job.pk, now=timezone.now)

        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        assert sum(job.attempts.get().counters.values()) > 0


class TestAKilledWorker:
    def test_in_the_fetch_costs_less_than_a_part(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        moved_before = fault_proxy.total().bytes_down
        fault_proxy.faults = Faults(bytes_per_second=12 * MIB)

        def is_half_way() -> bool:
            job.refresh_from_db()
            return job.phase == RestorePhase.FETCH and job.done > 16 * MIB

        with worker(job) as process:
            wait_until(is_half_way)
            process.kill()
        fault_proxy.faults = Faults()
        assert requeue() == [job.pk]
        finished(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        fetched = job.steps.get(phase=RestorePhase.FETCH).total
        assert fetched is not None
        assert fault_proxy.total().bytes_down - moved_before < fetched + PART_BYTES
        outcomes = job.attempts.order_by("number").values_list("outcome", flat=True)
        assert list(outcomes) == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]

    @pytest.mark.parametrize(
        "phase", [RestorePhase.UNPACK, RestorePhase.REPLAY, RestorePhase.READY]
    )
    def test_in_a_later_phase_loses_nothing(
        self, phase: RestorePhase, protected: Protected, rooms: Rooms
    ) -> None:
        job = rooms.request()

        def is_there() -> bool:
            job.refresh_from_db()
            return job.phase == phase

        with worker(job) as process:
            wait_until(is_there)
            process.kill()
        assert requeue() == [job.pk]
        finished(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]


class TestAKilledPostgres:
    def test_in_the_replay_is_started_again_without_being_asked(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        job = rooms.request()
        with worker(job) as process:
            wait_until(lambda: rooms.postgres.pid() is not None)
            server = rooms.postgres.pid()
            assert server is not None
            os.kill(server, signal.SIGKILL)
            assert process.wait(timeout=60) == 0
        job.refresh_from_db()
        assert job.state == JobState.QUEUED
        assert job.attempts.get().failure_code == "replay-stopped"

        finished(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]


class TestAStorageThatIsAway:
    def test_in_the_fetch_is_waited_for(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        fault_proxy.faults = Faults(bytes_per_second=20 * MIB)
        seen = set()
        with worker(job) as process:

            def is_fetching() -> bool:
                job.refresh_from_db()
                return job.phase == RestorePhase.FETCH and job.done > 5 * MIB

            wait_until(is_fetching)
            fault_proxy.faults = Faults(down=True)
            ended = time.monotonic() + 8
            while time.monotonic() < ended:
                job.refresh_from_db()
                seen.add(job.waiting_for)
                time.sleep(0.5)
            fault_proxy.faults = Faults()
            assert process.wait(timeout=90) == 0
        job.refresh_from_db()

        assert "storage" in seen
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]

    def test_in_the_replay_is_waited_for(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        work = Path(rooms.target.work_dir) / job.key

        def lose_a_segment() -> None:
            # The stage loses a segment that PostgreSQL has not read, and the storage is gone.
            sign = Path(rooms.target.data_dir) / "recovery.signal"
            wait_until(sign.exists)
            fault_proxy.faults = Faults(down=True)
            files = sorted((work / "wal" / "files").iterdir())
            files[-2].write_bytes(b"")
            time.sleep(7)
            fault_proxy.faults = Faults()

        thread = threading.Thread(target=lose_a_segment)
        thread.start()
        try:
            finished(job)
        finally:
            thread.join()

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]


class TestTwoWorkers:
    def test_given_the_same_restore_one_works(self, protected: Protected, rooms: Rooms) -> None:
        job = rooms.request()

        with worker(job) as one, worker(job) as other:
            assert one.wait(timeout=90) == 0
            assert other.wait(timeout=90) == 0

        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert job.attempts.count() == 1
        assert rows_of(rooms.target.port) == protected.moments[-1][1]

    def test_a_stopped_worker_that_wakes_up_touches_nothing(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        fault_proxy.faults = Faults(bytes_per_second=10 * MIB)

        def is_fetching() -> bool:
            job.refresh_from_db()
            return job.phase == RestorePhase.FETCH and job.done > 0

        with worker(job) as sleeper:
            wait_until(is_fetching)
            os.killpg(sleeper.pid, signal.SIGSTOP)
            wait_until(lambda: requeue() == [job.pk], seconds=15)
            fault_proxy.faults = Faults()
            with worker(job) as second:
                time.sleep(3)
                os.killpg(sleeper.pid, signal.SIGCONT)
                assert sleeper.wait(timeout=60) == 0
                assert second.wait(timeout=90) == 0

        job.refresh_from_db()
        while job.state == JobState.QUEUED:
            finished(job)
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
