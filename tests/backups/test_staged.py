"""A staged recovery: the last backup is opened first, then each tenant is brought forward."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.utils import timezone

from backups import operations, runner
from backups.engines.directory import TargetDirectory
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import (
    Backup,
    Database,
    EngineName,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePoint,
    Tenant,
    TenantRestore,
    TenantRestoreState,
)
from backups.operations import Course
from backups.runner.forward import (
    BROUGHT,
    EndsTooEarly,
    FirstPartMissing,
    clear_source,
    require_order,
    until_open,
)
from backups.runner.lanes import make_rows
from backups.runner.later_parts import begin_later_parts
from backups.runner.places import workspace_of
from backups.runner.recovered import NOT_BROUGHT
from backups.runner.restore import Restoration
from backups.runner.telling import figures_of
from backups.runner.verification import are_whole
from config.embedded.fault_proxy import FaultProxy
from incidents.models import Incident, StatusUpdate, TenantProgress
from incidents.operations import declare_incident
from incidents.values import ProgressState, Severity
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
)
from tests.factories import HOUR, NOON
from tests.protected import TENANTS, Protected, Rooms, connect, free_port, rooms_for, rows_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rooms(protected: Protected, fault_proxy: FaultProxy, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_for(protected, tmp_path, endpoint=fault_proxy.endpoint) as found:
        yield found


@pytest.fixture
def beside(rooms: Rooms, tmp_path: Path) -> Iterator[RecoveryTarget]:
    """Give a second recovery target, for the rest."""
    target = operations.register_recovery_target(
        name="beside",
        port=free_port(),
        data_dir=str(tmp_path / "beside"),
        work_dir=str(tmp_path / "beside-work"),
        at=timezone.now(),
    )
    yield target
    Postgres(bin_dir=bundled_bin_dir(), data_dir=Path(target.data_dir), port=target.port).stop(
        mode="immediate"
    )


@pytest.fixture
def incident() -> Incident:
    return declare_incident(
        title="Tours are gone", severity=Severity.SEV1, at=timezone.now(), author=None
    )


@pytest.fixture
def staged(rooms: Rooms, beside: RecoveryTarget, incident: Incident) -> operations.Staged:
    return operations.request_staged_recovery(
        database_id=rooms.database.pk,
        first_target_id=rooms.target.pk,
        target_id=beside.pk,
        incident_id=incident.pk,
        by_worker=False,
        at=timezone.now(),
    )


def carried(job: RestoreJob) -> RestoreJob:
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    job.refresh_from_db()
    return job


def turns(job: RestoreJob) -> dict[str, str]:
    rows = TenantRestore.objects.filter(job=job).select_related("tenant")
    return {row.tenant.name: row.state for row in rows}


def told(job: RestoreJob) -> dict[str, tuple[str, object]]:
    rows = TenantProgress.objects.filter(report__key=job.key).select_related("tenant")
    return {
        row.tenant.name.removeprefix("customer-"): (row.state, row.data_until_at) for row in rows
    }


class TestBothParts:
    def test_everything_comes_back_in_two_steps_that_are_told(
        self,
        staged: operations.Staged,
        protected: Protected,
        rooms: Rooms,
        beside: RecoveryTarget,
        incident: Incident,
    ) -> None:
        assert staged.rest.state == JobState.PAUSED

        first = carried(staged.first)

        assert first.state == JobState.SUCCEEDED, first.failure_advice
        assert rows_of(rooms.target.port) == dict.fromkeys(TENANTS, 0)
        newest = StatusUpdate.objects.filter(incident=incident).newest_first().first()
        assert newest is not None
        assert "What was written after that" in newest.body
        assert "All data" not in newest.body
        staged.rest.refresh_from_db()
        assert staged.rest.state == JobState.QUEUED
        assert told(staged.rest) == dict.fromkeys(TENANTS, ("reopened", first.data_until_at))

        rest = carried(staged.rest)

        assert rest.state == JobState.SUCCEEDED, rest.failure_advice
        assert rows_of(rooms.target.port) == protected.moments[-1][1]
        assert set(turns(rest).values()) == {TenantRestoreState.VERIFIED}
        assert told(rest) == dict.fromkeys(TENANTS, ("back", rest.data_until_at))
        newest = StatusUpdate.objects.filter(incident=incident).newest_first().first()
        assert newest is not None
        assert newest.body.startswith("All data up to")
        assert not Path(beside.data_dir).exists()
        with connect(rooms.target.port) as connection:
            names = {row[0] for row in connection.execute("select datname from pg_database")}
        assert names == {*TENANTS, "postgres", "template0", "template1"}


class TestAsked:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Give a wish for which no archive has to be read."""

        def unreadable(**_anything: Any) -> None:
            raise operations.CatalogueUnreadable

        monkeypatch.setattr("backups.operations.staged.sync_backups", unreadable)
        database = DatabaseFactory.create()
        Tenant.objects.create(
            database=database, name="acme", public_code="customer-acme", registered_at=NOON
        )
        BackupFactory.create(database=database, reaches_until_at=NOON)
        targets = [RecoveryTargetFactory.create() for _each in range(2)]
        return {
            "database_id": database.pk,
            "first_target_id": targets[0].pk,
            "target_id": targets[1].pk,
            "by_worker": False,
            "at": NOON,
        }

    def test_needs_two_places(self, asked: dict[str, Any]) -> None:
        with pytest.raises(operations.StagesApart):
            operations.request_staged_recovery(**asked | {"target_id": asked["first_target_id"]})

    def test_is_nothing_for_dumps(self, asked: dict[str, Any]) -> None:
        Database.objects.update(engine=EngineName.PG_DUMP)

        with pytest.raises(operations.NothingFollows):
            operations.request_staged_recovery(**asked)

    def test_is_nothing_without_tenants(self, asked: dict[str, Any]) -> None:
        Tenant.objects.all().delete()

        with pytest.raises(operations.NobodyToFollow):
            operations.request_staged_recovery(**asked)
        assert not RestoreJob.objects.exists()

    def test_the_rest_does_not_end_before_the_first_part(self, asked: dict[str, Any]) -> None:
        newest = Backup.objects.get()

        with pytest.raises(operations.EndsBeforeFirst):
            operations.request_staged_recovery(**asked, target_at=newest.ended_at - HOUR)
        assert not RestoreJob.objects.exists()

    def test_no_change_of_plan_puts_the_parts_out_of_order(self, asked: dict[str, Any]) -> None:
        newest = Backup.objects.get()
        older = BackupFactory.create(
            database=newest.database,
            began_at=newest.began_at - HOUR,
            ended_at=newest.ended_at - HOUR,
            reaches_until_at=NOON,
        )
        staged = operations.request_staged_recovery(**asked)
        back = replace(Course.of(staged.rest), point=RestorePoint.BACKUP, backup_id=older.pk)

        with pytest.raises(operations.EndsBeforeFirst):
            operations.pivot_restore(restore_id=staged.rest.pk, course=back, at=NOON)

        RestoreJob.objects.filter(pk=staged.rest.pk).update(
            point=RestorePoint.MOMENT, target_at=newest.ended_at
        )
        latest = replace(Course.of(staged.first), point=RestorePoint.LATEST, backup_id=None)
        with pytest.raises(operations.EndsBeforeFirst):
            operations.pivot_restore(restore_id=staged.first.pk, course=latest, at=NOON)

    def test_the_rest_begins_by_itself_and_not_before(self, asked: dict[str, Any]) -> None:
        staged = operations.request_staged_recovery(**asked)
        rest, first = staged.rest, staged.first

        with pytest.raises(operations.FirstPartNotOpen):
            operations.resume_restore(restore_id=rest.pk, at=NOON)
        wider = replace(Course.of(rest), lanes=3)
        operations.pivot_restore(restore_id=rest.pk, course=wider, at=NOON)
        rest.refresh_from_db()
        assert (rest.state, rest.lanes) == (JobState.PAUSED, 3)
        RestoreJob.objects.filter(pk=rest.pk).update(
            state=JobState.FAILED, failure_code="first-part-missing", started_at=NOON
        )
        operations.resume_restore(restore_id=rest.pk, at=NOON)
        assert begin_later_parts(at=NOON) == 0

        RestoreJob.objects.filter(pk=first.pk).update(state=JobState.SUCCEEDED, data_until_at=NOON)
        assert begin_later_parts(at=NOON) == 1
        rest.refresh_from_db()
        assert rest.state == JobState.QUEUED

    def test_what_was_read_of_the_first_part_before_it_was_open_is_read_anew(
        self, asked: dict[str, Any]
    ) -> None:
        staged = operations.request_staged_recovery(**asked)
        rest = RestoreJob.objects.select_related("brings_forward").get(pk=staged.rest.pk)
        RestoreJob.objects.filter(pk=staged.first.pk).update(
            state=JobState.SUCCEEDED, evidence={"customer-acme": {"reopened_as": {"rows": 1}}}
        )

        make_rows(rest, {})

        assert rest.tenant_restores.get().reopened_as == {"rows": 1}

    def test_older_rows_never_replace_newer_ones(self, asked: dict[str, Any]) -> None:
        staged = operations.request_staged_recovery(**asked)
        newest = Backup.objects.get()
        RestoreJob.objects.filter(pk=staged.first.pk).update(data_until_at=newest.ended_at)
        first = RestoreJob.objects.get(pk=staged.first.pk)

        with pytest.raises(EndsTooEarly):
            require_order(first, staged.rest, until=newest.ended_at - HOUR)
        # Idle since the backup: the last change on record lies before the backup's own end.
        RestoreJob.objects.filter(pk=staged.rest.pk).update(backup=newest)
        require_order(first, staged.rest, until=newest.ended_at - HOUR)

    def test_the_source_is_given_back_once_and_a_death_behind_it_does_not_matter(
        self, asked: dict[str, Any], tmp_path: Path
    ) -> None:
        path = tmp_path / "beside"
        RecoveryTarget.objects.filter(pk=asked["target_id"]).update(
            data_dir=str(path), work_dir=str(tmp_path / "work"), port=free_port()
        )
        rest = operations.request_staged_recovery(**asked).rest
        postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=path, port=rest.target.port)
        directory = TargetDirectory(path=path, token=rest.key)
        directory.prepare()

        clear_source(rest, postgres, directory)
        assert not path.exists()
        workspace = workspace_of(rest)
        workspace.folder.mkdir(parents=True)
        workspace.passed(BROUGHT)
        telling: Any = Mock()
        Restoration(rest, telling, supply=Mock())._bring_forward(plan=Mock())

        assert workspace.has_passed("opened")

    def test_the_source_stays_where_it_holds_what_nobody_brought(
        self, asked: dict[str, Any], tmp_path: Path
    ) -> None:
        rest = operations.request_staged_recovery(**asked).rest
        rest.evidence = {"ledger (not registered)": {NOT_BROUGHT: "ledger"}}
        path = tmp_path / "beside"
        postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=path, port=free_port())
        directory = TargetDirectory(path=path, token=rest.key)
        directory.prepare()

        clear_source(rest, postgres, directory)

        assert path.exists()
        assert not are_whole(rest.evidence)
        assert figures_of(rest, state=ProgressState.SUCCEEDED).has_kept

    def test_is_queued_whole_or_not_at_all(self, asked: dict[str, Any]) -> None:
        busy = RestoreJobFactory.create(
            target_id=asked["target_id"], database_id=asked["database_id"]
        )

        with pytest.raises(operations.TargetBusy):
            operations.request_staged_recovery(**asked)
        assert list(RestoreJob.objects.all()) == [busy]

    def test_the_rest_goes_when_the_first_part_is_cancelled(self, asked: dict[str, Any]) -> None:
        staged = operations.request_staged_recovery(**asked)

        operations.cancel_restore(restore_id=staged.first.pk, at=NOON)

        staged.rest.refresh_from_db()
        assert staged.rest.cancel_requested_at == NOON

    def test_the_rest_stops_if_the_first_part_was_not_opened(self, asked: dict[str, Any]) -> None:
        staged = operations.request_staged_recovery(**asked)
        RestoreJob.objects.filter(pk=staged.first.pk).update(
            state=JobState.FAILED, failure_code="disk-too-small"
        )

        with pytest.raises(FirstPartMissing):
            list(until_open(staged.rest))
