"""What goes wrong is told in a sentence that names what to do; the restore can go on."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.models import JobState, RestoreJob, StorageLocation
from backups.operations import NotResumable
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from incidents.models import StatusUpdate, TimelineEntry
from incidents.models.progress import ProgressReport
from incidents.operations import declare_incident
from incidents.values import Severity
from tests.protected import Protected, Rooms, rooms_for, rows_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def resumed(job: RestoreJob) -> RestoreJob:
    operations.resume_restore(restore_id=job.pk, by_worker=False, at=timezone.now())
    return carried(job)


class TestAFailedRestore:
    def test_with_wrong_credentials_goes_on_with_the_right_ones(
        self, protected: Protected, rooms: Rooms, tmp_path: Path
    ) -> None:
        keys = tmp_path / "keys.json"
        right = keys.read_text()
        keys.write_text('{"access_key": "nobody", "secret_key": "nothing-known"}')

        job = carried(rooms.request())

        assert (job.state, job.failure_code) == (JobState.FAILED, "credentials-refused")
        assert "resume" in job.failure_advice
        assert f"{rooms.database.storage.name} (keys of file:{keys})" in job.failure_advice
        assert "nothing-known" not in job.failure_advice
        assert not Path(rooms.target.data_dir).exists()

        keys.write_text(right)
        assert resumed(job).state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]

    def test_with_a_missing_credentials_file_says_so(self, rooms: Rooms, tmp_path: Path) -> None:
        (tmp_path / "keys.json").unlink()

        job = carried(rooms.request())

        assert (job.state, job.failure_code) == (JobState.FAILED, "credentials-missing")
        assert f"{rooms.database.storage.name} at file:{tmp_path}" in job.failure_advice

    def test_without_its_bucket_says_so(self, rooms: Rooms) -> None:
        StorageLocation.objects.update(bucket="no-such-bucket-here")

        job = carried(rooms.request())

        assert (job.state, job.failure_code) == (JobState.FAILED, "bucket-missing")

    def test_leaves_a_directory_that_is_not_its_own(self, rooms: Rooms) -> None:
        folder = Path(rooms.target.data_dir)
        folder.mkdir()
        (folder / "PG_VERSION").write_text("17")

        job = carried(rooms.request())

        assert (job.state, job.failure_code) == (JobState.FAILED, "directory-not-empty")
        assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]

    def test_names_a_taken_port(self, rooms: Rooms) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", rooms.target.port))
            other.listen()
            job = carried(rooms.request())

        assert (job.state, job.failure_code) == (JobState.FAILED, "port-taken")
        assert str(rooms.target.port) in job.failure_advice

    def test_names_the_room_that_is_missing(
        self, rooms: Rooms, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        true = os.statvfs
        full = true("/")
        shrunken = os.statvfs_result((*full[:3], 10, 10, *full[5:]))
        job = rooms.request()
        monkeypatch.setattr(os, "statvfs", lambda _path: shrunken)

        carried(job)

        assert (job.state, job.failure_code) == (JobState.FAILED, "disk-too-small")
        assert "MiB" in job.failure_advice
        assert not Path(rooms.target.data_dir).exists()

    def test_needs_no_tool_to_finish(
        self, rooms: Rooms, settings: Settings, tmp_path: Path
    ) -> None:
        settings.BARMAN_BIN_DIR = tmp_path

        job = carried(rooms.request())

        assert job.state == JobState.SUCCEEDED, job.failure_advice

    def test_that_runs_or_is_over_cannot_be_resumed(self, rooms: Rooms) -> None:
        job = rooms.request()

        with pytest.raises(NotResumable):
            operations.resume_restore(restore_id=job.pk, at=timezone.now())


class TestADamagedObject:
    def test_is_never_restored_and_customers_hear_no_word_of_the_tool(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        at = timezone.now()
        incident = declare_incident(
            title="Tours are gone", severity=Severity.SEV1, at=at, author=None
        )
        job = rooms.request(incident_id=incident.pk)
        fault_proxy.faults = Faults(flip_at_byte=70_000, keys="*/data.tar")

        carried(job)

        assert (job.state, job.failure_code) == (JobState.FAILED, "object-damaged")
        # The operator's log names the object.
        assert "data.tar" in job.attempts.get().detail
        assert not Path(rooms.target.data_dir).exists()

        fault_proxy.faults = Faults()
        assert resumed(job).state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        self._assert_nothing_leaked(rooms)

    def test_in_the_log_archive_is_fetched_again(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        job = rooms.request()
        needed = protected.backup.end_wal
        fault_proxy.faults = Faults(flip_at_byte=2_000, latency_seconds=0.1, keys=f"*/{needed}.gz")

        def heal_after_the_first() -> None:
            while not fault_proxy.total().flips:
                time.sleep(0.01)
            fault_proxy.faults = Faults()

        healer = threading.Thread(target=heal_after_the_first, daemon=True)
        healer.start()
        carried(job)
        healer.join(timeout=5)

        assert not healer.is_alive()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]

    def _assert_nothing_leaked(self, rooms: Rooms) -> None:
        told = [
            *TimelineEntry.objects.values_list("text", flat=True),
            *StatusUpdate.objects.values_list("body", flat=True),
            *(str(row) for row in ProgressReport.objects.values()),
        ]
        assert len(told) > 5
        secrets = [
            "planted", "data.tar", "barman", "127.0.0.1", rooms.target.data_dir, "0000000100",
        ]  # fmt: skip
        assert [(secret, text) for text in told for secret in secrets if secret in text] == []


class TestCancelling:
    def test_takes_back_what_was_put_there(self, rooms: Rooms, fault_proxy: FaultProxy) -> None:
        fault_proxy.faults = Faults(flip_at_byte=70_000, keys="*/data.tar")
        job = carried(rooms.request())

        operations.cancel_restore(restore_id=job.pk, at=timezone.now())
        carried(job)

        assert job.state == JobState.CANCELLED
        assert not Path(rooms.target.data_dir).exists()
        assert not (Path(rooms.target.work_dir) / job.key).exists()
