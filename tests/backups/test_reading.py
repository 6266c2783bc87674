"""Backups are read where they lie: what is gone, cut or altered is found, and named."""

import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups import operations, runner
from backups.errors import StorageUnavailable
from backups.models import (
    BackupCheckName,
    BackupPolicy,
    CheckState,
    JobState,
    ObjectReading,
    ReadingState,
    RestoreJob,
)
from backups.operations import watching
from backups.runner import reading
from backups.runner.watching import CHECKS
from backups.runner.watching.base import Found, Subject
from backups.storage.values import MIB
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.archives import BACKUP, SEGMENTS, Archive, segment
from tests.backups.factories import RestoreJobFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db

DATA = f"main/base/{BACKUP}/data.tar"
DAY = timedelta(days=1)


def read(archive: Archive, *, later: timedelta = timedelta()) -> int:
    count = runner.read_content(
        database_id=archive.database.pk,
        location_id=archive.first.pk,
        at=timezone.now() + later,
    )
    assert count is not None
    return count


def row(archive: Archive, name: str) -> ObjectReading:
    return ObjectReading.objects.get(location=archive.first, key=archive.key(name))


def states(archive: Archive) -> dict[str, str]:
    rows = ObjectReading.objects.filter(location=archive.first)
    return {each.key.removeprefix("pg/"): each.state for each in rows}


def check(archive: Archive, name: BackupCheckName, *, later: timedelta = timedelta()) -> Found:
    (found,) = [each for each in CHECKS if each.name == name]
    archive.database.refresh_from_db()
    return found.look(Subject(archive.database, at=timezone.now() + later))


class TestAFirstReading:
    def test_reads_everything_and_finds_it_sound(self, archive: Archive) -> None:
        assert read(archive) == len(archive.contents)

        assert states(archive) == dict.fromkeys(archive.contents, ReadingState.SOUND)
        assert check(archive, BackupCheckName.CONTENT).state == CheckState.OK
        assert check(archive, BackupCheckName.OBJECTS).state == CheckState.OK

    def test_says_nothing_of_what_was_not_read(self, archive: Archive) -> None:
        assert check(archive, BackupCheckName.CONTENT).state == CheckState.UNKNOWN
        ObjectReading.objects.create(
            database=archive.database, location=archive.first, key="pg/x", size=1,
            state=ReadingState.UNREAD, read_at=NOON,
        )  # fmt: skip
        assert check(archive, BackupCheckName.CONTENT).state == CheckState.UNKNOWN

    def test_is_not_done_again_before_it_is_time(self, archive: Archive) -> None:
        read(archive)

        assert read(archive, later=10 * DAY) == 0

    def test_is_done_again_within_the_period(self, archive: Archive) -> None:
        BackupPolicy.objects.create(
            database=archive.database, read_all_within=10 * DAY, created_at=NOON
        )
        read(archive)

        assert read(archive, later=8 * DAY) == len(archive.contents)

    def test_that_is_too_long_ago_is_a_warning(self, archive: Archive) -> None:
        read(archive)

        found = check(archive, BackupCheckName.CONTENT, later=31 * DAY)
        assert found.state == CheckState.WARNING


class TestDamage:
    def test_of_a_backup_is_found_at_once_and_the_byte_is_named(self, archive: Archive) -> None:
        read(archive)
        archive.flip(DATA, 5_000_000)

        read(archive)

        assert row(archive, DATA).state == ReadingState.DAMAGED
        # The block of the manifest in which it lies.
        assert row(archive, DATA).damaged_from == 4 * 1024 * 1024
        found = check(archive, BackupCheckName.CONTENT)
        assert found.state == CheckState.CRITICAL
        assert "data.tar (damaged from byte 4,194,304 on)" in found.words

    def test_before_the_first_reading_is_found_by_the_manifest(self, archive: Archive) -> None:
        archive.flip(DATA, 0)

        read(archive)

        assert row(archive, DATA).state == ReadingState.DAMAGED

    def test_of_the_log_is_found_though_nothing_but_its_etag_was_recorded(
        self, archive: Archive
    ) -> None:
        read(archive)
        archive.flip(segment(2), 100)

        read(archive)
        read(archive, later=DAY)

        assert row(archive, segment(2)).state == ReadingState.DAMAGED

    def test_is_gone_once_a_good_copy_is_back(self, archive: Archive) -> None:
        read(archive)
        good = {name: archive.contents[name] for name in (DATA, segment(2))}
        for name in good:
            archive.flip(name, 3)
        read(archive)
        for name, content in good.items():
            archive.store(name, content)

        read(archive, later=DAY / 2)

        assert states(archive) == dict.fromkeys(archive.contents, ReadingState.SOUND)

    def test_on_the_way_is_none(self, archive: Archive, fault_proxy: FaultProxy) -> None:
        fault_proxy.faults = Faults(flip_every_bytes=8 * 1024 * 1024, keys="*/data.tar")

        read(archive)

        assert row(archive, DATA).state == ReadingState.SOUND


class TestWhatIsMissing:
    @pytest.mark.parametrize("name", [DATA, segment(2), f"main/base/{BACKUP}/backup.info"])
    def test_is_found_and_named(self, archive: Archive, name: str) -> None:
        read(archive)
        archive.remove(name)

        read(archive)

        assert row(archive, name).state == ReadingState.MISSING
        found = check(archive, BackupCheckName.OBJECTS)
        assert found.state == CheckState.CRITICAL
        assert name in found.words

    def test_before_the_first_look_is_found_by_the_manifest(self, archive: Archive) -> None:
        archive.remove(DATA)

        read(archive)

        assert row(archive, DATA).state == ReadingState.MISSING

    def test_of_another_size_is_found(self, archive: Archive) -> None:
        read(archive)
        archive.store(DATA, archive.contents[DATA][:-1])

        read(archive)

        assert row(archive, DATA).state == ReadingState.RESIZED

    def test_comes_back(self, archive: Archive) -> None:
        read(archive)
        content = archive.contents[segment(3)]
        archive.remove(segment(3))
        read(archive)
        archive.store(segment(3), content)

        read(archive)

        assert row(archive, segment(3)).state == ReadingState.SOUND

    def test_by_retention_is_not_missed(self, archive: Archive) -> None:
        read(archive)
        archive.backup.vanished_at = timezone.now()
        archive.backup.save()
        for name in list(archive.contents):
            if BACKUP in name:
                archive.remove(name)
        archive.remove(segment(1))

        read(archive)

        assert states(archive) == dict.fromkeys(
            [segment(number) for number in range(2, SEGMENTS + 1)], ReadingState.SOUND
        )


class TestAStorageThatIsAway:
    def test_leaves_what_was_known(
        self, archive: Archive, fault_proxy: FaultProxy, settings: Settings
    ) -> None:
        read(archive)
        settings.STORAGE_OUTAGE_SECONDS = 1
        before = states(archive)
        fault_proxy.faults = Faults(down=True)

        with pytest.raises(StorageUnavailable):
            read(archive)
        runner.try_to_read(
            database_id=archive.database.pk, location_id=archive.first.pk, at=timezone.now()
        )

        assert states(archive) == before


class TestItsPlaces:
    def test_are_the_archive_and_the_copy_that_the_policy_wants(self, archive: Archive) -> None:
        BackupPolicy.objects.create(
            database=archive.database, replicate_to=archive.second, created_at=NOON
        )
        first = (archive.database.pk, archive.first.pk)
        assert runner.places_to_read() == [first]

        archive.database.copies.add(archive.second)

        assert runner.places_to_read() == [first, (archive.database.pk, archive.second.pk)]

    def test_that_hold_nothing_any_more_are_forgotten(self, archive: Archive) -> None:
        read(archive)
        archive.backup.delete()

        assert runner.places_to_read() == []
        assert not ObjectReading.objects.exists()

    def test_are_read_by_one_at_a_time(self, archive: Archive) -> None:
        other = connections.create_connection("default")
        try:
            with other.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_lock(%s, %s)", [reading._LOCK, archive.database.pk]
                )
            found = runner.read_content(
                database_id=archive.database.pk, location_id=archive.first.pk, at=NOON
            )
        finally:
            other.close()

        assert found is None
        assert connection.is_usable()

    def test_of_a_database_that_is_registered_no_more_are_left(self, archive: Archive) -> None:
        assert runner.read_content(database_id=0, location_id=archive.first.pk, at=NOON) is None


class TestABudget:
    def test_is_kept_to(self, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "LEAST_BYTES", 1)

        counts = [read(archive) for _round in range(len(archive.contents))]

        assert max(counts) < len(archive.contents)
        assert states(archive) == dict.fromkeys(archive.contents, ReadingState.SOUND)


class TestARestore:
    def test_has_the_storage_to_itself(self, archive: Archive) -> None:
        job = RestoreJobFactory.create(
            database=archive.database, state=JobState.RUNNING, leased_until=NOON
        )

        assert read(archive) == 0
        assert set(states(archive).values()) == {ReadingState.UNREAD}
        RestoreJob.objects.filter(pk=job.pk).update(state=JobState.PAUSED, leased_until=None)
        assert read(archive) == len(archive.contents)

    def test_that_begins_ends_the_reading_of_an_object_in_the_middle(
        self, archive: Archive, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = iter([False, False])
        monkeypatch.setattr(reading, "GIVES_WAY_WITHIN", 0.2)
        monkeypatch.setattr(reading, "_restores_are_at_work", lambda: next(answers, True))
        fault_proxy.faults = Faults(bytes_per_second=MIB)

        assert read(archive) < len(archive.contents)
        assert states(archive)[DATA] == ReadingState.UNREAD


class TestALookThatIsAskedFor:
    @pytest.fixture(autouse=True)
    def catalogue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # What lies here is no archive that barman could read.
        monkeypatch.setattr(watching, "sync_backups", lambda **_said: None)

    def test_lists_the_storage_and_says_when(self, archive: Archive) -> None:
        read(archive)
        archive.remove(DATA)
        at = timezone.now()

        (stale,) = operations.check_now(
            database_id=archive.database.pk, at=at, names=[BackupCheckName.OBJECTS]
        )
        operations.list_now(database_id=archive.database.pk, at=at)
        (found,) = operations.check_now(
            database_id=archive.database.pk,
            at=at + timedelta(seconds=1),
            names=[BackupCheckName.OBJECTS],
        )

        # Without a listing it goes by the last one, and says so.
        assert stale.state == CheckState.OK
        assert stale.source is not None
        assert stale.source[1] < at
        assert (found.state, found.source) == (CheckState.CRITICAL, ("storage listed", at))
        assert "data.tar (missing)" in found.words

    def test_reads_no_content(self, archive: Archive) -> None:
        operations.list_now(database_id=archive.database.pk, at=timezone.now())

        assert set(states(archive).values()) == {ReadingState.UNREAD}

    def test_of_the_command_says_of_each_check_what_it_goes_by(
        self, archive: Archive, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            call_command("check_backups", archive.database.name, "--check", "OBJECTS", "--look")

        assert re.search(r"; storage listed \d{4}-\d\d-\d\d \d\d:\d\d UTC", capsys.readouterr().out)

    def test_that_finds_another_at_it_says_so(self, archive: Archive) -> None:
        other = connections.create_connection("default")
        try:
            with other.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_lock(%s, %s)", [reading._LOCK, archive.database.pk]
                )
            with pytest.raises(operations.BeingListed):
                operations.list_now(database_id=archive.database.pk, at=timezone.now())
        finally:
            other.close()
