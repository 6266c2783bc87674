"""What the checks say of one and of several, of what is in the way, and of what is meant so."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backups import operations, runner
from backups.models import (
    AlertRule,
    BackupAlert,
    BackupCheckName,
    BackupPolicy,
    CheckState,
    Database,
    Drill,
    DrillState,
    JobState,
    ObjectReading,
    PolicyChange,
    ProbeKind,
    ReadingState,
    ReplicaState,
    StorageLocation,
    StorageProbe,
)
from tests.backups.factories import (
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.backups.test_watching import daily, looked, nightly, read
from tests.factories import HOUR, NOON

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OK, WARNING, CRITICAL = CheckState.OK, CheckState.WARNING, CheckState.CRITICAL
Name = BackupCheckName


class TestTheSchedule:
    def test_of_one_backup_speaks_of_one(self) -> None:
        database = read()
        daily(database, created_at=NOON - DAY)

        missed = looked(database, Name.SCHEDULE)
        nightly(database, [0])
        taken = looked(database, Name.SCHEDULE)

        assert missed.words.startswith("The one backup that was last due was not taken, on ")
        assert taken.words == "The one backup that was last due was taken."

    def test_of_several_speaks_of_several(self) -> None:
        database = read()
        daily(database, created_at=NOON - 4 * DAY)
        nightly(database, [0, 1])

        assert looked(database, Name.SCHEDULE).words.startswith(
            "2 of the 4 backups that were last due were not taken, the last one of "
        )


class TestADrill:
    def _due(self, **values: Any) -> Database:
        database = read()
        target = RecoveryTargetFactory.create(name="scratch")
        daily(database, drill_schedule="0 4 * * *", drill_target=target, drill_due_at=NOON - HOUR)
        RestoreJobFactory.create(target=target, **values)
        return database

    def test_that_is_overdue_names_what_holds_its_target(self) -> None:
        database = self._due(database=DatabaseFactory.create(name="orders"))
        Drill.objects.create(
            database=database, target=RecoveryTargetFactory.create(), state=DrillState.PASSED,
            requested_at=NOON - 9 * DAY, ended_at=NOON - 9 * DAY, measured_seconds=60,
        )  # fmt: skip

        found = looked(database, Name.DRILL)

        assert found.state == WARNING
        assert "One is due, and its target scratch is taken by a restore of orders." in found.words
        assert "cancel_restore" in found.advice

    def test_that_was_never_held_names_what_has_stopped_there(self) -> None:
        database = self._due(
            database=DatabaseFactory.create(name="orders"), state=JobState.FAILED, failure_code="x"
        )

        found = looked(database, Name.DRILL)

        assert "its target scratch is held by Restore " in found.words
        assert "of orders, which has stopped there." in found.words

    def test_that_is_not_due_names_nothing(self) -> None:
        database = self._due()
        BackupPolicy.objects.update(drill_due_at=NOON + HOUR)

        assert "scratch" not in looked(database, Name.DRILL).words


def workaround(policy: BackupPolicy, version: int, *, days: int, why: str) -> PolicyChange:
    return PolicyChange.objects.create(
        policy=policy, version=version, at=NOON - 9 * DAY, why=why,
        review_on=(NOON + days * DAY).date(),
    )  # fmt: skip


class TestWorkarounds:
    def test_are_all_named_while_they_stand(self) -> None:
        database = read()
        policy = daily(database)
        workaround(policy, 2, days=3, why="Slow nights")
        workaround(policy, 3, days=2, why="No room at the replica")

        found = looked(database, Name.POLICY)

        assert found.state == OK
        assert found.words == (
            f"2 workarounds stand, until {(NOON + 2 * DAY).date()}: No room at the replica; "
            f"{(NOON + 3 * DAY).date()}: Slow nights."
        )

    def test_are_all_named_when_their_day_has_come_and_the_others_counted(self) -> None:
        database = read()
        policy = daily(database)
        workaround(policy, 2, days=-1, why="Slow nights")
        workaround(policy, 3, days=0, why="No room at the replica")
        workaround(policy, 4, days=7, why="Later")

        found = looked(database, Name.POLICY)

        assert found.state == WARNING
        assert found.words.startswith("2 workarounds were to be looked at again, on ")
        assert "Slow nights; " in found.words
        assert "No room at the replica." in found.words
        assert found.words.endswith("Another one stands until later.")

    def test_however_many_leave_room_for_what_they_cost(self) -> None:
        database = read()
        policy = daily(database)
        for version in range(2, 14):
            workaround(policy, version, days=-1, why="because of slow nights " * 40)

        found = looked(database, Name.POLICY)

        assert found.words.startswith("12 workarounds were")
        assert "and 6 more" in found.words
        assert len(found.words) < 350

    def test_without_an_incident_come_back_on_their_day_and_not_a_day_later(
        self, admin_client: Client
    ) -> None:
        # Never restored, so that there is no incident on which an action item could be hung.
        database = read()
        change = workaround(daily(database), 2, days=1, why="Slow nights")
        midnight = NOON.replace(hour=0, minute=0) + DAY
        only = [Name.POLICY]
        runner.ensure_rules(at=NOON)
        AlertRule.objects.exclude(states__contains=[WARNING]).delete()
        assert AlertRule.objects.get().lasts == DAY

        runner.check_database(database_id=database.pk, at=midnight - MINUTE, names=only)
        assert runner.follow_findings(at=midnight - MINUTE) == 0
        runner.check_database(database_id=database.pk, at=midnight + MINUTE, names=only)
        assert runner.hang_reviews(at=midnight + MINUTE) == 0
        assert runner.follow_findings(at=midnight + MINUTE) == 1

        alert = BackupAlert.objects.get()
        assert alert.about == Name.POLICY
        assert "Slow nights" in alert.words
        assert change.action_id is None

    def test_are_listed_on_the_dashboard_until_they_are_reviewed(
        self, admin_client: Client
    ) -> None:
        database = read(name="orders")
        change = workaround(daily(database), 2, days=-400, why="Slow nights")

        page = admin_client.get("/desk/backups/").content.decode()
        assert "To review" in page
        assert f"/desk/databases/{database.pk}/policy/" in page
        assert "Slow nights" in page
        operations.review_workaround(change_id=change.pk, words="Undone.", by=None, at=NOON)
        assert "To review" not in admin_client.get("/desk/backups/").content.decode()


def probed(location: StorageLocation, kind: ProbeKind, error: str = "") -> StorageProbe:
    return StorageProbe.objects.create(
        location=location, at=NOON - MINUTE, kind=kind, seconds=0.1, error=error
    )


class TestKeysThatOnlyRead:
    def test_are_a_warning_until_it_is_said_that_they_are_meant_to(self) -> None:
        database = read()
        probed(database.storage, ProbeKind.GET)
        probed(database.storage, ProbeKind.PUT, "denied")

        found = looked(database, Name.CREDENTIALS)
        assert found.state == WARNING
        assert "if they are only to read, say so at the location" in found.advice
        operations.change_storage_location(location_id=database.storage_id, is_read_only=True)

        database = Database.objects.get()
        found = looked(database, Name.CREDENTIALS)
        assert found.state == OK
        assert "They only read" in found.words

    def test_that_may_not_even_read_are_grave_all_the_same(self) -> None:
        database = read(storage=StorageLocationFactory.create(is_read_only=True))
        probed(database.storage, ProbeKind.LIST, "denied")

        assert looked(database, Name.CREDENTIALS).state == CRITICAL

    def test_get_no_copies(self) -> None:
        database = read()
        place = StorageLocationFactory.create(bucket="elsewhere", is_read_only=True)

        with pytest.raises(operations.PlaceOnlyRead):
            operations.replicate_backups(database_id=database.pk, location_id=place.pk, at=NOON)
        with pytest.raises(operations.PlaceOnlyRead):
            operations.begin_migration(database_id=database.pk, destination_id=place.pk, at=NOON)


class TestASecondPlace:
    def test_whose_bytes_are_damaged_is_told_though_nothing_is_missing(self) -> None:
        database = read()
        place = StorageLocationFactory.create(name="attic")
        daily(database, replicate_to=place)
        ReplicaState.objects.create(
            database=database, location=place, compared_at=NOON, objects_there=9
        )
        assert looked(database, Name.REPLICA).state == OK
        for number in range(2):
            ObjectReading.objects.create(
                database=database, location=place, key=f"far/main/{number}.tar", size=1,
                state=ReadingState.DAMAGED, read_at=NOON,
            )  # fmt: skip

        found = looked(database, Name.REPLICA)

        assert found.state == WARNING
        said = (
            "2 objects in attic hold other bytes than were stored: "
            "far/main/0.tar (other bytes), far/main/1.tar (other bytes)."
        )
        assert found.words == said
        # It says nothing of the archive itself.
        assert looked(database, Name.CONTENT).state == CheckState.UNKNOWN


class TestAStandingThatIsKept:
    def test_is_worked_out_again_when_what_it_rests_on_changes_and_each_hour(self) -> None:
        database = read(recovery_time_objective=2 * HOUR)
        RecoveryTargetFactory.create(write_bytes_per_second=4e8, server_version=170010)
        policy = daily(database)

        def of() -> str:
            policy.refresh_from_db()
            said: str = policy.standing["of"]
            return said

        looked(database, Name.POLICY)
        first = of()
        looked(database, Name.POLICY, later=timedelta(seconds=1))
        assert of() == first
        looked(database, Name.POLICY, later=HOUR)
        second = of()
        assert second != first
        nightly(database, [0])
        looked(database, Name.POLICY, later=HOUR)
        third = of()
        assert third != second
        RecoveryTargetFactory.create(port=6001)
        looked(database, Name.POLICY, later=HOUR)
        assert of() != third

    def test_costs_few_questions_however_much_there_is(self) -> None:
        database = read(recovery_time_objective=2 * HOUR)
        RecoveryTargetFactory.create(write_bytes_per_second=4e8, server_version=170010)
        policy = daily(database)
        nightly(database, range(5))

        def asked(later: timedelta) -> int:
            with CaptureQueriesContext(connection) as queries:
                runner.check_database(database_id=database.pk, at=NOON + later)
            return len(queries)

        asked(timedelta())
        few = asked(timedelta(seconds=1))
        nightly(database, range(5, 50))
        for version in range(2, 30):
            workaround(policy, version, days=5, why="because")
        asked(timedelta(seconds=2))

        assert few <= 26
        assert asked(timedelta(seconds=3)) <= few

    def test_of_databases_that_are_looked_at_together_asks_once_for_what_they_share(self) -> None:
        place = StorageLocationFactory.create()
        for number in range(6):
            daily(read(storage=place, archive_name=f"db{number}"))
        RecoveryTargetFactory.create()
        probed(place, ProbeKind.GET)

        with CaptureQueriesContext(connection) as queries:
            assert runner.check_databases(at=NOON) == 6

        asked = Counter(
            table
            for query in queries.captured_queries
            for table in ("storageprobe", "recoverytarget", "saturationwindow")
            if f'FROM "backups_{table}"' in query["sql"]
        )
        assert asked == {"storageprobe": 1, "recoverytarget": 1, "saturationwindow": 1}
