"""Copies whose workers are killed, called off, or given to two: what was copied is kept."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from backups import operations, runner
from backups.models import CopyJob, CopyPhase, JobState
from backups.storage.copier import LANES
from backups.storage.values import MIB
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.archives import BACKUP, Archive
from tests.faults.test_restore_survives import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

SIZE = 200 * MIB
SLOW = Faults(bytes_per_second=60 * MIB)


@pytest.fixture
def job(archive: Archive) -> CopyJob:
    """Give a copy of an archive with an object of many parts."""
    archive.store(f"main/base/{BACKUP}/large.tar", os.urandom(SIZE))
    return operations.replicate_backups(
        database_id=archive.database.pk, location_id=archive.second.pk,
        at=timezone.now(), by_worker=False,
    )  # fmt: skip


@contextmanager
def worker(job: CopyJob) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a worker in a process of its own, like the one that Celery would run it in."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.faults.copier",
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


def has_copied(job: CopyJob, amount: int) -> bool:
    job.refresh_from_db()
    return job.phase == CopyPhase.COPY and job.bytes_done > amount


class TestAKilledWorker:
    def test_costs_no_more_than_what_its_lanes_had_under_way(
        self, archive: Archive, job: CopyJob, fault_proxy: FaultProxy
    ) -> None:
        before = fault_proxy.total().bytes_up
        fault_proxy.faults = SLOW
        with worker(job) as process:
            wait_until(lambda: has_copied(job, 80 * MIB))
            process.kill()
            process.wait()
        fault_proxy.faults = Faults()
        wait_until(lambda: runner.waiting_copies(at=timezone.now()) == [job.pk], seconds=15)
        with worker(job) as process:
            assert process.wait(timeout=90) == 0

        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert archive.held(archive.second) == archive.contents
        whole = sum(map(len, archive.contents.values()))
        sent = fault_proxy.total().bytes_up - before
        assert sent < whole + (LANES + 1) * 16 * MIB
        assert job.counters["parts_resumed"] >= 1

    def test_given_the_same_copy_one_of_two_works(self, archive: Archive, job: CopyJob) -> None:
        with worker(job) as one, worker(job) as other:
            assert one.wait(timeout=90) == 0
            assert other.wait(timeout=90) == 0

        job.refresh_from_db()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert archive.held(archive.second) == archive.contents


class TestACopyThatIsCalledOff:
    def test_ends_within_seconds(self, job: CopyJob, fault_proxy: FaultProxy) -> None:
        fault_proxy.faults = SLOW
        with worker(job) as process:
            wait_until(lambda: has_copied(job, 10 * MIB))
            operations.cancel_copy(copy_id=job.pk, at=timezone.now())
            assert process.wait(timeout=30) == 0

        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
