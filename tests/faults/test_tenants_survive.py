"""Workers killed while tenants come back one by one: each comes back once, and none is left out."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import (
    AttemptOutcome,
    JobState,
    RestoreJob,
    TenantRestore,
    TenantRestoreState,
)
from config.embedded.fault_proxy import FaultProxy
from tests.faults.test_restore_survives import finished, requeue, wait_until, worker
from tests.protected import TENANTS, Protected, Rooms, connect, free_port, rooms_for, rows_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

State = TenantRestoreState


@pytest.fixture
def rooms(
    protected: Protected, fault_proxy: FaultProxy, tmp_path: Path, settings: Settings
) -> Iterator[Rooms]:
    settings.STORAGE_SILENCE_SECONDS = 2
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


@pytest.fixture
def rest(rooms: Rooms, tmp_path: Path) -> Iterator[RestoreJob]:
    """Give the rest of a staged recovery whose first part is open."""
    beside = operations.register_recovery_target(
        name="beside",
        port=free_port(),
        data_dir=str(tmp_path / "beside"),
        work_dir=str(tmp_path / "beside-work"),
        at=timezone.now(),
    )
    staged = operations.request_staged_recovery(
        database_id=rooms.database.pk,
        first_target_id=rooms.target.pk,
        target_id=beside.pk,
        # One after the other: there is always one under way to be killed with.
        lanes=1,
        by_worker=False,
        at=timezone.now(),
    )
    runner.run_restore(restore_id=staged.first.pk, now=timezone.now)
    staged.rest.refresh_from_db()
    assert staged.rest.state == JobState.QUEUED
    yield staged.rest
    cluster = Postgres(bin_dir=bundled_bin_dir(), data_dir=Path(beside.data_dir), port=beside.port)
    cluster.stop(mode="immediate")


def states(job: RestoreJob) -> list[str]:
    rows = TenantRestore.objects.filter(job=job).in_order()
    return list(rows.values_list("state", flat=True))


def is_there(job: RestoreJob, point: str) -> bool:
    """Whether the work is where it is to be killed."""
    now = states(job)
    if point == "begun":
        return State.RESTORING in now
    if point == "one is back":
        return now[:1] == [State.VERIFIED]
    # Shut out, or just having changed places: the name under which the former one is kept is known.
    names = TenantRestore.objects.filter(job=job).exclude(kept_as="")
    return names.exists()


class TestAKilledWorker:
    @pytest.mark.parametrize("point", ["begun", "changing places", "one is back"])
    def test_costs_no_tenant_and_no_row(
        self, point: str, rest: RestoreJob, protected: Protected, rooms: Rooms
    ) -> None:
        with worker(rest) as process:
            wait_until(lambda: is_there(rest, point), seconds=90)
            process.kill()
            process.wait()
        assert requeue() == [rest.pk]
        finished(rest)

        assert rest.state == JobState.SUCCEEDED, rest.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        assert set(states(rest)) == {State.VERIFIED}
        outcomes = rest.attempts.order_by("number").values_list("outcome", flat=True)
        assert list(outcomes) == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]
        with connect(rooms.target.port) as control:
            names = control.execute("select datname from pg_database where oid >= 16384")
            assert {name for (name,) in names} == set(TENANTS)

    def test_again_and_again_comes_to_an_end(
        self, rest: RestoreJob, protected: Protected, rooms: Rooms
    ) -> None:
        for back in range(1, 3):
            with worker(rest) as process:
                wait_until(lambda: states(rest).count(State.VERIFIED) >= back, seconds=90)  # noqa: B023
                process.kill()
                process.wait()
            assert requeue() == [rest.pk]
        finished(rest)

        assert rest.state == JobState.SUCCEEDED, rest.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        # Those that were back were not brought again.
        tries = TenantRestore.objects.filter(job=rest).in_order().values_list("attempts", flat=True)
        assert tries[0] == 1


class TestAServerThatIsAway:
    def test_is_waited_for_when_it_is_only_started_again(
        self, rest: RestoreJob, protected: Protected, rooms: Rooms
    ) -> None:
        with worker(rest) as process:
            wait_until(lambda: State.RESTORING in states(rest), seconds=90)
            os.kill(rooms.postgres.pid() or 0, signal.SIGQUIT)
            wait_until(lambda: not rooms.postgres.is_running())
            rooms.postgres.start(log=Path(rooms.target.work_dir) / "again.log")
            assert process.wait(timeout=120) == 0

        rest.refresh_from_db()
        assert rest.state == JobState.SUCCEEDED, rest.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
