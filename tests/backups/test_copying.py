"""Archives are copied and moved: nothing is deleted, nothing wrong is copied, nothing is left."""

import gzip
import itertools
import os
import struct
from contextlib import closing
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.models import (
    BackupCheckName,
    BackupJob,
    BackupPolicy,
    CheckState,
    CopyJob,
    CopyKind,
    CopyPhase,
    EngineName,
    JobState,
    ObjectReading,
    PolicyChange,
    ReadingState,
    ReplicaState,
)
from backups.runner.tools import place_of
from backups.runner.watching import CHECKS
from backups.runner.watching.base import Found, Subject
from backups.storage.manifest import manifest_key, read_manifest, record_manifest
from backups.storage.s3 import Bucket
from backups.storage.values import MIB
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.archives import BACKUP, SEGMENTS, Archive, segment
from tests.backups.factories import DatabaseFactory, StorageLocationFactory
from tests.factories import HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db

EVERY = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _lease_holds(settings: Settings) -> None:
    # Renewing is another connection's work, which does not see this test's transaction.
    settings.HEARTBEAT_SECONDS = 3600


def replicated(archive: Archive) -> CopyJob:
    job = operations.replicate_backups(
        database_id=archive.database.pk,
        location_id=archive.second.pk,
        at=timezone.now(),
        by_worker=False,
    )
    return run(job)


def run(job: CopyJob) -> CopyJob:
    runner.run_copy(copy_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def state_of(archive: Archive) -> ReplicaState:
    return ReplicaState.objects.get(database=archive.database, location=archive.second)


def replica_check(archive: Archive) -> Found:
    (check,) = [each for each in CHECKS if each.name == BackupCheckName.REPLICA]
    archive.database.refresh_from_db()
    return check.look(Subject(archive.database, at=timezone.now()))


def log_file(number: int, size: int = MIB) -> bytes:
    """Make a segment of the log with the header that its first page has to have."""
    header = struct.pack("<HHIQI4xQII", 0xD116, 2, 1, number * size, 0, 7, size, 8192)
    return header.ljust(size, b"\0")


def with_policy(archive: Archive) -> BackupPolicy:
    return BackupPolicy.objects.create(
        database=archive.database, replicate_to=archive.second, created_at=NOON
    )


class TestAReplication:
    def test_brings_everything_of_the_archive_and_nothing_else(self, archive: Archive) -> None:
        archive.client.put_object(Bucket=archive.first.bucket, Key="pg/other/x", Body=b"not ours")

        job = replicated(archive)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert job.phase == CopyPhase.DONE
        assert archive.held(archive.second) == archive.contents
        assert (job.objects_done, job.objects_total) == (len(archive.contents),) * 2
        assert job.bytes_done == job.bytes_total == sum(map(len, archive.contents.values()))
        state = state_of(archive)
        assert (state.missing_objects, state.behind_since_at) == (0, None)
        assert state.objects_there == len(archive.contents)
        assert state.verified_at is not None

    def test_helps_restores_once_it_is_whole(self, archive: Archive) -> None:
        replicated(archive)

        assert list(archive.database.copies.all()) == [archive.second]

    def test_copies_nothing_twice(self, archive: Archive, fault_proxy: FaultProxy) -> None:
        replicated(archive)
        before = fault_proxy.total()

        job = replicated(archive)

        assert job.state == JobState.SUCCEEDED
        assert job.objects_total == 0
        after = fault_proxy.total()
        assert after.bytes_up - before.bytes_up < 20_000

    def test_never_deletes_what_the_source_has_lost(self, archive: Archive) -> None:
        replicated(archive)
        name = segment(1)
        archive.remove(name)

        replicated(archive)

        assert name in archive.held(archive.second)

    @pytest.mark.parametrize("bad", [b"cut off", os.urandom(50_000)], ids=["cut", "of its length"])
    def test_keeps_a_file_of_the_log_that_the_source_has_damaged_since(
        self, archive: Archive, bad: bytes
    ) -> None:
        replicated(archive)
        good = archive.held(archive.second)
        archive.store(segment(2), bad)

        job = replicated(archive)

        assert (job.state, job.failure_code) == (JobState.FAILED, "copy-not-whole")
        assert f"damaged: pg/{segment(2)}" in job.detail
        assert archive.held(archive.second) == good

    def test_takes_a_file_of_the_log_that_was_archived_once_more(self, archive: Archive) -> None:
        # By gzip, which writes the time into what it makes.
        name, plain = f"{segment(10)}.gz", log_file(10)
        archive.store(name, gzip.compress(plain, mtime=1))
        replicated(archive)
        archive.store(name, gzip.compress(plain, mtime=2))

        job = replicated(archive)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert archive.held(archive.second)[name] == archive.contents[name]

    def test_keeps_what_nothing_proves_and_takes_what_describes_anew(
        self, archive: Archive
    ) -> None:
        data, said = "main/base/elsewhere/data.tar", f"main/base/{BACKUP}/backup.info"
        archive.store(data, b"as it was")
        replicated(archive)
        archive.store(data, b"as it never was")
        archive.store(said, b"status=DONE, kept")

        job = replicated(archive)

        assert job.state == JobState.FAILED
        assert f"changed: pg/{data}" in job.detail
        assert "the copy keeps what it had" in job.failure_advice
        held = archive.held(archive.second)
        assert (held[data], held[said]) == (b"as it was", b"status=DONE, kept")

    def test_reads_manifests_where_they_were_copied_to(self, archive: Archive) -> None:
        replicated(archive)

        with closing(Bucket(place_of(archive.second), archive.credentials)) as bucket:
            manifest = read_manifest(bucket, manifest_key(bucket, "main", BACKUP))
        key = f"far/away/main/base/{BACKUP}/data.tar"
        assert len(manifest.hashes[key]) == 21

    def test_brings_later_log_and_says_since_when_it_was_behind(self, archive: Archive) -> None:
        with_policy(archive)
        replicated(archive)
        archive.store(segment(SEGMENTS + 1), b"later")
        assert replica_check(archive).state == CheckState.OK

        replicated(archive)

        assert archive.held(archive.second) == archive.contents
        assert replica_check(archive).words == "attic holds everything."

    def test_of_a_damaged_source_keeps_what_the_copy_has(self, archive: Archive) -> None:
        replicated(archive)
        name = f"main/base/{BACKUP}/data.tar"
        archive.flip(name, 5_000_000)

        job = replicated(archive)

        assert job.state == JobState.FAILED
        assert job.failure_code == "copy-not-whole"
        assert name in job.detail
        assert "damaged" in job.failure_advice
        assert archive.held(archive.second)[name] == archive.contents[name]
        assert state_of(archive).missing_objects == 1

    def test_does_not_show_a_backup_there_that_is_not_whole(self, archive: Archive) -> None:
        archive.flip(f"main/base/{BACKUP}/data.tar", 7)

        replicated(archive)

        held = archive.held(archive.second)
        assert f"main/base/{BACKUP}/backup.info" not in held
        assert set(held) >= {segment(number) for number in range(1, SEGMENTS + 1)}

    def test_of_pgbackrest_shows_none_either(self, archive: Archive) -> None:
        archive.database.engine = EngineName.PGBACKREST
        archive.database.save()
        label = "20261122-100000F"
        archive.backup.engine_id = label
        archive.backup.save()
        folder = f"backup/main/{label}"
        archive.store(f"{folder}/pg_data/base/1/2619.gz", os.urandom(MIB + 3))
        for name in (f"{folder}/backup.manifest", "backup/main/backup.info"):
            archive.store(name, b"says what is there")
        with closing(Bucket(place_of(archive.first), archive.credentials)) as bucket:
            ref = bucket.head(archive.key(f"{folder}/pg_data/base/1/2619.gz"))
            list(record_manifest(bucket, manifest_key(bucket, "main", label), [ref]))
        archive.flip(f"{folder}/pg_data/base/1/2619.gz", 7)

        job = replicated(archive)

        assert job.failure_code == "copy-not-whole"
        held = archive.held(archive.second)
        assert f"{folder}/backup.manifest" not in held
        # Of the others it tells all the same.
        assert "backup/main/backup.info" in held

    def test_brings_a_good_copy_where_the_replica_was_damaged(self, archive: Archive) -> None:
        replicated(archive)
        name = f"main/base/{BACKUP}/16384.tar"
        archive.flip(name, 9, location=archive.second)

        replicated(archive)

        assert archive.held(archive.second)[name] == archive.contents[name]

    def test_copies_anew_what_was_read_and_found_damaged_there(
        self, archive: Archive, fault_proxy: FaultProxy
    ) -> None:
        replicated(archive)
        ObjectReading.objects.create(
            database=archive.database, location=archive.second, size=1, read_at=NOON,
            key=f"far/away/{segment(2)}", state=ReadingState.DAMAGED,
        )  # fmt: skip

        assert replicated(archive).objects_done == 1
        assert not ObjectReading.objects.exists()
        assert replicated(archive).objects_total == 0

    def test_copies_nothing_anew_again_and_again_for_the_sake_of_another(
        self, archive: Archive
    ) -> None:
        replicated(archive)
        ObjectReading.objects.create(
            database=archive.database, location=archive.second, size=1, read_at=NOON,
            key=f"far/away/{segment(2)}", state=ReadingState.DAMAGED,
        )  # fmt: skip
        archive.flip(f"main/base/{BACKUP}/data.tar", 5_000_000)

        first, second = replicated(archive), replicated(archive)

        assert first.failure_code == second.failure_code == "copy-not-whole"
        assert (first.objects_done, second.objects_done) == (1, 0)


class TestTrouble:
    def test_of_the_storage_costs_time_alone(
        self, archive: Archive, fault_proxy: FaultProxy, settings: Settings
    ) -> None:
        settings.STORAGE_SILENCE_SECONDS = 2
        fault_proxy.faults = Faults(error_share=0.15, reset_after_bytes=2_000_000, reset_share=0.2)

        job = replicated(archive)

        fault_proxy.faults = Faults()
        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert archive.held(archive.second) == archive.contents
        assert job.counters["busy"] > 0

    def test_that_lasts_ends_the_run_and_the_next_one_goes_on(
        self, archive: Archive, fault_proxy: FaultProxy, settings: Settings
    ) -> None:
        settings.STORAGE_OUTAGE_SECONDS = 1
        fault_proxy.faults = Faults(down=True)

        job = replicated(archive)

        assert (job.state, job.failure_code) == (JobState.FAILED, "storage-unavailable")
        assert not ReplicaState.objects.exists()
        fault_proxy.faults = Faults()
        assert replicated(archive).state == JobState.SUCCEEDED

    def test_of_missing_keys_is_named(self, archive: Archive) -> None:
        archive.second.credentials_reference = "file:/nowhere"
        archive.second.save()

        assert replicated(archive).failure_code == "credentials-missing"

    @pytest.mark.django_db(transaction=True)
    def test_of_a_database_that_is_registered_no_more(self, archive: Archive) -> None:
        job = operations.replicate_backups(
            database_id=archive.database.pk, location_id=archive.second.pk,
            at=timezone.now(), by_worker=False,
        )  # fmt: skip
        clock = itertools.count()

        def now() -> object:
            # While it runs: the first moment is that of its claim.
            if next(clock) == 1:
                CopyJob.objects.all().delete()
                archive.database.backups.all().delete()
                archive.database.delete()
            return timezone.now()

        runner.run_copy(copy_id=job.pk, now=now)  # type: ignore[arg-type]

        assert not ReplicaState.objects.exists()


class TestTheBeat:
    def test_begins_what_policies_want_once(self, archive: Archive) -> None:
        with_policy(archive)

        first = runner.begin_due_copies(at=NOON)
        second = runner.begin_due_copies(at=NOON)

        assert len(first) == 1
        assert second == []
        run(CopyJob.objects.get())
        assert runner.begin_due_copies(at=NOON + 5 * MINUTE) == []
        assert len(runner.begin_due_copies(at=NOON + 24 * HOUR)) == 1

    def test_is_not_held_up_by_a_clock_that_ran_ahead(self, archive: Archive) -> None:
        with_policy(archive)
        runner.begin_due_copies(at=NOON + 24 * HOUR)
        CopyJob.objects.update(state=JobState.FAILED, failure_code="x")

        assert len(runner.begin_due_copies(at=NOON)) == 1

    def test_begins_again_what_has_failed(self, archive: Archive) -> None:
        with_policy(archive)
        runner.begin_due_copies(at=NOON)
        CopyJob.objects.update(state=JobState.FAILED, failure_code="x")

        assert len(runner.begin_due_copies(at=NOON + EVERY)) == 1

    def test_queues_a_run_again_that_lost_its_worker(self, archive: Archive) -> None:
        with_policy(archive)
        runner.begin_due_copies(at=NOON)
        CopyJob.objects.update(
            state=JobState.RUNNING, leased_by="elsewhere:1:x", leased_until=NOON + MINUTE
        )

        assert runner.waiting_copies(at=NOON + 2 * MINUTE) == [CopyJob.objects.get().pk]

    def test_lets_go_of_runs_that_found_nothing(self, archive: Archive) -> None:
        replicated(archive)
        replicated(archive)

        runner.thin_copies(at=timezone.now() + timedelta(days=3))

        assert [job.objects_total for job in CopyJob.objects.all()] == [len(archive.contents)]

    def test_that_failed_go_after_a_month_but_for_the_last(self, archive: Archive) -> None:
        runs = [
            CopyJob.objects.create(
                database=archive.database, source=archive.first, destination=archive.second,
                state=JobState.FAILED, failure_code="storage-unavailable",
                requested_at=NOON + ago, queued_at=NOON + ago, ended_at=NOON + ago,
            )
            for ago in (timedelta(), timedelta(days=1), timedelta(days=40))
        ]  # fmt: skip

        runner.thin_copies(at=NOON + timedelta(days=50))
        assert list(CopyJob.objects.all()) == runs[2:]
        runner.thin_copies(at=NOON + timedelta(days=500))
        assert list(CopyJob.objects.all()) == runs[2:]


class TestWhatIsRefused:
    def test_without_a_second_place(self, archive: Archive) -> None:
        with pytest.raises(operations.NoReplicaNamed):
            operations.replicate_backups(database_id=archive.database.pk, at=NOON)

    def test_to_the_same_place_or_into_it(self, archive: Archive) -> None:
        archive.second.bucket, archive.second.prefix = archive.first.bucket, "pg/inside"
        archive.second.save()

        for location in (archive.first, archive.second):
            with pytest.raises(operations.NotAnotherPlace):
                operations.replicate_backups(
                    database_id=archive.database.pk, location_id=location.pk, at=NOON
                )

    def test_onto_another_archive(self, archive: Archive) -> None:
        DatabaseFactory.create(storage=archive.second)

        with pytest.raises(operations.ArchiveNameTaken):
            operations.begin_migration(
                database_id=archive.database.pk, destination_id=archive.second.pk, at=NOON
            )

    def test_onto_a_copy_of_another_archive(self, archive: Archive) -> None:
        other = DatabaseFactory.create(storage=StorageLocationFactory.create())
        alias = StorageLocationFactory.create(
            endpoint=archive.second.endpoint, bucket=archive.second.bucket,
            prefix=archive.second.prefix,
        )  # fmt: skip
        BackupPolicy.objects.create(database=other, replicate_to=alias, created_at=NOON)

        with pytest.raises(operations.ArchiveNameTaken):
            operations.replicate_backups(
                database_id=archive.database.pk, location_id=archive.second.pk, at=NOON
            )

    def test_onto_one_that_came_since_it_was_asked_for(self, archive: Archive) -> None:
        with_policy(archive)
        runner.begin_due_copies(at=NOON)
        DatabaseFactory.create(storage=archive.second)

        job = run(CopyJob.objects.get())

        assert (job.state, job.failure_code) == (JobState.FAILED, "archive-in-the-way")
        assert archive.held(archive.second) == {}

    def test_a_second_one_at_the_same_time(self, archive: Archive) -> None:
        def ask() -> CopyJob:
            return operations.replicate_backups(
                database_id=archive.database.pk, location_id=archive.second.pk, at=NOON
            )

        ask()

        with pytest.raises(operations.CopyRuns):
            ask()

    def test_another_bucket_under_a_copy(self, archive: Archive) -> None:
        operations.replicate_backups(
            database_id=archive.database.pk, location_id=archive.second.pk, at=NOON
        )

        with pytest.raises(operations.LocationInUse):
            operations.change_storage_location(location_id=archive.second.pk, bucket="other")


class TestAMove:
    def ready(self, archive: Archive) -> CopyJob:
        job = operations.begin_migration(
            database_id=archive.database.pk, destination_id=archive.second.pk,
            at=timezone.now(), by_worker=False,
        )  # fmt: skip
        return run(job)

    def switched(self, archive: Archive) -> CopyJob:
        job = self.ready(archive)
        return operations.switch_migration(copy_id=job.pk, typed="attic", at=timezone.now())

    def again(self, job: CopyJob) -> CopyJob:
        """Let the beat bring it up to date."""
        later = timezone.now() + EVERY
        assert runner.begin_due_copies(at=later) == [job.pk]
        return run(job)

    def test_waits_for_people_once_everything_is_there(self, archive: Archive) -> None:
        job = self.ready(archive)

        assert (job.state, job.phase) == (JobState.PAUSED, CopyPhase.SWITCH)
        assert archive.held(archive.second) == archive.contents
        archive.database.refresh_from_db()
        assert archive.database.storage == archive.first

    def test_is_kept_up_to_date_until_then(self, archive: Archive) -> None:
        job = self.ready(archive)
        archive.store(segment(SEGMENTS + 1), b"later")

        self.again(job)

        assert (job.state, job.phase) == (JobState.PAUSED, CopyPhase.SWITCH)
        assert archive.held(archive.second) == archive.contents

    def test_is_switched_once_the_name_is_typed(self, archive: Archive) -> None:
        job = self.ready(archive)
        with pytest.raises(operations.LocationNameDiffers):
            operations.switch_migration(copy_id=job.pk, typed="cellar", at=NOON)

        operations.switch_migration(copy_id=job.pk, typed="attic", at=timezone.now())

        archive.database.refresh_from_db()
        assert archive.database.storage == archive.second
        assert list(archive.database.copies.all()) == [archive.first]
        with pytest.raises(operations.CopyOver):
            operations.switch_migration(copy_id=job.pk, typed="attic", at=timezone.now())

    def test_waits_for_a_backup_that_runs(self, archive: Archive) -> None:
        job = self.ready(archive)
        BackupJob.objects.create(
            database=archive.database, label="x", requested_at=NOON, queued_at=NOON
        )

        with pytest.raises(operations.DatabaseAtWork):
            operations.switch_migration(copy_id=job.pk, typed="attic", at=NOON)

    def test_is_not_switched_while_something_is_missing(self, archive: Archive) -> None:
        job = self.ready(archive)
        ReplicaState.objects.update(missing_objects=1)

        with pytest.raises(operations.MoveNotReady):
            operations.switch_migration(copy_id=job.pk, typed="attic", at=NOON)

    def test_is_not_switched_by_an_old_comparison(self, archive: Archive) -> None:
        job = self.ready(archive)

        with pytest.raises(operations.MoveNotReady, match="last compared 40 min ago"):
            operations.switch_migration(
                copy_id=job.pk, typed="attic", at=timezone.now() + 40 * MINUTE
            )

    def test_is_not_switched_to_what_is_damaged_nor_after_a_failure(self, archive: Archive) -> None:
        job = self.ready(archive)
        CopyJob.objects.update(failure_code="storage-unavailable")
        with pytest.raises(operations.MoveNotReady, match="comparison failed"):
            operations.switch_migration(copy_id=job.pk, typed="attic", at=timezone.now())
        CopyJob.objects.update(failure_code="")
        ObjectReading.objects.create(
            database=archive.database, location=archive.second, size=1, read_at=NOON,
            key=f"far/away/{segment(2)}", state=ReadingState.DAMAGED,
        )  # fmt: skip

        with pytest.raises(operations.MoveNotReady):
            operations.switch_migration(copy_id=job.pk, typed="attic", at=timezone.now())

    def test_is_no_replica_of_itself_afterwards(self, archive: Archive) -> None:
        self.again(self.switched(archive))

        assert not ReplicaState.objects.filter(location=archive.second).exists()

    def test_turns_a_replication_round(self, archive: Archive) -> None:
        policy = with_policy(archive)

        self.switched(archive)

        policy.refresh_from_db()
        assert policy.replicate_to == archive.first
        assert "had been its replica" in PolicyChange.objects.get(policy=policy).why

    def test_brings_what_still_arrives_and_overwrites_nothing_new(self, archive: Archive) -> None:
        job = self.switched(archive)
        archive.store(segment(SEGMENTS + 1), b"by the old archive_command")
        info = f"far/away/main/base/{BACKUP}/backup.info"
        archive.client.put_object(Bucket=archive.second.bucket, Key=info, Body=b"newer there")

        self.again(job)

        held = archive.held(archive.second)
        assert held[segment(SEGMENTS + 1)] == b"by the old archive_command"
        assert held[f"main/base/{BACKUP}/backup.info"] == b"newer there"
        assert (job.state, job.phase) == (JobState.PAUSED, CopyPhase.KEEP)

    def test_brings_nothing_back_that_retention_took_away(self, archive: Archive) -> None:
        job = self.switched(archive)
        job.switched_at = timezone.now() + 2 * HOUR
        job.save()
        gone = f"far/away/{segment(1)}"
        archive.client.delete_object(Bucket=archive.second.bucket, Key=gone)

        self.again(job)

        assert segment(1) not in archive.held(archive.second)

    def test_is_not_ended_while_files_arrive_at_the_old_place(self, archive: Archive) -> None:
        job = self.switched(archive)
        job.switched_at = timezone.now() - MINUTE
        job.save()
        archive.store(segment(SEGMENTS + 1), b"by the old archive_command")
        self.again(job)

        with pytest.raises(operations.OldPlaceInUse):
            operations.end_migration(copy_id=job.pk, at=timezone.now())
        later = timezone.now() + 2 * HOUR
        CopyJob.objects.update(heartbeat_at=later - MINUTE)
        operations.end_migration(copy_id=job.pk, at=later)

    def test_is_not_ended_before_somebody_has_looked(self, archive: Archive) -> None:
        job = self.switched(archive)

        with pytest.raises(operations.OldPlaceInUse, match="Nobody has looked"):
            operations.end_migration(copy_id=job.pk, at=timezone.now())
        self.again(job)
        with pytest.raises(operations.OldPlaceInUse, match="Nobody has looked"):
            operations.end_migration(copy_id=job.pk, at=timezone.now() + 2 * HOUR)

    def test_is_ended_though_its_old_place_is_gone_for_good(
        self, archive: Archive, fault_proxy: FaultProxy, settings: Settings
    ) -> None:
        job = self.switched(archive)
        settings.STORAGE_OUTAGE_SECONDS = 1
        fault_proxy.faults = Faults(down=True)
        self.again(job)

        operations.end_migration(copy_id=job.pk, at=timezone.now() + 5 * HOUR)

        assert CopyJob.objects.get().state == JobState.SUCCEEDED

    def test_is_ended_when_told_and_deletes_nothing(self, archive: Archive) -> None:
        job = self.again(self.switched(archive))

        operations.end_migration(copy_id=job.pk, at=timezone.now())

        job.refresh_from_db()
        assert (job.state, job.phase) == (JobState.SUCCEEDED, CopyPhase.DONE)
        assert not archive.database.copies.exists()
        assert archive.held(archive.first) == archive.contents

    def test_stays_switched_when_its_old_place_is_away(
        self, archive: Archive, fault_proxy: FaultProxy, settings: Settings
    ) -> None:
        job = self.switched(archive)
        settings.STORAGE_OUTAGE_SECONDS = 1
        fault_proxy.faults = Faults(down=True)

        self.again(job)

        assert (job.state, job.phase) == (JobState.PAUSED, CopyPhase.KEEP)
        assert job.failure_code == "storage-unavailable"

    def test_takes_over_a_replication_that_runs(self, archive: Archive) -> None:
        replication = operations.replicate_backups(
            database_id=archive.database.pk, location_id=archive.second.pk,
            at=timezone.now(), by_worker=False,
        )  # fmt: skip

        job = self.ready(archive)

        assert job.pk == replication.pk
        assert (job.kind, job.phase) == (CopyKind.MIGRATION, CopyPhase.SWITCH)

    def test_can_be_called_off_before_it_is_switched(self, archive: Archive) -> None:
        job = self.ready(archive)

        operations.cancel_copy(copy_id=job.pk, at=timezone.now())

        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        with pytest.raises(operations.CopyOver):
            operations.cancel_copy(copy_id=job.pk, at=timezone.now())

    def test_says_how_the_server_is_to_archive(self, archive: Archive) -> None:
        said = runner.archiving_at(archive.database, archive.second)

        assert said is not None
        assert archive.second.bucket in said.command
        shown = " ".join([said.command, *said.environment.values()])
        assert archive.credentials.secret_key not in shown
