"""Drills: real restores that are verified, timed, judged and taken away again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backups import operations, queries, runner
from backups.models import (
    Backup,
    BackupPolicy,
    Drill,
    DrillAlarm,
    DrillState,
    JobState,
    RestoreJob,
    RestoreStep,
)
from backups.options import Facts
from backups.runner import drills
from backups.runner.alerting.declaring import declare_once
from config.embedded.fault_proxy import FaultProxy
from incidents.models import Incident
from incidents.values import IncidentKind, Visibility
from tests.backups.factories import BackupFactory, DatabaseFactory, RecoveryTargetFactory
from tests.factories import HOUR, NOON
from tests.protected import Protected, Rooms, rooms_for


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        operations.sync_backups(database_id=found.database.pk, at=timezone.now())
        yield found


@pytest.mark.django_db(transaction=True)
class TestARealOne:
    def test_restores_verifies_times_and_leaves_nothing(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        at = timezone.now()
        drill = operations.hold_drill(
            database_id=rooms.database.pk, target_id=rooms.target.pk, at=at, by_worker=False
        )
        assert drill.restore is not None

        runner.run_restore(restore_id=drill.restore.pk, now=timezone.now)
        assert rooms.postgres.is_running()
        [(pk, queue)] = runner.advance_drills(at=timezone.now())
        runner.clear_drill(drill_id=pk, at=timezone.now())

        drill.refresh_from_db()
        assert (drill.state, queue) == (DrillState.PASSED, rooms.target.queue)
        assert drill.measured_seconds is not None
        assert drill.measured_seconds > 0
        assert not Path(rooms.target.data_dir).exists()
        assert not (Path(rooms.target.work_dir) / drill.restore.key).exists()
        assert not rooms.postgres.is_running()
        # What it took teaches the estimates, and it stands as the proof that customers read.
        assert RestoreStep.objects.filter(job=drill.restore).count() >= 5
        assert runner.sync_catalogue(database_id=rooms.database.pk, at=timezone.now())
        again = operations.hold_drill(
            database_id=rooms.database.pk, target_id=rooms.target.pk, at=at, by_worker=False
        )
        assert again.restore != drill.restore

    def test_called_off_after_its_cluster_was_opened_leaves_nothing_either(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        drill = operations.hold_drill(
            database_id=rooms.database.pk, target_id=rooms.target.pk, at=timezone.now(),
            by_worker=False,
        )  # fmt: skip
        assert drill.restore is not None
        runner.run_restore(restore_id=drill.restore.pk, now=timezone.now)
        assert rooms.postgres.is_running()
        # As if its worker had died before it could say that it was done.
        RestoreJob.objects.update(state=JobState.QUEUED, ended_at=None, queued_at=timezone.now())

        operations.cancel_drill(drill_id=drill.pk, at=timezone.now())
        runner.run_restore(restore_id=drill.restore.pk, now=timezone.now)
        runner.advance_drills(at=timezone.now())

        drill.refresh_from_db()
        assert drill.state == DrillState.CANCELLED
        assert not rooms.postgres.is_running()
        assert not Path(rooms.target.data_dir).exists()

    def test_that_cannot_be_restored_fails_with_the_reason_and_is_taken_back(
        self, protected: Protected, rooms: Rooms
    ) -> None:
        BackupPolicy.objects.create(
            database=rooms.database, drill_alarm=DrillAlarm.DRILL, created_at=NOON
        )
        drill = operations.hold_drill(
            database_id=rooms.database.pk, target_id=rooms.target.pk, at=timezone.now(),
            by_worker=False,
        )  # fmt: skip
        assert drill.restore is not None
        rooms.database.archive_name = "nothing-there"
        rooms.database.save()

        runner.run_restore(restore_id=drill.restore.pk, now=timezone.now)
        runner.advance_drills(at=timezone.now())

        drill.refresh_from_db()
        drill.restore.refresh_from_db()
        assert drill.state == DrillState.FAILED
        assert drill.words
        assert drill.restore.cancel_requested_at is not None
        incident = Incident.objects.get()
        assert drill.incident == incident
        assert (incident.kind, incident.visibility) == (IncidentKind.DRILL, Visibility.INTERNAL)
        runner.run_restore(restore_id=drill.restore.pk, now=timezone.now)
        drill.restore.refresh_from_db()
        assert drill.restore.state == JobState.CANCELLED


@pytest.mark.django_db
class TestHolding:
    def test_wants_a_backup_a_place_and_peace(self) -> None:
        database = DatabaseFactory.create()
        target = RecoveryTargetFactory.create()
        with pytest.raises(operations.NoDrillTarget):
            operations.hold_drill(database_id=database.pk, at=NOON)
        with pytest.raises(operations.NoBackup):
            operations.hold_drill(database_id=database.pk, target_id=target.pk, at=NOON)
        BackupFactory.create(database=database)
        BackupPolicy.objects.create(database=database, drill_target=target, created_at=NOON)

        drill = operations.hold_drill(database_id=database.pk, at=NOON)

        other = RecoveryTargetFactory.create()
        with pytest.raises(operations.DrillRuns):
            operations.hold_drill(database_id=database.pk, target_id=other.pk, at=NOON)
        second = BackupFactory.create().database
        with pytest.raises(operations.TargetBusy):
            operations.hold_drill(database_id=second.pk, target_id=target.pk, at=NOON)
        assert queries.drill(drill.pk).restore is not None
        assert RestoreJob.objects.count() == 1

    def test_called_off_ends_as_called_off(self) -> None:
        drill = held()

        operations.cancel_drill(drill_id=drill.pk, at=NOON)
        RestoreJob.objects.update(state=JobState.CANCELLED, ended_at=NOON)
        runner.advance_drills(at=NOON)

        drill.refresh_from_db()
        assert drill.state == DrillState.CANCELLED
        with pytest.raises(operations.DrillOver):
            operations.cancel_drill(drill_id=drill.pk, at=NOON)

    def test_the_command_says_what_begins(self, capsys: pytest.CaptureFixture[str]) -> None:
        backup = BackupFactory.create()
        target = RecoveryTargetFactory.create()

        call_command("hold_drill", backup.database.name, "--target", target.name)

        assert f"of {backup.database} to {target}" in capsys.readouterr().out
        with pytest.raises(CommandError, match="runs already"):
            call_command("hold_drill", backup.database.name, "--target", target.name)


def held(**values: Any) -> Drill:
    backup: Backup = BackupFactory.create()
    drill = operations.hold_drill(
        database_id=backup.database_id, target_id=RecoveryTargetFactory.create().pk, at=NOON
    )
    Drill.objects.filter(pk=drill.pk).update(**values) if values else None
    return drill


@pytest.mark.django_db
class TestJudging:
    def test_one_that_takes_far_too_long_has_failed(self) -> None:
        drill = held()
        RestoreJob.objects.update(waiting_for="storage")

        runner.advance_drills(at=NOON + 11 * HOUR)
        drill.refresh_from_db()
        assert drill.state == DrillState.RUNNING
        runner.advance_drills(at=NOON + 13 * HOUR)

        drill.refresh_from_db()
        assert drill.state == DrillState.FAILED
        assert "waiting for storage" in drill.words
        assert RestoreJob.objects.get().cancel_requested_at is not None

    def test_one_whose_target_fills_up_fails_at_once_and_gives_the_room_back(self) -> None:
        drill = held()
        RestoreJob.objects.update(waiting_for="disk")

        runner.advance_drills(at=NOON + timedelta(minutes=20))

        drill.refresh_from_db()
        assert drill.state == DrillState.FAILED
        assert f"The disk of {drill.target} was full" in drill.words
        assert RestoreJob.objects.get().cancel_requested_at is not None

    def test_one_that_cannot_be_judged_keeps_no_other_from_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = held(), held()
        for drill in (first, second):
            BackupPolicy.objects.create(
                database=drill.database, drill_alarm=DrillAlarm.LIVE, created_at=NOON
            )
        whole = declare_once

        def stumble(**values: Any) -> Any:
            if values["key"].endswith(f":{first.database_id}"):
                raise ZeroDivisionError
            return whole(**values)

        monkeypatch.setattr(drills, "declare_once", stumble)
        RestoreJob.objects.update(
            state=JobState.FAILED, failure_code="disk-too-small", failure_advice="Make room."
        )

        runner.advance_drills(at=NOON)

        states = dict(Drill.objects.values_list("pk", "state"))
        assert states == {first.pk: DrillState.RUNNING, second.pk: DrillState.FAILED}

    def test_names_the_backup_that_it_proved_and_is_cleared_where_it_ended_up(self) -> None:
        drill = held()
        newer = BackupFactory.create(database=drill.database)
        elsewhere = RecoveryTargetFactory.create(queue="far-away")
        RestoreJob.objects.update(
            state=JobState.SUCCEEDED, ended_at=NOON + HOUR, backup=newer, target=elsewhere
        )

        assert runner.advance_drills(at=NOON + HOUR) == [(drill.pk, "far-away")]

        drill.refresh_from_db()
        assert (drill.state, drill.backup) == (DrillState.CLEARING, newer)

    def test_its_restore_is_told_to_nobody_and_named_so_in_every_list(
        self, admin_client: Any
    ) -> None:
        drill = held()
        assert drill.restore is not None
        assert drill.restore.incident is None
        assert drill.restore.replaces == ""

        page = admin_client.get("/desk/restores/").content.decode()

        assert f"Restore {drill.restore.pk} (drill)" in page

    def test_one_that_brought_no_row_of_any_tenant_has_proven_nothing(self) -> None:
        drill = held()
        operations.register_tenant(
            database_id=drill.database_id, name="acme", public_code="customer-1", at=NOON
        )
        RestoreJob.objects.update(state=JobState.SUCCEEDED, ended_at=NOON + HOUR, started_at=NOON)

        runner.advance_drills(at=NOON + HOUR)

        drill.refresh_from_db()
        assert (drill.state, drill.has_failed) == (DrillState.CLEARING, True)
        assert drill.measured_seconds == 3600

    def test_two_judges_declare_one_incident(self) -> None:
        drill = held()
        BackupPolicy.objects.create(
            database=drill.database, drill_alarm=DrillAlarm.LIVE, created_at=NOON
        )
        RestoreJob.objects.update(
            state=JobState.FAILED, failure_code="disk-too-small", failure_advice="Make room."
        )

        runner.advance_drills(at=NOON)
        runner.advance_drills(at=NOON)

        job = RestoreJob.objects.get()
        assert Incident.objects.get().summary == (
            f"Make room. https://desk.example.org/desk/restores/{job.pk}/"
        )


@pytest.mark.django_db
class TestSchedule:
    def policy(self, **values: Any) -> BackupPolicy:
        backup = BackupFactory.create()
        return BackupPolicy.objects.create(
            **{
                "database": backup.database,
                "drill_target": RecoveryTargetFactory.create(),
                "drill_schedule": "0 3 * * 0",
                "drill_due_at": NOON,
                "created_at": NOON - 60 * 24 * HOUR,
                **values,
            }
        )

    def test_begins_once_and_is_due_again_a_week_later(self) -> None:
        policy = self.policy()

        assert runner.begin_due_drills(at=NOON - HOUR) == []
        [pk] = runner.begin_due_drills(at=NOON + timedelta(days=3))
        assert runner.begin_due_drills(at=NOON + timedelta(days=3)) == []

        policy.refresh_from_db()
        assert policy.drill_due_at is not None
        assert policy.drill_due_at > NOON + timedelta(days=3)
        assert Drill.objects.get().pk == pk

    def test_waits_while_a_restore_has_the_target(self) -> None:
        policy = self.policy()
        job = RestoreJob.objects.create(
            database=policy.database,
            target_id=policy.drill_target_id or 0,
            requested_at=NOON,
            queued_at=NOON,
        )

        assert runner.begin_due_drills(at=NOON) == []
        job.state = JobState.SUCCEEDED
        job.save()
        assert len(runner.begin_due_drills(at=NOON + HOUR)) == 1

    def test_waits_while_the_cluster_of_another_drill_stands_there(self) -> None:
        before = held()
        RestoreJob.objects.update(state=JobState.SUCCEEDED, ended_at=NOON)
        runner.advance_drills(at=NOON)
        self.policy(drill_target=before.target)

        assert runner.begin_due_drills(at=NOON) == []
        with pytest.raises(operations.TargetBusy):
            operations.hold_drill(
                database_id=BackupFactory.create().database_id, target_id=before.target_id, at=NOON
            )
        Drill.objects.update(state=DrillState.PASSED, ended_at=NOON)
        assert len(runner.begin_due_drills(at=NOON)) == 1

    def test_a_clock_that_ran_ahead_and_came_back_costs_no_drill(self) -> None:
        policy = self.policy(drill_due_at=NOON + timedelta(days=400))

        runner.begin_due_drills(at=NOON)

        policy.refresh_from_db()
        assert policy.drill_due_at is not None
        assert policy.drill_due_at <= NOON + timedelta(days=7)

    def test_one_that_stumbles_keeps_no_other_from_its_drill(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad, good = self.policy(), self.policy()

        def stumble(*, database_id: int, at: datetime) -> Facts:
            if database_id == bad.database_id:
                raise ZeroDivisionError
            return runner.read_facts(database_id=database_id, at=at)

        monkeypatch.setattr(drills, "read_facts", stumble)

        runner.begin_due_drills(at=NOON)

        assert Drill.objects.get().database == good.database

    def test_one_schedule_that_cannot_be_read_keeps_no_other_from_its_drill(self) -> None:
        self.policy(drill_schedule="no schedule")
        good = self.policy()

        [pk] = runner.begin_due_drills(at=NOON)

        assert Drill.objects.get().pk == pk
        assert Drill.objects.get().database == good.database


@pytest.mark.django_db
class TestDesk:
    def test_holds_one_shows_it_and_calls_it_off(self, admin_client: Any) -> None:
        backup: Backup = BackupFactory.create()
        target = RecoveryTargetFactory.create()
        assert "No drill was held" in admin_client.get("/desk/drills/").content.decode()

        answer = admin_client.post(
            "/desk/drills/hold/", {"database": backup.database_id, "target": target.pk}, follow=True
        )

        drill = Drill.objects.get()
        assert f"{drill} is under way." in answer.content.decode()
        assert drill.requested_by is not None
        answer = admin_client.post(f"/desk/drills/{drill.pk}/cancel/", follow=True)
        assert "called off" in answer.content.decode()
        assert RestoreJob.objects.get().cancel_requested_at is not None

    def test_says_why_one_cannot_be_held(self, admin_client: Any) -> None:
        backup: Backup = BackupFactory.create()

        answer = admin_client.post("/desk/drills/hold/", {"database": backup.database_id})

        assert answer.status_code == 422
        assert "Nothing says where to hold the drill" in answer.content.decode()

    def test_lists_in_a_constant_number_of_queries(
        self, admin_client: Any, django_assert_max_num_queries: Any
    ) -> None:
        for _number in range(5):
            held(state=DrillState.PASSED, ended_at=NOON, low_seconds=1, middle_seconds=2,
                 high_seconds=60, measured_seconds=3)  # fmt: skip

        with django_assert_max_num_queries(14):
            answer = admin_client.get("/desk/drills/")

        assert answer.content.decode().count("Passed") == 5
