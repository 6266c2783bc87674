"""Checks when the storage is away, chains break and places are taken: no ok without knowledge."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backups import runner
from backups.models import (
    Backup,
    BackupCheck,
    BackupCheckName,
    BackupJob,
    BackupKind,
    CheckState,
    Database,
    Drill,
    DrillState,
    JobState,
    ObjectReading,
    PolicyChange,
    ReadingState,
    ReplicaState,
    RestoreJob,
    StorageProbe,
)
from backups.runner.watching import look
from backups.runner.watching.base import Found, Subject, critical
from tests.backups.factories import BackupFactory, RecoveryTargetFactory, StorageLocationFactory
from tests.backups.test_watching import CHECK, daily, looked, nightly, read
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OK, WARNING = CheckState.OK, CheckState.WARNING
CRITICAL, UNKNOWN = CheckState.CRITICAL, CheckState.UNKNOWN


class TestAStorageThatIsAway:
    @pytest.mark.parametrize(
        "name",
        [
            BackupCheckName.FULL_FRESH,
            BackupCheckName.SCHEDULE,
            BackupCheckName.LOG_WHOLE,
            BackupCheckName.LOG_FRESH,
            BackupCheckName.SIZE,
            BackupCheckName.DURATION,
            BackupCheckName.RETENTION,
        ],
    )
    def test_what_was_read_hours_ago_is_not_known_now(self, name: BackupCheckName) -> None:
        database = read(latest_restorable_at=NOON)
        daily(database, keep_fulls=2, keep_for=2 * DAY)
        nightly(database, range(9))
        assert looked(database, name).state == OK

        found = looked(database, name, later=2 * HOUR)

        assert (found.state, "2 h 00 min ago" in found.words) == (UNKNOWN, True)

    def test_a_log_of_an_archive_that_was_not_read_twice_in_a_row_is_not_known(self) -> None:
        database = read(latest_restorable_at=NOON, recovery_point_objective=HOUR)
        nightly(database, [0])

        assert looked(database, BackupCheckName.LOG_FRESH, later=10 * MINUTE).state == OK
        assert looked(database, BackupCheckName.LOG_FRESH, later=11 * MINUTE).state == UNKNOWN

    def test_objects_that_nobody_looked_at_for_days_are_not_known(self) -> None:
        database = read()
        ObjectReading.objects.create(
            database=database, location=database.storage, key="one", size=1,
            state=ReadingState.SOUND, read_at=NOON,
        )  # fmt: skip

        assert looked(database, BackupCheckName.OBJECTS, later=DAY).state == OK
        assert looked(database, BackupCheckName.OBJECTS, later=3 * DAY).state == UNKNOWN

    def test_a_replica_compared_long_ago_is_not_known(self) -> None:
        database = read()
        second = StorageLocationFactory.create()
        daily(database, replicate_to=second, replica_lag_at_most=HOUR)
        ReplicaState.objects.create(database=database, location=second, compared_at=NOON)

        assert looked(database, BackupCheckName.REPLICA, later=2 * HOUR).state == UNKNOWN

    def test_an_old_answer_does_not_outweigh_silence_now(self) -> None:
        database = read()
        probe(database, kind="RANGE", at=NOON - 5 * HOUR)
        probe(database, kind="LIST", error="silent")

        assert looked(database, BackupCheckName.CREDENTIALS).state == UNKNOWN
        assert looked(database, BackupCheckName.WEATHER).state == UNKNOWN

    def test_an_answer_that_told_nothing_is_not_what_it_goes_by(self) -> None:
        database = read()
        probe(database, kind="RANGE", at=NOON - 4 * MINUTE)
        probe(database, kind="PUT", error="slow-down")

        [row] = runner.check_database(
            database_id=database.pk, at=NOON, names=[BackupCheckName.CREDENTIALS]
        )

        assert row.state == OK
        assert row.source == ("storage probed", NOON - 4 * MINUTE)

    def test_an_old_refusal_does_not_outweigh_an_answer_now(self) -> None:
        database = read()
        probe(database, kind="RANGE", at=NOON - 5 * HOUR, error="denied")
        probe(database, kind="LIST")

        assert looked(database, BackupCheckName.CREDENTIALS).state == OK
        # Writing is tried once a day: its refusal stands as long.
        probe(database, kind="PUT", at=NOON - 20 * HOUR, error="denied")
        assert looked(database, BackupCheckName.CREDENTIALS).state == WARNING


def probe(database: Database, **values: Any) -> None:
    StorageProbe.objects.create(
        location=database.storage, **{"at": NOON, "kind": "GET", "seconds": 0.1, **values}
    )


class TestChains:
    def test_a_full_one_behind_many_incremental_ones_is_found(self) -> None:
        database = read()
        nightly(database, [3])
        for number in range(65):
            began = NOON - 66 * HOUR + number * HOUR
            BackupFactory.create(
                database=database, kind=BackupKind.INCREMENTAL, began_at=began,
                ended_at=began + MINUTE,
            )  # fmt: skip

        found = looked(database, BackupCheckName.FULL_FRESH)

        assert "night-3" in found.words

    def test_an_incremental_one_whose_parent_is_gone_is_named(self) -> None:
        database = read()
        parent, *_rest = nightly(database, [1])
        nightly(database, [0], kind=BackupKind.INCREMENTAL, parent_engine_id=parent.engine_id)
        ObjectReading.objects.create(
            database=database, location=database.storage, key="one", size=1,
            state=ReadingState.SOUND, read_at=NOON,
        )  # fmt: skip
        assert looked(database, BackupCheckName.OBJECTS).state == OK

        Backup.objects.filter(pk=parent.pk).update(vanished_at=NOON)

        found = looked(database, BackupCheckName.OBJECTS)
        assert found.state == CRITICAL
        assert f"night-0 builds on {parent.engine_id}, which is gone." in found.words

    def test_an_incremental_one_does_not_keep_the_schedule_of_full_ones(self) -> None:
        database = read()
        daily(database)
        nightly(database, range(1, 9))
        nightly(database, [0], kind=BackupKind.INCREMENTAL)

        found = looked(database, BackupCheckName.SCHEDULE)

        assert (found.state, found.evidence["missed"]) == (WARNING, 1)
        assert "was not taken" in found.words

    def test_one_that_is_being_taken_is_not_missed(self) -> None:
        database = read()
        daily(database)
        nightly(database, range(1, 9))
        BackupJob.objects.create(
            database=database, label="tonight", state=JobState.RUNNING,
            requested_at=NOON - 10 * HOUR, queued_at=NOON, leased_until=NOON + HOUR,
            leased_by="here:1:a",
        )  # fmt: skip

        assert looked(database, BackupCheckName.SCHEDULE).state == OK


class TestLogInACopy:
    def test_a_file_that_a_copy_has_is_a_warning_that_names_the_copy(self) -> None:
        database = read()
        copy = StorageLocationFactory.create(name="second")
        [backup] = nightly(database, [0], log_missing="0000000100000000000000A7")
        assert looked(database, BackupCheckName.LOG_WHOLE).state == CRITICAL

        backup.reaches_elsewhere = {str(copy.pk): NOON.isoformat()}
        backup.save()
        found = looked(database, BackupCheckName.LOG_WHOLE)
        assert (found.state, "but from second" in found.words) == (WARNING, True)

        backup.reaches_until_at = None
        backup.save()
        found = looked(database, BackupCheckName.LOG_WHOLE)
        assert (found.state, "second has it" in found.words) == (WARNING, True)


class TestRetention:
    def test_a_backup_deleted_by_hand_is_named(self) -> None:
        database = read()
        daily(database, keep_for=30 * DAY)
        nightly(database, range(20))
        Backup.objects.filter(label="night-5").update(vanished_at=NOON)

        found = looked(database, BackupCheckName.RETENTION)

        assert (found.state, "night-5 gone" in found.words) == (WARNING, True)

    def test_a_longer_time_decided_today_blames_nobody_for_yesterday(self) -> None:
        database = read(earliest_restorable_at=NOON - 7 * DAY)
        policy = daily(database, keep_for=30 * DAY)
        nightly(database, range(7))
        assert looked(database, BackupCheckName.RETENTION).state == WARNING

        PolicyChange.objects.create(
            policy=policy, version=2, at=NOON - HOUR, why="longer",
            changes={"keep_for": ["7 days", "30 days"]},
        )  # fmt: skip

        assert looked(database, BackupCheckName.RETENTION).state == OK

    def test_counts_more_full_ones_than_a_check_reads(self) -> None:
        database = read()
        daily(database, keep_fulls=70, created_at=NOON - 100 * DAY)
        nightly(database, range(70))

        found = looked(database, BackupCheckName.RETENTION)

        assert (found.state, found.evidence["fulls"]) == (OK, 70)


class TestPlaces:
    def ready(self) -> tuple[Database, Any]:
        database = read()
        nightly(database, [0])
        target = RecoveryTargetFactory.create(
            name="spare", probed_at=NOON, server_version=170010, free_bytes=10**12
        )
        return database, target

    def test_one_that_a_drill_has_is_not_ready_but_no_emergency(self) -> None:
        database, target = self.ready()
        assert looked(database, BackupCheckName.TARGETS).state == OK
        RestoreJob.objects.create(
            database=database, target=target, is_scratch=True, requested_at=NOON, queued_at=NOON
        )

        found = looked(database, BackupCheckName.TARGETS)

        assert (found.state, "is taken by a drill of" in found.words) == (WARNING, True)

    def test_a_drill_whose_cluster_nobody_takes_away_is_told(self) -> None:
        database, target = self.ready()
        job = RestoreJob.objects.create(
            database=database, target=target, is_scratch=True, state=JobState.SUCCEEDED,
            requested_at=NOON, queued_at=NOON, ended_at=NOON + HOUR,
        )  # fmt: skip
        drill = Drill.objects.create(
            database=database, target=target, restore=job, state=DrillState.CLEARING,
            requested_at=NOON,
        )  # fmt: skip
        assert "No drill was ever held" in looked(database, BackupCheckName.DRILL).words

        found = looked(database, BackupCheckName.DRILL, later=3 * HOUR)

        assert found.state == WARNING
        assert f"{drill} is proven, but its cluster still stands on spare" in found.words
        assert "still has the cluster" in looked(database, BackupCheckName.TARGETS).words

    def test_a_drill_of_another_engine_or_version_proves_nothing_of_today(self) -> None:
        database, target = self.ready()
        [old] = nightly(database, [3], server_version=160004)
        Drill.objects.create(
            database=database, target=target, backup=old, state=DrillState.PASSED,
            requested_at=NOON - DAY, ended_at=NOON - DAY + HOUR, measured_seconds=60,
        )  # fmt: skip

        found = looked(database, BackupCheckName.DRILL)

        assert (found.state, "PostgreSQL 16" in found.words) == (WARNING, True)
        Backup.objects.filter(pk=old.pk).update(server_version=170010)
        assert looked(database, BackupCheckName.DRILL).state == OK


class TestEncryption:
    def test_is_what_the_storage_says_of_an_object(self) -> None:
        database = read()
        policy = daily(database)
        assert looked(database, BackupCheckName.ENCRYPTION).state == OK
        policy.wants_encryption = True
        policy.save()
        assert looked(database, BackupCheckName.ENCRYPTION).state == UNKNOWN

        probe(database, kind="RANGE", encryption="AES256")
        found = looked(database, BackupCheckName.ENCRYPTION)
        assert (found.state, "AES256" in found.words) == (OK, True)
        assert looked(database, BackupCheckName.ENCRYPTION, later=3 * HOUR).state == UNKNOWN

        StorageProbe.objects.update(encryption="")
        assert looked(database, BackupCheckName.ENCRYPTION).state == CRITICAL
        StorageProbe.objects.update(error="silent")
        assert looked(database, BackupCheckName.ENCRYPTION).state == UNKNOWN


class TestAll:
    def test_one_that_cannot_be_looked_at_keeps_no_other_from_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, gone, last = read(), read(), read()
        whole = look.check_database

        def stumble(*, database_id: int, **values: Any) -> Any:
            if database_id == first.pk:
                raise ZeroDivisionError
            if database_id == gone.pk:
                Database.objects.get(pk=0)
            return whole(database_id=database_id, **values)

        monkeypatch.setattr(look, "check_database", stumble)

        assert runner.check_databases(at=NOON) == 1
        assert set(BackupCheck.objects.values_list("database", flat=True)) == {last.pk}

    def test_words_that_are_too_long_show_that_they_were_cut(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = read()

        def tell(_subject: Subject) -> Found:
            return critical("w" * 900, "a" * 900)

        monkeypatch.setattr(CHECK[BackupCheckName.POLICY], "look", tell)

        [row] = runner.check_database(
            database_id=database.pk, at=NOON, names=[BackupCheckName.POLICY]
        )

        assert (len(row.words), row.words[-1]) == (500, "…")
        assert (len(row.advice), row.advice[-1]) == (500, "…")


def test_the_command_says_unknown_of_a_database_that_nobody_knows() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("check_backups", "nothing-of-this-name")

    # 1 would tell a monitoring system that it was looked at, and warns.
    assert caught.value.returncode == 3
