"""Looking at a recovery target from beside it: what is there, and what holds it."""

import socket
from pathlib import Path

import pytest
from django.utils import timezone

from backups import tasks
from backups.engines.directory import TargetDirectory
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import RecoveryTarget
from config.celery import app
from config.embedded.addresses import Addresses
from tests.backups.factories import RecoveryTargetFactory, RestoreJobFactory
from tests.protected import PASSWORD, free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def target(tmp_path: Path) -> RecoveryTarget:
    return RecoveryTargetFactory.create(
        port=free_port(), data_dir=str(tmp_path / "data"), work_dir=str(tmp_path / "work")
    )


def probed(target: RecoveryTarget) -> RecoveryTarget:
    tasks.probe_target(target_id=target.pk)
    target.refresh_from_db()
    return target


class TestAsking:
    def test_each_is_looked_at_by_the_worker_of_its_queue(
        self, target: RecoveryTarget, redis_server: Addresses
    ) -> None:
        target.queue = "beside-the-target"
        target.save(update_fields=["queue"])

        tasks.probe_targets()

        with app.connection_for_read() as broker:
            message = broker.SimpleQueue("beside-the-target").get(timeout=5)
            message.ack()
        assert message.headers["task"] == "backups.tasks.probe_target"
        assert message.decode()[1] == {"target_id": target.pk}


class TestProbe:
    def test_writes_down_what_is_there_and_leaves_nothing(self, target: RecoveryTarget) -> None:
        before = timezone.now()

        seen = probed(target)

        assert seen.probed_at is not None
        assert seen.probed_at >= before
        assert seen.occupied_by == ""
        assert seen.major == 17
        assert seen.free_bytes is not None
        assert seen.free_bytes > 0
        assert seen.work_free_bytes is None
        assert seen.write_bytes_per_second is not None
        assert seen.write_bytes_per_second > 0
        assert list(Path(target.work_dir).iterdir()) == []
        assert not Path(target.data_dir).exists()

    def test_sees_files_of_others(self, target: RecoveryTarget) -> None:
        folder = Path(target.data_dir)
        folder.mkdir()
        (folder / "something").touch()

        assert probed(target).occupied_by == "foreign"

    def test_sees_what_a_restore_left_that_is_not_under_way(self, target: RecoveryTarget) -> None:
        TargetDirectory(path=Path(target.data_dir), token="restore-1").prepare()

        assert probed(target).occupied_by == "ours"

    def test_what_a_restore_under_way_put_there_does_not_count(
        self, target: RecoveryTarget
    ) -> None:
        job = RestoreJobFactory.create(target=target)
        TargetDirectory(path=Path(target.data_dir), token=job.key).prepare()

        assert probed(target).occupied_by == ""

    def test_sees_a_cluster_that_runs(self, target: RecoveryTarget, tmp_path: Path) -> None:
        cluster = Postgres(
            bin_dir=bundled_bin_dir(), data_dir=Path(target.data_dir), port=target.port
        )
        cluster.create(password=PASSWORD)
        cluster.start(log=tmp_path / "log", settings={"fsync": "off"})
        try:
            assert probed(target).occupied_by == "running"
        finally:
            cluster.stop(mode="immediate")

    def test_sees_that_the_port_is_taken(self, target: RecoveryTarget) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", target.port))
            other.listen()

            assert probed(target).occupied_by == "port"

    def test_sees_that_the_programs_are_missing(self, target: RecoveryTarget) -> None:
        target.bin_dir = "/nowhere/bin"
        target.save(update_fields=["bin_dir"])

        seen = probed(target)

        assert (seen.occupied_by, seen.server_version) == ("programs", None)

    def test_sees_that_nothing_can_be_written(self, target: RecoveryTarget, tmp_path: Path) -> None:
        (tmp_path / "work").write_text("a file where a folder is to be")

        assert probed(target).occupied_by == "disk"
