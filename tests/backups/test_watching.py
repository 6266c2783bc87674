"""Checks of backups: what each says, what it keeps, and that it never says ok without a look."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from backups import runner
from backups.errors import CredentialsRefused
from backups.models import (
    Backup,
    BackupCheck,
    BackupCheckChange,
    BackupCheckName,
    BackupJob,
    BackupKind,
    BackupPolicy,
    CheckState,
    Database,
    JobState,
    LossForecast,
    MaintenanceWindow,
    ObjectReading,
    PolicyChange,
    ReadingState,
    ReplicaState,
    SaturationWindow,
    StorageProbe,
    WindowSource,
)
from backups.runner.due import SKIPPED
from backups.runner.watching import CHECKS
from backups.runner.watching.base import Found, Subject
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CHECK = {check.name: check for check in CHECKS}
OK, WARNING = CheckState.OK, CheckState.WARNING
CRITICAL, UNKNOWN = CheckState.CRITICAL, CheckState.UNKNOWN


def looked(database: Database, name: BackupCheckName, *, later: timedelta = timedelta()) -> Found:
    database.refresh_from_db()
    return CHECK[name].look(Subject(database, at=NOON + later))


def read(database: Database | None = None, **values: Any) -> Database:
    """Return a database whose archive was read just now."""
    values = {"synced_at": NOON, "latest_restorable_at": NOON - MINUTE, **values}
    values.setdefault("earliest_restorable_at", NOON - 40 * DAY)
    return DatabaseFactory.create(**values)


def daily(database: Database, **values: Any) -> BackupPolicy:
    """Return a policy of a full backup every day at 02:00, as it stands for two months."""
    values = {"full_schedule": "0 2 * * *", "created_at": NOON - 60 * DAY, **values}
    return BackupPolicy.objects.create(database=database, **values)


def nightly(database: Database, days: Sequence[int], **values: Any) -> list[Backup]:
    """Take a full backup at 02:00 so many days ago."""
    return [
        BackupFactory.create(
            database=database,
            label=f"night-{day}",
            began_at=NOON - 10 * HOUR - day * DAY,
            ended_at=NOON - 10 * HOUR - day * DAY + 20 * MINUTE,
            reaches_until_at=NOON - MINUTE,
            stored_bytes=100_000_000,
            **values,
        )
        for day in days
    ]


class TestEvery:
    def test_of_an_empty_database_none_says_ok_that_it_is_well(self) -> None:
        database = DatabaseFactory.create()

        rows = runner.check_database(database_id=database.pk, at=NOON)

        well = {row.name for row in rows if row.state == OK}
        # Nothing was decided that could be broken.
        assert well == {BackupCheckName.RETENTION, BackupCheckName.ENCRYPTION}
        assert all(row.is_unasked for row in rows if row.state == OK)
        assert all(row.advice for row in rows if row.state != OK)
        assert {row.name for row in rows} == set(CHECK)

    def test_that_stumbles_is_unknown_and_keeps_no_other_from_looking(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = DatabaseFactory.create()

        def fail(_subject: Subject) -> Found:
            raise CredentialsRefused

        def stumble(_subject: Subject) -> Found:
            raise ZeroDivisionError

        monkeypatch.setattr(CHECK[BackupCheckName.SIZE], "look", fail)
        monkeypatch.setattr(CHECK[BackupCheckName.DURATION], "look", stumble)

        rows = {row.name: row for row in runner.check_database(database_id=database.pk, at=NOON)}

        assert rows[BackupCheckName.SIZE].state == UNKNOWN
        assert "refused the credentials" in rows[BackupCheckName.SIZE].advice
        assert rows[BackupCheckName.DURATION].state == UNKNOWN
        assert rows[BackupCheckName.FULL_FRESH].words == "The archive was never read."

    def test_keeps_since_when_and_each_change(self) -> None:
        database = read()
        names = [BackupCheckName.FULL_FRESH]

        for minutes in (0, 5):
            runner.check_database(database_id=database.pk, at=NOON + minutes * MINUTE, names=names)
        nightly(database, [0])
        runner.check_database(database_id=database.pk, at=NOON + 10 * MINUTE, names=names)

        row = BackupCheck.objects.get()
        assert (row.state, row.since_at) == (OK, NOON + 10 * MINUTE)
        changes = BackupCheckChange.objects.order_by("at").values_list("state", "at")
        assert list(changes) == [(CRITICAL, NOON), (OK, NOON + 10 * MINUTE)]

    def test_that_looked_later_is_not_overwritten_by_one_that_comes_late(self) -> None:
        database = read()
        names = [BackupCheckName.FULL_FRESH]
        nightly(database, [0])
        runner.check_database(database_id=database.pk, at=NOON + HOUR, names=names)

        runner.check_database(database_id=database.pk, at=NOON, names=names)

        assert BackupCheck.objects.get().looked_at == NOON + HOUR

    def test_costs_as_many_queries_with_many_backups(
        self, django_assert_max_num_queries: Any
    ) -> None:
        database = read()
        daily(database)
        nightly(database, range(50))

        with django_assert_max_num_queries(32):
            runner.check_database(database_id=database.pk, at=NOON)


class TestFullFresh:
    def test_follows_the_schedule(self) -> None:
        database = read()
        daily(database)
        nightly(database, [0])

        assert looked(database, BackupCheckName.FULL_FRESH).state == OK
        database.synced_at = NOON + 20 * HOUR
        database.save()
        assert looked(database, BackupCheckName.FULL_FRESH, later=20 * HOUR).state == WARNING
        database.synced_at = NOON + 2 * DAY
        database.save()
        assert looked(database, BackupCheckName.FULL_FRESH, later=2 * DAY).state == CRITICAL

    def test_an_incremental_one_is_not_a_full_one(self) -> None:
        database = read()
        nightly(database, [0], kind=BackupKind.INCREMENTAL)

        found = looked(database, BackupCheckName.FULL_FRESH)

        assert (found.state, "Take one now" in found.advice) == (CRITICAL, True)

    def test_an_archive_that_nobody_read_for_long_is_unknown(self) -> None:
        database = read()
        nightly(database, [0])

        found = looked(database, BackupCheckName.FULL_FRESH, later=2 * DAY)

        assert found.state == UNKNOWN
        assert "last read 2 d" in found.words


class TestScheduleKept:
    def test_all_taken_is_ok(self) -> None:
        database = read()
        daily(database)
        nightly(database, range(9))

        assert looked(database, BackupCheckName.SCHEDULE).state == OK

    def test_one_missed_is_a_warning_and_the_last_ones_are_critical(self) -> None:
        database = read()
        daily(database)
        nightly(database, [0, 1, 3, 4, 5, 6, 7])

        found = looked(database, BackupCheckName.SCHEDULE)

        assert (found.state, found.evidence["missed"]) == (WARNING, 1)
        Backup.objects.filter(label__in=["night-0", "night-1"]).delete()
        assert looked(database, BackupCheckName.SCHEDULE).state == CRITICAL

    def test_a_maintenance_window_excuses(self) -> None:
        database = read()
        policy = daily(database)
        nightly(database, range(1, 9))
        MaintenanceWindow.objects.create(
            policy=policy, schedule="0 1 * * *", lasts=2 * HOUR, reason="Vendor's work"
        )

        found = looked(database, BackupCheckName.SCHEDULE)

        assert (found.state, "maintenance window" in found.words) == (OK, True)

    def test_one_that_was_left_out_for_another_says_so(self) -> None:
        database = read()
        daily(database)
        nightly(database, [0, 1, 3, 4, 5, 6, 7])
        due = NOON - 10 * HOUR - 2 * DAY
        BackupJob.objects.create(
            database=database, label="planned", state=JobState.CANCELLED, failure_code=SKIPPED,
            requested_at=due + 20 * MINUTE, queued_at=due, ended_at=due + 20 * MINUTE,
        )  # fmt: skip

        found = looked(database, BackupCheckName.SCHEDULE)

        assert (found.state, found.evidence["skipped"]) == (WARNING, 1)
        assert "another was at work" in found.words
        assert "plan them further apart" in found.advice

    def test_moments_before_the_schedule_was_set_do_not_count(self) -> None:
        database = read()
        policy = daily(database)
        PolicyChange.objects.create(
            policy=policy, version=2, at=NOON - HOUR, why="daily now",
            changes={"full_schedule": ["Sundays", "every day"]},
        )  # fmt: skip

        assert looked(database, BackupCheckName.SCHEDULE).state == OK


class TestLog:
    def test_a_hole_behind_the_newest_backup_is_critical_and_named(self) -> None:
        database = read()
        nightly(database, [1])
        nightly(database, [0], log_missing="0000000100000000000000A7")

        found = looked(database, BackupCheckName.LOG_WHOLE)

        assert found.state == CRITICAL
        assert "0000000100000000000000A7" in found.words

    def test_a_hole_behind_an_older_one_is_a_warning(self) -> None:
        database = read()
        nightly(database, [0])
        nightly(database, [1], log_missing="0000000100000000000000A7")

        assert looked(database, BackupCheckName.LOG_WHOLE).state == WARNING

    def test_is_late_by_the_objective(self) -> None:
        database = read(
            latest_restorable_at=NOON - 20 * MINUTE, recovery_point_objective=15 * MINUTE
        )
        nightly(database, [0])

        assert looked(database, BackupCheckName.LOG_FRESH).state == CRITICAL
        database.recovery_point_objective = 30 * MINUTE
        database.save()
        assert looked(database, BackupCheckName.LOG_FRESH).state == OK
        assert looked(database, BackupCheckName.LOG_FRESH, later=DAY).state == UNKNOWN


class TestAsUsual:
    def test_a_backup_of_half_the_size_is_told(self) -> None:
        database = read()
        newest, *_earlier = nightly(database, range(8))
        assert looked(database, BackupCheckName.SIZE).state == OK

        newest.stored_bytes = 45_000_000
        newest.save()

        found = looked(database, BackupCheckName.SIZE)
        assert (found.state, found.evidence["usual"]) == (WARNING, "100 MB")

    def test_one_that_took_four_times_as_long_is_told(self) -> None:
        database = read()
        newest, *_earlier = nightly(database, range(8))
        newest.ended_at = newest.began_at + 80 * MINUTE
        newest.save()

        assert looked(database, BackupCheckName.DURATION).state == WARNING

    def test_too_few_say_nothing(self) -> None:
        database = read()
        nightly(database, range(2))

        assert "too few" in looked(database, BackupCheckName.SIZE).words


class TestStored:
    def reading(self, database: Database, **values: Any) -> None:
        ObjectReading.objects.create(
            database=database,
            location=database.storage,
            size=10,
            **{"key": "main/data.tar", "state": ReadingState.SOUND, "read_at": NOON, **values},
        )

    def test_a_missing_and_a_damaged_object_are_named(self) -> None:
        database = read()
        self.reading(database, key="one", state=ReadingState.MISSING)
        self.reading(database, key="two", state=ReadingState.DAMAGED, damaged_from=4096)

        missing = looked(database, BackupCheckName.OBJECTS)
        damaged = looked(database, BackupCheckName.CONTENT)

        assert (missing.state, missing.evidence["named"]) == (
            CRITICAL, [{"key": "one", "what": "missing"}]
        )  # fmt: skip
        assert (damaged.state, "two (damaged from byte 4,096 on)" in damaged.words) == (
            CRITICAL,
            True,
        )

    def test_each_of_many_is_named_with_what_is_wrong_with_it(self) -> None:
        database = read()
        for number in range(120):
            self.reading(database, key=f"lost/{number:03}", state=ReadingState.MISSING)
        self.reading(database, key="a/resized", state=ReadingState.RESIZED)
        self.reading(database, key="a/first", state=ReadingState.DAMAGED, damaged_from=0)
        self.reading(database, key="a/second", state=ReadingState.DAMAGED)

        lost = looked(database, BackupCheckName.OBJECTS)
        damaged = looked(database, BackupCheckName.CONTENT)

        assert "a/resized (of another size), lost/000 (missing)" in lost.words
        assert lost.words.endswith("lost/003 (missing) and 116 more.")
        named = lost.evidence["named"]
        assert isinstance(named, list)
        assert len(named) == 100
        assert "a/first (damaged from byte 0 on), a/second (other bytes)." in damaged.words

    def test_bytes_unread_for_longer_than_decided_are_told(self) -> None:
        database = read()
        self.reading(database, read_at=NOON - 31 * DAY)

        assert looked(database, BackupCheckName.CONTENT).state == WARNING
        daily(database, read_all_within=60 * DAY)
        assert looked(database, BackupCheckName.CONTENT).state == OK

    def test_a_replica_that_lags_or_was_never_compared_is_not_ok(self) -> None:
        database = read()
        second = StorageLocationFactory.create()
        assert looked(database, BackupCheckName.REPLICA).state == WARNING
        daily(database, replicate_to=second, replica_lag_at_most=HOUR)
        assert looked(database, BackupCheckName.REPLICA).state == UNKNOWN

        row = ReplicaState.objects.create(database=database, location=second, compared_at=NOON)
        assert looked(database, BackupCheckName.REPLICA).state == OK
        row.missing_objects, row.behind_since_at = 3, NOON - 90 * MINUTE
        row.save()
        assert looked(database, BackupCheckName.REPLICA).state == WARNING
        assert looked(database, BackupCheckName.REPLICA, later=HOUR).state == CRITICAL
        assert looked(database, BackupCheckName.REPLICA, later=2 * DAY).state == UNKNOWN

    def probe(self, database: Database, **values: Any) -> None:
        StorageProbe.objects.create(
            location=database.storage,
            **{"at": NOON, "kind": "GET", "seconds": 0.1, **values},
        )

    @pytest.mark.parametrize(
        ("values", "state"),
        [
            ({}, OK),
            ({"error": "denied"}, CRITICAL),
            ({"error": "denied", "kind": "PUT"}, WARNING),
            ({"error": "silent"}, UNKNOWN),
            ({"at": NOON - 3 * HOUR}, UNKNOWN),
        ],
    )
    def test_keys_are_as_good_as_what_the_storage_last_said(
        self, values: dict[str, Any], state: CheckState
    ) -> None:
        database = read()
        self.probe(database, **values)

        assert looked(database, BackupCheckName.CREDENTIALS).state == state

    def test_keys_that_end_soon_are_told(self) -> None:
        database = read()
        self.probe(database)
        database.storage.credentials_expire_at = NOON + DAY
        database.storage.save()

        assert looked(database, BackupCheckName.CREDENTIALS).state == WARNING
        assert looked(database, BackupCheckName.CREDENTIALS, later=HOUR).state == WARNING

    @pytest.mark.parametrize(
        ("ahead", "state"), [(2.0, OK), (-90.0, WARNING), (900.0, CRITICAL), (None, UNKNOWN)]
    )
    def test_clocks_are_compared(self, ahead: float | None, state: CheckState) -> None:
        database = read()
        self.probe(database, clock_ahead_seconds=ahead)

        assert looked(database, BackupCheckName.CLOCK).state == state


class TestWeather:
    def test_a_window_that_a_backup_runs_into_is_told_with_what_to_do(self) -> None:
        database = read()
        assert looked(database, BackupCheckName.WEATHER).state == UNKNOWN
        StorageProbe.objects.create(
            location=database.storage, at=NOON, kind="GET", seconds=0.1, first_byte_seconds=0.1
        )
        assert looked(database, BackupCheckName.WEATHER).state == OK
        SaturationWindow.objects.create(
            location=database.storage, source=WindowSource.DETECTED, from_minute=0,
            until_minute=360, slower=4.0, error_share=0.11, since_at=NOON - 9 * DAY,
        )  # fmt: skip
        found = looked(database, BackupCheckName.WEATHER)
        assert (found.state, "4" in found.words) == (OK, True)

        daily(database)

        found = looked(database, BackupCheckName.WEATHER)
        assert found.state == WARNING
        assert "Plan them for other hours" in found.advice


class TestRecovery:
    def test_a_target_has_to_be_seen_free_and_fit(self) -> None:
        database = read()
        nightly(database, [0])
        assert looked(database, BackupCheckName.TARGETS).state == CRITICAL
        target = RecoveryTargetFactory.create()
        assert looked(database, BackupCheckName.TARGETS).state == UNKNOWN

        target.probed_at, target.server_version, target.free_bytes = NOON, 170010, 10**12
        target.save()
        assert looked(database, BackupCheckName.TARGETS).state == OK
        target.free_bytes = 1000
        target.save()
        found = looked(database, BackupCheckName.TARGETS)
        assert (found.state, "too little room" in found.words) == (CRITICAL, True)

    @pytest.mark.parametrize(
        ("middle", "state"), [(3600, OK), (3 * 3600, WARNING), (9 * 3600, CRITICAL)]
    )
    def test_a_forecast_is_compared_with_the_objective(
        self, middle: float, state: CheckState
    ) -> None:
        database = read(recovery_time_objective=4 * HOUR)
        LossForecast.objects.create(
            database=database, at=NOON, loss_seconds=60, low_seconds=middle / 2,
            middle_seconds=middle, high_seconds=middle * 2, plan_words="the plan",
        )  # fmt: skip

        found = looked(database, BackupCheckName.FORECAST)

        assert found.state == (OK if middle * 2 <= 4 * 3600 else state)
        assert looked(database, BackupCheckName.FORECAST, later=2 * HOUR).state == UNKNOWN

    def test_a_workaround_comes_back_on_its_day(self) -> None:
        database = read()
        assert looked(database, BackupCheckName.POLICY).state == WARNING
        policy = daily(database)
        PolicyChange.objects.create(
            policy=policy, version=2, at=NOON - DAY, why="storage is slow",
            effect_words="Replay grows from 1 to 7 days.", review_on=(NOON + 3 * DAY).date(),
        )  # fmt: skip

        assert looked(database, BackupCheckName.POLICY).state == OK
        found = looked(database, BackupCheckName.POLICY, later=3 * DAY)
        assert found.state == WARNING
        assert "storage is slow" in found.words
        assert "Replay grows" in found.advice

    def test_one_that_is_being_restored_is_not_told_to_be_beyond_help(self) -> None:
        database = read(recovery_time_objective=4 * HOUR)
        LossForecast.objects.create(database=database, at=NOON, plan_words="Nothing is free.")
        assert looked(database, BackupCheckName.FORECAST).state == CRITICAL

        restore = RestoreJobFactory.create(database=database)

        found = looked(database, BackupCheckName.FORECAST)
        assert found.state == WARNING
        assert str(restore) in found.words
        assert "Nothing is free." in found.advice
