"""What is planned is begun: once, also with two beats, after a sleep, and around windows."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from backups import operations, runner
from backups.models import (
    BackupJob,
    BackupKind,
    BackupPolicy,
    Database,
    EngineName,
    JobState,
    StorageLocation,
)
from backups.options.terms import Window
from backups.runner.due import SKIPPED
from tests.backups.factories import DatabaseFactory
from tests.factories import HOUR, MINUTE, NOON

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def planned(**changes: Any) -> Database:
    """Return a database whose fulls are due at 14:00 each day, as agreed at noon."""
    database: Database = DatabaseFactory.create(engine=EngineName.PGBACKREST)
    operations.change_policy(
        database_id=database.pk,
        changes={"full_schedule": "0 14 * * *"} | changes,
        why="because",
        by=None,
        at=NOON,
    )
    return database


def begun(*moments: datetime) -> list[str]:
    """Return the kinds of the backups that beats at these moments begin."""
    found = [pk for at in moments for pk in runner.begin_due_backups(at=at)]
    return [BackupJob.objects.get(pk=pk).kind for pk in found]


@pytest.mark.django_db
class TestBegin:
    def test_waits_for_its_moment_and_goes_on_to_the_next(self) -> None:
        database = planned()

        assert begun(NOON, NOON + 2 * HOUR - MINUTE) == []
        assert begun(NOON + 2 * HOUR, NOON + 2 * HOUR) == [BackupKind.FULL]
        assert BackupPolicy.objects.get().full_due_at == NOON + 2 * HOUR + DAY
        job = BackupJob.objects.get(database=database)
        assert (job.state, job.requested_at) == (JobState.QUEUED, NOON + 2 * HOUR)

    def test_makes_one_backup_of_all_that_was_slept_through(self) -> None:
        planned(full_schedule="0 * * * *")

        assert begun(NOON + DAY + MINUTE) == [BackupKind.FULL]
        assert BackupPolicy.objects.get().full_due_at == NOON + DAY + HOUR

    def test_takes_the_full_one_where_an_incremental_is_due_as_well(self) -> None:
        planned(incremental_schedule="0 */2 * * *")

        assert begun(NOON + 2 * HOUR) == [BackupKind.FULL]
        BackupJob.objects.update(state=JobState.SUCCEEDED)
        assert begun(NOON + 4 * HOUR) == [BackupKind.INCREMENTAL]

    def test_leaves_one_out_while_another_runs_and_says_so(self) -> None:
        database = planned()
        operations.take_backup(database_id=database.pk, at=NOON, label="by-hand", by_worker=False)

        assert begun(NOON + 2 * HOUR, NOON + 2 * HOUR + MINUTE) == []

        skipped = BackupJob.objects.get(failure_code=SKIPPED)
        assert skipped.state == JobState.CANCELLED
        assert "Backup by-hand was at work" in skipped.failure_advice
        # It is no work for anybody, and the next day's is begun.
        BackupJob.objects.filter(label="by-hand").update(state=JobState.SUCCEEDED)
        assert runner.waiting_backups(at=NOON + 3 * HOUR) == []
        assert begun(NOON + 2 * HOUR + DAY) == [BackupKind.FULL]

    def test_begins_when_a_maintenance_window_closes(self) -> None:
        window = Window(schedule="0 13 * * *", lasts=4 * HOUR, reason="indexes are rebuilt")
        planned(windows=(window,))

        assert begun(NOON + 2 * HOUR, NOON + 5 * HOUR - MINUTE) == []
        assert begun(NOON + 5 * HOUR) == [BackupKind.FULL]

    def test_works_out_a_moment_that_nobody_did(self) -> None:
        planned()
        BackupPolicy.objects.update(full_due_at=None)

        assert begun(NOON) == []
        assert BackupPolicy.objects.get().full_due_at == NOON + 2 * HOUR

    def test_a_row_that_cannot_be_read_holds_up_no_other(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = planned()
        planned()
        BackupPolicy.objects.filter(database=broken).update(full_schedule="0 99 * * *")

        assert begun(NOON + 2 * HOUR) == [BackupKind.FULL]
        assert "its schedule cannot be read" in caplog.text

    def test_a_clock_that_ran_ahead_and_came_back_costs_no_backup(self) -> None:
        planned()

        assert begun(NOON + 365 * DAY) == [BackupKind.FULL]
        BackupJob.objects.update(state=JobState.SUCCEEDED)

        assert begun(NOON, NOON + 2 * HOUR) == [BackupKind.FULL]

    def test_clocks_a_little_apart_begin_one_backup(self) -> None:
        planned()
        due = NOON + 2 * HOUR

        assert begun(due) == [BackupKind.FULL]
        BackupJob.objects.update(state=JobState.SUCCEEDED)
        assert begun(due - 5 * SECOND, due, due + SECOND) == []

    def test_one_that_reaches_nothing_fails_with_words(self) -> None:
        planned()
        StorageLocation.objects.update(credentials_reference="settings:NO_SUCH_CREDENTIALS")
        (job_id,) = runner.begin_due_backups(at=NOON + 2 * HOUR)

        runner.run_backup(backup_id=job_id, now=timezone.now)

        job = BackupJob.objects.get()
        assert (job.state, job.failure_code) == (JobState.FAILED, "credentials-missing")
        assert job.failure_advice
        # The next day's is begun all the same.
        assert begun(NOON + 2 * HOUR + DAY) == [BackupKind.FULL]

    def test_never_begins_what_is_not_planned(self) -> None:
        planned()
        BackupPolicy.objects.update(full_schedule="")

        assert begun(NOON + 2 * HOUR) == []


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_begin_one_backup() -> None:
    databases = [planned() for _each in range(3)]
    gate = threading.Barrier(4)
    found: list[int] = []

    def beat() -> None:
        gate.wait()
        try:
            found.extend(runner.begin_due_backups(at=NOON + 2 * HOUR))
        finally:
            connection.close()

    beats = [threading.Thread(target=beat) for _each in range(4)]
    for each in beats:
        each.start()
    for each in beats:
        each.join()

    assert len(found) == len(databases)
    assert BackupJob.objects.count() == len(databases)
