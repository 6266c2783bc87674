"""A lost cluster comes back, whole, at the moment that was asked for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from backups import operations, runner
from backups.models import JobState, RestoreJob
from config.embedded.fault_proxy import FaultProxy
from incidents.models import TenantProgress
from incidents.operations import declare_incident
from incidents.values import Severity
from tests.protected import Protected, Rooms, connect, rooms_for, rows_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


class TestRestore:
    def test_brings_back_everything_that_was_archived(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        job = carried(rooms.request())

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        assert [step.phase for step in job.steps.order_by("id")] == [
            "PLAN", "FETCH", "UNPACK", "REPLAY", "VERIFY", "READY",
        ]  # fmt: skip
        assert job.evidence["customer-acme"]["rows"]["public.notes"] == 9000
        # It is open, and does not archive into the lost cluster's log.
        with connect(rooms.target.port, "acme") as connection:
            connection.execute("insert into notes (words) values ('after')")
            assert connection.execute("show archive_mode").fetchone() == ("off",)

    def test_its_tenants_are_told_that_they_are_verified(self, rooms: Rooms) -> None:
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=timezone.now(), author=None
        )
        requested = rooms.request(incident_id=incident.pk)
        rows = TenantProgress.objects.filter(report__key=requested.key)
        assert set(rows.values_list("state", flat=True)) == {"waiting"}

        job = carried(requested)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert set(rows.values_list("state", "place", "data_until_at")) == {
            ("verified", None, job.data_until_at)
        }
        assert rows.count() == rooms.database.tenants.count() > 0

    def test_stops_at_the_moment_that_was_asked_for(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        moment, rows = protected.moments[1]

        job = carried(rooms.request(target_at=moment))

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == rows
        assert job.data_until_at == moment

    def test_the_latest_point_that_a_refusal_names_can_be_reached(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        with pytest.raises(operations.PointOutOfReach, match="latest point") as refusal:
            rooms.request(target_at=timezone.now() + timedelta(hours=1))
        rooms.database.refresh_from_db()
        latest = rooms.database.latest_restorable_at
        assert latest is not None
        assert latest.strftime("%H:%M:%S.%f") in str(refusal.value)

        job = carried(rooms.request(target_at=latest))

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]

    def test_refuses_a_moment_before_the_first_backup(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        with pytest.raises(operations.PointOutOfReach, match="earliest point"):
            rooms.request(target_at=protected.backup.began_at)
