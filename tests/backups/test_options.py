"""Ways back from a real archive: what is read of it, holes found beforehand, one that is chosen."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from backups import operations, runner
from backups.models import Backup, JobState, RestoreJob, RestoreStep, StorageMeasurement
from backups.operations import recovery_options, unheard_places
from backups.options import Board, Point, RecoveryOption
from backups.storage.fetch import MIB
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from incidents.models import TimelineEntry
from tests.factories import HOUR, IncidentFactory
from tests.protected import SERVER, Protected, Rooms, free_port, rooms_for, rows_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(slots=True)
class Copied:
    """A copy of the archive in a bucket of its own, to be damaged, and the rows that name it."""

    client: "S3Client"
    bucket: str
    prefix: str
    rooms: Rooms

    def segments(self) -> list[str]:
        """Name the archived log files, in order."""
        listed = self.client.list_objects_v2(
            Bucket=self.bucket, Prefix=f"{self.prefix}/{SERVER}/wals/"
        )
        names = [entry["Key"].rpartition("/")[2] for entry in listed["Contents"]]
        return sorted(name[:24] for name in names if name[:24].isalnum() and len(name) > 23)

    def lose(self, segment: str) -> None:
        listed = self.client.list_objects_v2(
            Bucket=self.bucket, Prefix=f"{self.prefix}/{SERVER}/wals/"
        )
        keys = [e["Key"] for e in listed["Contents"] if e["Key"].endswith(f"/{segment}.gz")]
        assert len(keys) == 1
        self.client.delete_object(Bucket=self.bucket, Key=keys[0])


@pytest.fixture
def copied(
    protected: Protected, s3_client: "S3Client", s3_bucket: str, tmp_path: Path
) -> Iterator[Copied]:
    place = protected.place
    for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=place.bucket):
        for entry in page["Contents"]:
            if entry["Key"].startswith(place.prefix):
                s3_client.copy_object(
                    Bucket=s3_bucket,
                    Key=entry["Key"],
                    CopySource={"Bucket": place.bucket, "Key": entry["Key"]},
                )
    with rooms_for(protected, tmp_path, endpoint=place.endpoint) as rooms:
        storage = rooms.database.storage
        storage.bucket = s3_bucket
        storage.save(update_fields=["bucket"])
        yield Copied(s3_client, s3_bucket, place.prefix, rooms)


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


def looked(rooms: Rooms) -> Board:
    """Ask the storage and the machine, and return the board."""
    at = timezone.now()
    runner.probe_target(target_id=rooms.target.pk, at=at)
    unheard = unheard_places(database_id=rooms.database.pk, at=at)
    return recovery_options(database_id=rooms.database.pk, at=at, unheard=unheard)


def first(board: Board) -> RecoveryOption:
    assert board.recommended is not None, board.notes
    return board.recommended


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


class TestReading:
    def test_the_archive_is_read_with_how_far_its_log_leads(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        best = first(looked(rooms))

        backup = Backup.objects.get()
        rooms.database.refresh_from_db()
        assert best.point == Point.LATEST
        assert best.data_until_at == backup.reaches_until_at == rooms.database.latest_restorable_at
        assert best.data_until_at > protected.moments[-1][0] - HOUR
        assert backup.log_segments >= 3
        assert backup.log_bytes > 0
        assert backup.log_missing == ""
        assert best.disk_needed > backup.cluster_bytes
        rooms.target.refresh_from_db()
        assert best.disk_free == rooms.target.free_bytes

    def test_a_storage_that_is_away_leaves_what_was_known_and_is_named(
        self, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        known = first(looked(rooms))
        fault_proxy.faults = Faults(down=True)

        board = looked(rooms)

        assert first(board).data_until_at == known.data_until_at
        assert {"as-of"} <= {note.code for note in board.notes}
        assert "place-silent" in {risk.code for risk in first(board).risks}

    def test_a_storage_that_refuses_the_keys_is_told_from_one_that_is_silent(
        self, rooms: Rooms, tmp_path: Path
    ) -> None:
        looked(rooms)
        keys = tmp_path / "keys.json"
        keys.write_text('{"access_key": "nobody", "secret_key": "nothing-known"}')

        board = looked(rooms)

        assert board.recommended is None
        (risk,) = [each for each in board.options[0].risks if each.code == "keys-refused"]
        assert f"{rooms.database.storage.name} refused the keys of file:{keys}" in risk.words
        assert "nothing-known" not in risk.words

    def test_a_target_where_a_restore_has_stopped_names_it(self, rooms: Rooms) -> None:
        stopped = rooms.request()
        RestoreJob.objects.filter(pk=stopped.pk).update(
            state=JobState.FAILED, failure_code="tool-failed", ended_at=timezone.now()
        )

        (risk,) = [each for each in first(looked(rooms)).risks if each.code == "target-held"]

        assert str(stopped) in risk.words

    def test_a_silent_storage_is_not_waited_for_longer_than_the_budget(
        self, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        known = first(looked(rooms))
        fault_proxy.faults = Faults(silent_share=1.0, silent_seconds=3600)

        look = runner.look_at_archive(
            database_id=rooms.database.pk, at=timezone.now(), budget_seconds=2
        )

        assert [fault.code for fault in look.faults.values()] == ["storage-unavailable"]
        board = recovery_options(database_id=rooms.database.pk, at=timezone.now())
        assert first(board).code == known.code

    def test_a_copy_is_asked_when_the_storage_is_away(
        self, protected: Protected, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        copy = operations.register_storage_location(
            name="copy",
            bucket=protected.place.bucket,
            prefix=protected.place.prefix,
            endpoint=protected.place.endpoint,
            credentials_reference=rooms.database.storage.credentials_reference,
            at=timezone.now(),
        )
        operations.set_copies(database_id=rooms.database.pk, copy_ids=[copy.pk])
        fault_proxy.faults = Faults(down=True)

        board = looked(rooms)

        assert first(board).place.name == "copy"
        assert "place-silent" not in {risk.code for risk in first(board).risks}

    def test_earlier_restores_and_the_weather_make_the_range_narrow(
        self, rooms: Rooms, fault_proxy: FaultProxy
    ) -> None:
        guessed = first(looked(rooms))
        assert "never-measured" in {risk.code for risk in guessed.risks}

        # What is over within a moment shows no speed, and may take another moment.
        fault_proxy.faults = Faults(bytes_per_second=16 * MIB)
        job = carried(rooms.request())
        fault_proxy.faults = Faults()
        assert RestoreStep.objects.filter(job=job, phase="FETCH").exists()
        for hour in range(1, 60):
            StorageMeasurement.objects.create(
                location=rooms.database.storage,
                measured_at=timezone.now() - hour * HOUR,
                seconds=4,
                bytes=4 * 16 * MIB,
                requests=20,
                errors=0,
            )

        known = first(looked(rooms))
        assert "never-measured" not in {risk.code for risk in known.risks}
        assert known.basis != guessed.basis
        fetch, guess = known.phases[0].seconds, guessed.phases[0].seconds
        assert fetch.high / fetch.low < guess.high / guess.low


class TestHoles:
    def test_is_found_before_the_start_and_the_last_moment_before_it_is_reached(
        self, copied: Copied, protected: Protected
    ) -> None:
        _backup, *after = [name for name in copied.segments() if name > protected.backup.end_wal]
        copied.lose(after[0])

        board = looked(copied.rooms)

        best = first(board)
        assert best.point == Point.MOMENT
        (note,) = [note for note in board.notes if note.code == "log-gap"]
        assert after[0] in note.words
        with pytest.raises(operations.LogHasHole, match=after[0]) as refusal:
            copied.rooms.request()
        assert f"{best.data_until_at:%H:%M:%S.%f}" in str(refusal.value)

        job = operations.choose_option(
            database_id=copied.rooms.database.pk, code=best.code, reasons="It is what is left.",
            by=None, by_worker=False, at=timezone.now(),
        )  # fmt: skip
        carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert job.data_until_at == best.data_until_at
        assert sum(rows_of(job.target.port).values()) < sum(protected.moments[-1][1].values())

    def test_a_copy_that_has_the_file_leads_over_it(
        self, copied: Copied, protected: Protected
    ) -> None:
        rooms = copied.rooms
        copied.lose([name for name in copied.segments() if name > protected.backup.end_wal][1])
        whole = operations.register_storage_location(
            name="whole",
            bucket=protected.place.bucket,
            prefix=protected.place.prefix,
            endpoint=protected.place.endpoint,
            credentials_reference=rooms.database.storage.credentials_reference,
            at=timezone.now(),
        )
        operations.set_copies(database_id=rooms.database.pk, copy_ids=[whole.pk])

        best = first(looked(rooms))
        assert (best.point, best.place.name) == (Point.LATEST, "whole")
        with pytest.raises(operations.LogHasHole, match="whole has it"):
            rooms.request()
        job = operations.choose_option(
            database_id=rooms.database.pk, code=best.code, reasons="The copy has everything.",
            by=None, by_worker=False, at=timezone.now(),
        )  # fmt: skip
        carried(job)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(job.target.port) == protected.moments[-1][1]

    def test_inside_the_backup_leaves_nothing_but_its_name(
        self, copied: Copied, protected: Protected
    ) -> None:
        copied.lose(protected.backup.end_wal)

        board = looked(copied.rooms)

        assert board.options == []
        assert {"no-backup", "backup-broken"} <= {note.code for note in board.notes}
        with pytest.raises(operations.NoBackup):
            copied.rooms.request()

    def test_one_that_opens_under_way_is_answered_with_the_last_moment(
        self, copied: Copied, protected: Protected, fault_proxy: FaultProxy
    ) -> None:
        storage = copied.rooms.database.storage
        storage.endpoint = fault_proxy.endpoint
        storage.save(update_fields=["endpoint"])
        missing = [name for name in copied.segments() if name > protected.backup.end_wal][1]
        # The plan is made while the file is listed; it is gone before it was fetched.
        fault_proxy.faults = Faults(error_share=1.0, keys=f"*{missing}*")
        job = copied.rooms.request()
        work = threading.Thread(target=_carry, args=(job.pk,))
        work.start()
        plan = Path(job.target.work_dir) / job.key / "plan.json"
        deadline = time.monotonic() + 60
        while not plan.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        copied.lose(missing)
        fault_proxy.faults = Faults()
        work.join()

        job.refresh_from_db()
        assert job.state == JobState.FAILED
        assert job.failure_code == "wal-missing"
        assert missing in job.failure_advice
        assert "the last moment that can be reached without it" in job.failure_advice

    def test_one_behind_the_moment_that_is_asked_for_does_not_matter(
        self, copied: Copied, protected: Protected
    ) -> None:
        moment, rows = protected.moments[0]
        copied.lose([name for name in copied.segments() if name > protected.backup.end_wal][-2])

        job = carried(copied.rooms.request(target_at=moment))

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_of(job.target.port) == rows


class TestEndOfABackup:
    def test_is_reached_and_nothing_behind_it(self, protected: Protected, rooms: Rooms) -> None:
        job = carried(rooms.request(ends_with_backup=True))

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert job.point == "BACKUP"
        assert job.data_until_at == protected.backup.ended_at
        assert set(rows_of(rooms.target.port).values()) == {0}

    def test_of_one_that_is_not_there_is_refused(self, rooms: Rooms) -> None:
        with pytest.raises(operations.BackupNotUsable):
            rooms.request(ends_with_backup=True, backup_id=4711)


class TestChoosing:
    def test_the_decision_is_on_the_timeline_of_its_incident(self, rooms: Rooms) -> None:
        incident = IncidentFactory.create()
        best = first(looked(rooms))

        job = operations.choose_option(
            database_id=rooms.database.pk, code=best.code, reasons="Nothing else serves.",
            by=None, incident_id=incident.pk, by_worker=False, at=timezone.now(),
        )  # fmt: skip

        entry = TimelineEntry.objects.get(tags__contains=["decision"])
        assert entry.incident == incident
        assert "Reasons: Nothing else serves." in entry.text
        assert job.estimates.get().basis == best.basis

    def test_a_place_without_the_objects_is_no_source(self, rooms: Rooms) -> None:
        with pytest.raises(operations.NoSuchSource):
            rooms.request(source_id=4711)

    def test_a_target_that_holds_a_cluster_is_taken_only_by_name(self, rooms: Rooms) -> None:
        rooms.target.occupied_by = "running"
        rooms.target.probed_at = timezone.now()
        rooms.target.save(update_fields=["occupied_by", "probed_at"])

        with pytest.raises(operations.TargetOccupied, match=rooms.target.data_dir):
            rooms.request()
        with pytest.raises(operations.NameDiffers):
            rooms.request(replaces="/another")
        assert rooms.request(replaces=rooms.target.data_dir).replaces == rooms.target.data_dir

    def test_another_major_version_is_refused_before_the_start(self, rooms: Rooms) -> None:
        rooms.target.server_version = 160004
        rooms.target.probed_at = timezone.now()
        rooms.target.save(update_fields=["server_version", "probed_at"])

        board = looked_without_probe(rooms)
        assert board.recommended is None
        assert "version-unfit" in {risk.code for risk in board.options[0].risks}
        with pytest.raises(operations.VersionDiffers, match="PostgreSQL 16"):
            rooms.request()

    def test_two_restores_to_one_place_are_refused(self, rooms: Rooms) -> None:
        rooms.request()

        board = looked(rooms)

        assert board.recommended is None
        with pytest.raises(operations.TargetBusy):
            rooms.request()


class TestSecondPlace:
    def test_a_staged_recovery_queues_both_parts(self, rooms: Rooms, tmp_path: Path) -> None:
        operations.register_recovery_target(
            name="second", port=free_port(), data_dir=str(tmp_path / "second"),
            work_dir=str(tmp_path / "second-work"), at=timezone.now(),
        )  # fmt: skip
        looked(rooms)
        board = recovery_options(database_id=rooms.database.pk, at=timezone.now(), everything=True)
        staged = next(option for option in board.options if option.point == Point.STAGED)

        part = operations.choose_option(
            database_id=rooms.database.pk, code=staged.code, reasons="Half of it early.",
            by=None, by_worker=False, at=timezone.now(),
        )  # fmt: skip

        rest = RestoreJob.objects.get(brings_forward=part)
        assert part.point == "BACKUP"
        assert (rest.point, rest.target.name) == ("LATEST", staged.second and staged.second.name)


def _carry(restore_id: int) -> None:
    try:
        runner.run_restore(restore_id=restore_id, now=timezone.now)
    finally:
        connection.close()


def looked_without_probe(rooms: Rooms) -> Board:
    at = timezone.now()
    unheard = unheard_places(database_id=rooms.database.pk, at=at)
    return recovery_options(database_id=rooms.database.pk, at=at, unheard=unheard)
