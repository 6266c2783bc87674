"""Log files that are damaged where they lie, or deleted: another place is asked, or it is told."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from backups import operations, runner
from backups.models import (
    Backup,
    BackupCheck,
    BackupCheckName,
    CheckState,
    JobState,
    ObjectReading,
    ReadingState,
    RestoreJob,
    StorageLocation,
)
from config.embedded.addresses import Addresses
from tests.backups.living import Living, living_cluster
from tests.protected import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def living(
    tmp_path: Path, s3_server: Addresses, s3_client: "S3Client", s3_bucket: str
) -> Iterator[Living]:
    with living_cluster(
        tmp_path,
        endpoint=s3_server.s3_endpoint,
        s3=s3_server,
        client=s3_client,
        bucket=s3_bucket,
    ) as found:
        yield found


def copied(living: Living, s3_server: Addresses) -> StorageLocation:
    """Give the database a copy of its archive as it is now, under another prefix."""
    bucket = f"{living.bucket}-attic"
    living.client.create_bucket(Bucket=bucket)
    for each in living.client.list_objects_v2(Bucket=living.bucket)["Contents"]:
        living.client.copy_object(
            Bucket=bucket,
            Key=each["Key"].replace("pg/", "attic/", 1),
            CopySource=f"{living.bucket}/{each['Key']}",
        )
    location = operations.register_storage_location(
        name="attic",
        bucket=bucket,
        prefix="attic",
        endpoint=s3_server.s3_endpoint,
        credentials_reference=living.database.storage.credentials_reference,
        at=timezone.now(),
    )
    living.database.copies.add(location)
    return location


def cut(living: Living, key: str) -> None:
    """Store an object anew, cut off in its middle."""
    content = living.client.get_object(Bucket=living.bucket, Key=key)["Body"].read()
    living.client.put_object(Bucket=living.bucket, Key=key, Body=content[: len(content) // 2])


def name_of(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def log_whole(living: Living) -> BackupCheck:
    names = [BackupCheckName.LOG_WHOLE]
    at = timezone.now()
    (found,) = runner.check_database(database_id=living.database.pk, at=at, names=names)
    return found


def read_again(living: Living) -> None:
    look = runner.look_at_archive(
        database_id=living.database.pk,
        at=timezone.now(),
        budget_seconds=60,
        waits_for_copies=True,
    )
    assert not look.faults
    living.database.refresh_from_db()


def rows_in(living: Living) -> int:
    with connect(living.target.port, "acme") as connection:
        row = connection.execute("select count(*) from notes").fetchone()
    assert row is not None
    found: int = row[0]
    return found


def restored(living: Living) -> RestoreJob:
    runner.probe_target(target_id=living.target.pk, at=timezone.now())
    job = operations.request_restore(
        database_id=living.database.pk,
        recovery_target_id=living.target.pk,
        by_worker=False,
        at=timezone.now(),
    )
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


class TestRestore:
    def test_asks_the_copy_for_each_file_that_is_damaged_in_the_storage(
        self, living: Living, s3_server: Addresses
    ) -> None:
        for _each in range(3):
            living.write(100)
        living.sync()
        copied(living, s3_server)
        # The last is looked into for the plan, the one in the middle is only fetched. A cut one
        # and one that is another segment.
        keys = living.segments()
        cut(living, keys[-1])
        source = f"{living.bucket}/{keys[0]}"
        living.client.copy_object(Bucket=living.bucket, Key=keys[-3], CopySource=source)

        job = restored(living)

        assert job.state == JobState.SUCCEEDED, job.failure_advice
        assert rows_in(living) == 300

    def test_without_a_copy_the_file_is_named_and_the_last_moment_before_it(
        self, living: Living
    ) -> None:
        living.write(100)
        living.sync()
        key = living.segments()[-1]
        cut(living, key)

        with pytest.raises(operations.LogHasHole, match=f"{name_of(key)} is missing or damaged"):
            restored(living)

    def test_found_only_when_it_is_fetched_it_is_named_with_the_last_moment_before_it(
        self, living: Living
    ) -> None:
        for _each in range(3):
            living.write(100)
        living.sync()
        keys = living.segments()
        # One in the middle, which no plan looks into, bad in the only place that there is.
        cut(living, keys[-3])

        job = restored(living)

        assert job.state == JobState.FAILED
        assert job.failure_code == "wal-missing"
        assert f"The log file {name_of(keys[-3])} is damaged" in job.failure_advice
        assert "the last moment that can be reached without it" in job.failure_advice


class TestCatalogue:
    def test_a_damaged_file_is_a_hole_and_newer_backups_are_read_all_the_same(
        self, living: Living
    ) -> None:
        moment = living.write(100)
        living.write(100)
        key = living.segments()[-1]
        cut(living, key)

        read_again(living)

        first = living.database.backups.get(label="nightly")
        assert first.log_missing == name_of(key)
        assert first.reaches_until_at is not None
        assert first.reaches_until_at <= moment
        assert living.database.latest_restorable_at == first.reaches_until_at
        found = log_whole(living)
        assert (found.state, name_of(key) in found.words) == (CheckState.CRITICAL, True)

        living.back_up("second")
        living.archive()
        read_again(living)

        assert {each.label for each in Backup.objects.all()} == {"nightly", "second"}
        second = living.database.backups.get(label="second")
        assert second.log_missing == ""
        assert living.database.latest_restorable_at == second.reaches_until_at
        assert log_whole(living).state == CheckState.WARNING

    def test_a_file_that_a_reading_found_changed_is_looked_into(self, living: Living) -> None:
        living.write(100)
        for _each in range(4):
            living.write(100)
        sound, damaged = living.segments()[-4], living.segments()[-3]
        cut(living, damaged)
        for key, state in ((sound, ReadingState.DAMAGED), (damaged, ReadingState.RESIZED)):
            ObjectReading.objects.create(
                database=living.database, location=living.database.storage, key=key, size=1,
                state=state, read_at=timezone.now(),
            )  # fmt: skip

        read_again(living)

        assert living.database.backups.get().log_missing == name_of(damaged)

    def test_a_deleted_file_is_told_by_the_next_look(self, living: Living) -> None:
        for _each in range(3):
            living.write(100)
        read_again(living)
        assert log_whole(living).state == CheckState.OK
        key = living.segments()[-2]
        living.remove(key)

        read_again(living)

        found = log_whole(living)
        assert (found.state, name_of(key) in found.words) == (CheckState.CRITICAL, True)

    def test_where_a_copy_has_it_whole_nothing_is_missing(
        self, living: Living, s3_server: Addresses
    ) -> None:
        for _each in range(2):
            living.write(100)
        copied(living, s3_server)
        cut(living, living.segments()[-1])

        read_again(living)

        assert living.database.backups.get().log_missing == ""
        assert log_whole(living).state == CheckState.OK


class TestUnread:
    def test_what_rests_on_the_archive_is_unknown_soon_after_it_was_last_read(
        self, living: Living
    ) -> None:
        living.write(100)
        read_again(living)
        names = {
            BackupCheckName.LOG_WHOLE,
            BackupCheckName.LOG_FRESH,
            BackupCheckName.FULL_FRESH,
            BackupCheckName.SIZE,
        }

        def states(later: timedelta) -> set[str]:
            rows = runner.check_database(
                database_id=living.database.pk, at=timezone.now() + later, names=names
            )
            return {row.state for row in rows}

        assert states(timedelta(minutes=9)) == {CheckState.OK}
        assert states(timedelta(minutes=11)) == {CheckState.UNKNOWN}
