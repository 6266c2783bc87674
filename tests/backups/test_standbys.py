"""Standbys: restored once, following what is archived, and brought up when they are needed."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection as control
from django.utils import timezone

from backups import operations, runner
from backups.errors import PortTaken
from backups.models import (
    CheckName,
    CheckState,
    JobState,
    RestoreJob,
    RestorePhase,
    Standby,
    StandbyState,
)
from backups.options import Point, RecoveryOption, Strategy
from backups.runner import restore
from backups.runner.standbys import following
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from incidents.models import TimelineEntry
from incidents.operations import declare_incident
from incidents.values import Severity
from tests.backups.living import Living, digest_of, living_cluster
from tests.factories import MINUTE
from tests.protected import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def living(
    tmp_path: Path,
    s3_server: Addresses,
    s3_client: "S3Client",
    s3_bucket: str,
    fault_proxy: FaultProxy,
) -> Iterator[Living]:
    with living_cluster(
        tmp_path,
        endpoint=fault_proxy.endpoint,
        s3=s3_server,
        client=s3_client,
        bucket=s3_bucket,
    ) as found:
        yield found


def tended(standby: Standby, *, later: timedelta = timedelta()) -> Standby:
    """Look after a standby until it has all that is archived, or says what is in the way."""
    for _round in range(20):
        runner.tend_standby(standby_id=standby.pk, now=lambda: timezone.now() + later, seconds=10)
        standby.refresh_from_db()
        if standby.state != StandbyState.FOLLOWING or standby.trouble:
            break
        if standby.warm_until_at is not None and standby.behind_since_at is None:
            break
    return standby


def rows_at(living: Living) -> int:
    """Count the rows that the standby shows, through its private socket."""
    folder = living.postgres.private_folder()
    assert folder is not None
    said = living.postgres.run(
        "psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--host={folder}",
        f"--port={living.postgres.port}", "--username=postgres", "--dbname=acme",
        "--command=select count(*) from notes",
    ).stdout  # fmt: skip
    return int(said)


def option_of(living: Living, *, moment: datetime | None = None) -> RecoveryOption | None:
    board = operations.recovery_options(
        database_id=living.database.pk, at=timezone.now(), everything=True, moment=moment
    )
    return next((each for each in board.options if each.strategy == Strategy.STANDBY), None)


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


class TestFollowing:
    def test_becomes_warm_and_follows_what_is_archived(self, living: Living) -> None:
        living.write(300)
        before = living.segments()

        standby = living.keep()
        assert RestoreJob.objects.get(pk=standby.base_id).state == JobState.SUCCEEDED
        tended(standby)

        assert (standby.state, standby.trouble) == (StandbyState.FOLLOWING, "")
        assert rows_at(living) == 300
        first = standby.warm_until_at
        assert first is not None
        # Nobody meets it, and it writes to no archive.
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", living.target.port)) != 0
        assert living.segments() == before

        moment = living.write(200)
        tended(standby)

        assert rows_at(living) == 500
        assert standby.warm_until_at is not None
        assert first < standby.warm_until_at <= moment
        assert (standby.behind_since_at, standby.behind_bytes) == (None, 0)

    def test_its_server_outlives_the_round_and_comes_back_when_it_is_killed(
        self, living: Living
    ) -> None:
        living.write(100)
        standby = tended(living.keep())
        pid = living.postgres.pid()
        assert pid is not None
        tended(standby)
        assert living.postgres.pid() == pid

        os.kill(pid, signal.SIGKILL)
        while living.postgres.is_running():
            time.sleep(0.05)
        living.write(50)
        tended(standby)

        assert living.postgres.is_running()
        assert living.postgres.pid() != pid
        assert rows_at(living) == 150
        assert standby.trouble == ""

    def test_follows_the_archive_to_another_timeline(self, living: Living) -> None:
        living.write(100)
        standby = tended(living.keep())

        living.turn()
        living.write(50)
        tended(standby)

        assert (standby.trouble, standby.times_begun) == ("", 1)
        assert rows_at(living) == 150
        living.sync()
        job = carried(request(living))
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert digest_of(living.target.port) == digest_of(living.cluster.port)

    def test_what_is_replayed_is_given_back(self, living: Living) -> None:
        standby = tended(living.keep())
        for _round in range(4):
            living.write(50)
            with_checkpoint(living)
        living.write(50)
        tended(standby)
        restartpoint(living)
        tended(standby)

        staged = list((_folder(standby) / "wal" / "files").iterdir())
        assert len(staged) < len(living.segments())
        assert not (_folder(standby) / "incoming").exists()
        # What is not there any more is not needed either.
        pid = living.postgres.pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while living.postgres.is_running():
            time.sleep(0.05)
        living.write(50)
        tended(standby)
        assert rows_at(living) == 300

    def test_the_storage_being_away_is_told_and_passes(
        self, living: Living, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        living.write(100)
        standby = tended(living.keep())
        seen = standby.seen_at
        endpoint = living.database.storage.endpoint
        storage = living.database.storage
        storage.endpoint = "http://127.0.0.1:9"
        storage.save()

        tended(standby)

        assert "does not answer" in standby.trouble
        assert standby.trouble_since_at is not None
        # It is warm all the same, and was seen.
        assert living.postgres.is_running()
        assert seen is not None
        assert standby.seen_at is not None
        assert standby.seen_at > seen
        storage.endpoint = endpoint
        storage.save()
        living.write(10)
        tended(standby)
        assert standby.trouble == ""
        assert rows_at(living) == 110

    def test_a_disk_without_room_is_told_and_what_is_there_is_replayed(
        self, living: Living, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        living.write(100)
        standby = tended(living.keep())
        living.write(10)
        with monkeypatch.context() as full:
            full.setattr(following, "SPARE_BYTES", 1 << 60)
            tended(standby)
        assert "are needed on its disk" in standby.trouble
        assert standby.behind_bytes > 0
        assert standby.unfetched_bytes > 0
        assert rows_at(living) == 100

        # So far behind, more would be lost than may be.
        living.database.recovery_point_objective = timedelta(milliseconds=1)
        living.database.save()
        with monkeypatch.context() as slow:
            slow.setattr(following, "AHEAD_SEGMENTS", -100)
            runner.tend_standby(standby_id=standby.pk, now=timezone.now, seconds=2)
        standby.refresh_from_db()
        assert "behind what is archived" in standby.trouble

        tended(standby)
        assert standby.trouble == ""
        assert rows_at(living) == 110

    def test_of_two_that_look_after_it_at_once_one_does(self, living: Living) -> None:
        living.write(100)
        standby = living.keep()
        faults: list[BaseException] = []

        def look() -> None:
            try:
                runner.tend_standby(standby_id=standby.pk, now=timezone.now, seconds=10)
            except BaseException as fault:  # noqa: BLE001 - told by the test
                faults.append(fault)
            finally:
                control.close()

        threads = [threading.Thread(target=look) for _each in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        standby.refresh_from_db()
        assert faults == []
        assert standby.leased_by == ""
        assert tended(standby).trouble == ""

        # While somebody has it, nobody else touches it.
        Standby.objects.update(
            leased_by="another:1:x", leased_until=timezone.now() + MINUTE, seen_at=None,
            warm_until_at=None,
        )  # fmt: skip
        runner.tend_standby(standby_id=standby.pk, now=timezone.now)
        standby.refresh_from_db()
        assert standby.seen_at is None


class TestHoles:
    def test_begins_again_from_the_next_full_and_says_so(self, living: Living) -> None:
        living.write(100)
        standby = tended(living.keep())
        first = standby.base_id
        living.write(100)
        gone = living.segments()[-1]
        living.write(100)
        living.remove(gone)
        late = following.HOLE_AFTER + MINUTE

        # What lies behind a hole for a moment only may be on its way.
        tended(standby)
        assert (standby.trouble, standby.base_id) == ("", first)
        # Without a backup behind it nothing would be gained by beginning again.
        tended(standby, later=late)
        name = Path(gone).name.removesuffix(".gz")
        assert name in standby.trouble
        assert "next full backup" in standby.trouble
        assert (standby.base_id, living.postgres.is_running()) == (first, True)

        living.back_up("after")
        living.archive()
        living.sync()
        tended(standby, later=late)
        assert standby.base_id != first
        assert standby.state == StandbyState.RESTORING
        assert name in standby.begun_again_because
        assert standby.warm_until_at is None
        runner.run_restore(restore_id=standby.base_id, now=timezone.now)
        living.write(100)
        tended(standby)

        assert (standby.state, standby.trouble) == (StandbyState.FOLLOWING, "")
        assert rows_at(living) == 400
        assert standby.times_begun == 2

    def test_a_directory_that_was_emptied_is_filled_again(self, living: Living) -> None:
        living.write(100)
        standby = tended(living.keep())
        first = standby.base_id
        living.postgres.stop(mode="immediate")
        (Path(living.target.data_dir) / ".highwater-restore").unlink()

        tended(standby)

        # It is not taken for ours any more, so that nothing of it was touched.
        assert standby.base_id != first
        assert (Path(living.target.data_dir) / "global").exists()
        base = carried(RestoreJob.objects.get(pk=standby.base_id))
        assert base.state == JobState.FAILED
        tended(standby)
        assert "not empty" in standby.trouble


class TestBringingUp:
    def test_is_recommended_and_brings_back_everything(self, living: Living) -> None:
        living.write(300)
        standby = tended(living.keep())
        base = RestoreJob.objects.get(pk=standby.base_id)
        # Archived since it was last looked after; the cluster is lost then.
        living.write(200)
        living.cluster.stop(mode="fast")
        living.sync()
        digest = digest_of_lost(living)
        incident = declare_incident(
            title="The shop is gone", severity=Severity.SEV1, at=timezone.now(), author=None
        )

        board = operations.recovery_options(database_id=living.database.pk, at=timezone.now())
        best = board.recommended
        assert best is not None
        assert (best.strategy, best.point) == (Strategy.STANDBY, Point.LATEST)
        job = operations.choose_option(
            database_id=living.database.pk, code=best.code, reasons="It is warm.", by=None,
            incident_id=incident.pk, at=timezone.now(), by_worker=False,
        )  # fmt: skip
        standby.refresh_from_db()
        assert standby.state == StandbyState.TAKEN
        carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert digest_of(living.target.port) == digest
        assert job.evidence["customer-acme"]["rows"]["public.notes"] == 500
        # Nothing of the base was fetched again, and its findings stand.
        steps = {step.phase: step for step in job.steps.order_by("id")}
        assert list(steps) == ["PLAN", "FETCH", "REPLAY", "VERIFY", "READY"]
        assert all(step.ended_at for step in steps.values())
        assert (steps[RestorePhase.FETCH].done or 0) < base.steps.get(phase="FETCH").done
        assert job.findings.filter(check_name=CheckName.MANIFEST).exists()
        assert TimelineEntry.objects.filter(incident=incident, text__contains="standby").exists()
        # It is a cluster like any other now: nobody looks after it.
        runner.tend_standby(standby_id=standby.pk, now=timezone.now)
        assert not Standby.objects.exists()
        assert living.postgres.is_running()

    def test_goes_to_a_moment_that_is_still_to_come_and_to_no_earlier_one(
        self, living: Living
    ) -> None:
        early = living.write(100)
        living.write(50)
        standby = tended(living.keep())
        moment = living.write(20)
        digest = digest_of(living.cluster.port)
        living.write(20)
        living.sync()

        assert option_of(living, moment=early) is None
        board = operations.recovery_options(
            database_id=living.database.pk, at=timezone.now(), moment=early
        )
        words = [risk.words for option in board.options for risk in option.risks]
        assert any("later moment only" in each for each in words)
        with pytest.raises(operations.NoStandby, match="has replayed up to"):
            request(living, target_at=early)

        option = option_of(living, moment=moment)
        assert option is not None
        assert (option.point, option.can_start) == (Point.MOMENT, True)
        job = operations.choose_option(
            database_id=living.database.pk, code=option.code, reasons="Before it was dropped.",
            by=None, at=timezone.now(), by_worker=False,
        )  # fmt: skip
        carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert digest_of(living.target.port) == digest
        assert job.data_until_at == moment
        assert standby.base_id == job.continues_id

    def test_that_has_gone_too_far_meanwhile_is_unpacked_anew(self, living: Living) -> None:
        standby = tended(living.keep())
        moment = living.write(100)
        digest = digest_of(living.cluster.port)
        living.write(100)
        living.sync()
        job = request(living, target_at=moment)
        # As if what was handed over before had been replayed since.
        Standby.objects.update(state=StandbyState.FOLLOWING)
        tended(standby)
        Standby.objects.update(state=StandbyState.TAKEN)
        assert rows_at(living) == 200

        carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert digest_of(living.target.port) == digest

    def test_that_is_called_off_goes_back_to_being_kept(self, living: Living) -> None:
        living.write(100)
        standby = tended(living.keep())
        job = request(living)

        operations.cancel_restore(restore_id=job.pk, at=timezone.now())
        carried(job)
        assert job.state == JobState.CANCELLED
        tended(standby)
        tended(standby)

        assert standby.state == StandbyState.FOLLOWING
        assert standby.taken_by is None
        assert rows_at(living) == 100

    def test_that_is_called_off_too_late_begins_again(
        self, living: Living, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        living.write(100)
        standby = tended(living.keep())
        first = standby.base_id
        job = request(living)

        def stumble(*_given: object, **_more: object) -> None:
            raise PortTaken

        # It has taken over what it goes on from, and stops there.
        monkeypatch.setattr(restore, "require_port", stumble)
        carried(job)
        assert job.state == JobState.FAILED
        monkeypatch.undo()
        tended(standby)
        assert standby.state == StandbyState.TAKEN
        operations.cancel_restore(restore_id=job.pk, at=timezone.now())
        carried(job)
        assert job.state == JobState.CANCELLED
        assert not Path(living.target.data_dir).exists()

        tended(standby)
        tended(standby)
        assert standby.base_id != first
        assert "not there any more" in standby.begun_again_because
        runner.run_restore(restore_id=standby.base_id, now=timezone.now)
        tended(standby)
        assert rows_at(living) == 100

    def test_comes_up_as_it_stands_while_the_storage_is_gone(self, living: Living) -> None:
        living.write(100)
        standby = tended(living.keep())
        digest = digest_of(living.cluster.port)
        until = standby.warm_until_at
        living.write(50)
        living.sync()
        storage = living.database.storage
        storage.endpoint = "http://127.0.0.1:9"
        storage.save()

        board = operations.recovery_options(
            database_id=living.database.pk,
            at=timezone.now(),
            unheard={storage.pk: "storage-unavailable"},
        )
        (here,) = [each for each in board.options if each.point == Point.HERE]
        assert here.data_until_at == until
        job = operations.choose_option(
            database_id=living.database.pk, code=here.code, reasons="The storage is gone.",
            by=None, at=timezone.now(), by_worker=False,
        )  # fmt: skip
        assert job.data_until_at == until
        carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert digest_of(living.target.port) == digest
        assert job.data_until_at == until

    def test_is_what_a_loss_would_cost_now(self, living: Living) -> None:
        living.write(100)
        standby = tended(living.keep())
        living.sync()

        loss = runner.forecast_loss(database_id=living.database.pk, at=timezone.now())

        assert loss.plan_code.endswith(f"t{standby.target_id}-standby")
        assert "standby that is warm at beside" in loss.plan_words
        assert loss.middle_seconds is not None


class TestEnding:
    def test_takes_everything_away(self, living: Living) -> None:
        living.write(10)
        standby = tended(living.keep())
        assert living.postgres.is_running()
        with pytest.raises(operations.StandbyNameDiffers):
            operations.stop_keeping_warm(standby_id=standby.pk, typed="elsewhere")

        operations.stop_keeping_warm(standby_id=standby.pk, typed="beside", by_worker=False)
        runner.tend_standby(standby_id=standby.pk, now=timezone.now)

        assert not Standby.objects.exists()
        assert not living.postgres.is_running()
        assert not Path(living.target.data_dir).exists()
        assert not _folder(standby).exists()
        living.target.refresh_from_db()
        assert living.target.occupied_by == ""

    def test_before_its_base_is_there_calls_that_off(self, living: Living) -> None:
        runner.probe_target(target_id=living.target.pk, at=timezone.now())
        standby = operations.keep_warm(
            database_id=living.database.pk, target_id=living.target.pk, at=timezone.now(),
            by_worker=False,
        )  # fmt: skip

        operations.stop_keeping_warm(standby_id=standby.pk, typed="beside", by_worker=False)
        runner.tend_standby(standby_id=standby.pk, now=timezone.now)
        carried(RestoreJob.objects.get(pk=standby.base_id))
        runner.tend_standby(standby_id=standby.pk, now=timezone.now)

        assert not Standby.objects.exists()
        assert not Path(living.target.data_dir).exists()


class TestReadiness:
    def test_its_check_says_how_the_standby_stands(self, living: Living) -> None:
        living.write(10)
        standby = tended(living.keep())
        runner.probe_target(target_id=living.target.pk, at=timezone.now())

        def look(at: datetime) -> tuple[str, str, dict[str, object]]:
            (row,) = runner.check_database(database_id=living.database.pk, at=at, names=["TARGETS"])
            return row.state, row.words, row.evidence

        state, words, evidence = look(timezone.now())
        assert (state, words) == (CheckState.OK, "Ready: beside.")
        assert "warm until" in str(evidence["beside"])

        Standby.objects.update(trouble="The disk is low.", trouble_since_at=timezone.now())
        state, words, _evidence = look(timezone.now())
        assert state == CheckState.WARNING
        assert "does not follow: The disk is low." in words

        Standby.objects.update(trouble="", trouble_since_at=None)
        state, words, _evidence = look(timezone.now() + 15 * MINUTE)
        assert state == CheckState.WARNING
        assert "was not seen running" in words
        assert standby.target == living.target


def request(living: Living, *, target_at: datetime | None = None) -> RestoreJob:
    return operations.request_restore(
        database_id=living.database.pk, recovery_target_id=living.target.pk, from_standby=True,
        by_worker=False, is_looked_at=True, at=timezone.now(), target_at=target_at,
    )  # fmt: skip


def digest_of_lost(living: Living) -> str:
    """Start the lost cluster once more, archiving nothing, to see what was in it."""
    living.cluster.start(
        log=Path(f"{living.cluster.data_dir}.log"), settings={"archive_mode": "off"}
    )
    try:
        return digest_of(living.cluster.port)
    finally:
        living.cluster.stop(mode="fast")


def with_checkpoint(living: Living) -> None:
    with connect(living.cluster.port) as connection:
        connection.execute("checkpoint")


def restartpoint(living: Living) -> None:
    folder = living.postgres.private_folder()
    living.postgres.run(
        "psql", "--no-psqlrc", f"--host={folder}", f"--port={living.postgres.port}",
        "--username=postgres", "--dbname=postgres", "--command=checkpoint",
    )  # fmt: skip


def _folder(standby: Standby) -> Path:
    return Path(standby.target.work_dir) / f"restore-{standby.base_id}"
