"""A database is unregistered: nothing watches it, nothing is deleted, and nothing crashes."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from backups import metrics, operations, queries, runner
from backups.models import (
    AlertRule,
    Backup,
    BackupAlert,
    BackupCheck,
    BackupCheckName,
    BackupJob,
    BackupPolicy,
    CheckState,
    CopyJob,
    Database,
    Drill,
    DrillState,
    JobState,
    LossForecast,
    ManifestJob,
    ObjectReading,
    PolicyChange,
    ReadingState,
    ReplicaState,
    RestoreJob,
    Silence,
    Standby,
    Tenant,
    TenantRestore,
)
from incidents.models import Tenant as Known
from incidents.models import TimelineEntry
from incidents.queries import proofs
from incidents.values import Phase
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def database() -> Database:
    made: Database = DatabaseFactory.create(
        name="shop", public_name="The shop", synced_at=NOON, latest_restorable_at=NOON,
        earliest_restorable_at=NOON - DAY,
    )  # fmt: skip
    return made


def unregister(database: Database, **values: Any) -> operations.Unregistered:
    return operations.unregister_database(
        **{"database_id": database.pk, "typed": database.name, "by": None, "at": NOON, **values}
    )


def at_work(**values: Any) -> dict[str, Any]:
    return {
        "state": JobState.RUNNING,
        "leased_by": "elsewhere:1:x",
        "leased_until": NOON + HOUR,
        "requested_at": NOON,
        "queued_at": NOON,
        **values,
    }


class TestTheRegister:
    def test_holds_it_no_more_but_keeps_its_row_and_who_did_it(self, database: Database) -> None:
        person = ResponderFactory.create()

        unregister(database, by=person)

        assert not Database.objects.exists()
        kept = Database.everything.get()
        assert (kept.unregistered_at, kept.unregistered_by) == (NOON, person)
        assert queries.databases() == []
        assert list(queries.past_databases()) == [database]
        with pytest.raises(queries.NotRegistered):
            queries.database_named("shop")

    def test_wants_its_name_typed(self, database: Database) -> None:
        with pytest.raises(operations.DatabaseNameDiffers):
            unregister(database, typed="shops")

        assert Database.objects.count() == 1

    def test_takes_the_same_name_archive_and_tenants_again(self, database: Database) -> None:
        operations.register_tenants(database_id=database.pk, tenants=[("t1", "acme")], at=NOON)
        unregister(database)

        def register() -> Database:
            return operations.register_database(
                name="shop", host="127.0.0.1", port=5432, storage_id=database.storage_id,
                archive_name=database.archive_name, password_reference="env:PASSWORD",
                tenants=[("t1", "acme")], at=NOON + HOUR,
            )  # fmt: skip

        again = register()

        assert again.pk != database.pk
        assert list(Database.objects.all()) == [again]
        assert Tenant.objects.filter(public_code="acme").count() == 2
        with pytest.raises(operations.NotRegistrable, match="registered already"):
            register()

    def test_holds_no_two_of_a_name(self, database: Database) -> None:
        with pytest.raises(IntegrityError):
            DatabaseFactory.create(name="shop", archive_name="other")


class TestHistory:
    def test_of_restores_drills_tenants_and_the_policy_stays(self, database: Database) -> None:
        backup = BackupFactory.create(database=database)
        tenant = operations.register_tenant(
            database_id=database.pk, name="t1", public_code="acme", at=NOON
        )
        job = RestoreJobFactory.create(
            database=database, state=JobState.SUCCEEDED, ended_at=NOON, backup=backup
        )
        TenantRestore.objects.create(job=job, tenant=tenant, place=1)
        drill = Drill.objects.create(
            database=database, target=job.target, state=DrillState.PASSED, requested_at=NOON,
            ended_at=NOON, words="It came back.",
        )  # fmt: skip
        policy = BackupPolicy.objects.create(database=database, created_at=NOON)
        PolicyChange.objects.create(policy=policy, version=1, at=NOON, why="because")

        unregister(database)

        job.refresh_from_db()
        assert str(job.database) == "shop"
        assert job.tenant_restores.get().tenant == tenant
        assert list(queries.drills(database_id=database.pk)) == [drill]
        assert queries.policy_changes(database.pk).get().why == "because"
        assert Backup.objects.get() == backup

    def test_is_shown_on_its_page_and_no_other_page_is_there(
        self, database: Database, admin_client: Client
    ) -> None:
        job = RestoreJobFactory.create(database=database, state=JobState.SUCCEEDED, ended_at=NOON)
        Drill.objects.create(
            database=database, target=job.target, state=DrillState.PASSED, requested_at=NOON,
            ended_at=NOON, words="It came back.",
        )  # fmt: skip
        unregister(database)

        page = admin_client.get(reverse("backups:database-detail", args=[database.pk]))
        said = page.content.decode()

        assert "Not registered any more" in said
        assert "Nothing was deleted" in said
        assert "It came back." in said
        assert str(job) in said
        assert "Not registered any more" in admin_client.get("/desk/databases/").content.decode()
        for name in ("policy", "readiness", "option-list", "runbook", "database-unregister"):
            answer = admin_client.get(reverse(f"backups:{name}", args=[database.pk]))
            assert answer.status_code == 404, name
        for address in (
            reverse("backups:restore-detail", args=[job.pk]),
            f"/desk/drills/?database={database.pk}",
            "/desk/backups/",
            "/desk/backups/alerts/",
            "/desk/copies/",
            "/desk/restores/",
        ):
            assert admin_client.get(address).status_code == 200, address


class TestWhatIsUnderWay:
    @pytest.mark.parametrize(
        "state", [JobState.QUEUED, JobState.PAUSED, JobState.FAILED], ids=str.lower
    )
    def test_as_a_restore_refuses_it(self, database: Database, state: JobState) -> None:
        RestoreJobFactory.create(
            database=database, state=state, failure_code="x" if state == JobState.FAILED else ""
        )

        with pytest.raises(operations.DatabaseComesBack, match="cancel it"):
            unregister(database)

    def test_as_a_standby_refuses_it(self, database: Database) -> None:
        target = RecoveryTargetFactory.create(name="warm place")
        base = RestoreJobFactory.create(database=database, target=target, is_base=True)
        Standby.objects.create(target=target, database=database, base=base, requested_at=NOON)

        with pytest.raises(operations.StandbyStands, match="warm at warm place"):
            unregister(database)

    def test_as_a_backup_or_copy_that_waits_is_called_off(self, database: Database) -> None:
        backup = BackupFactory.create(database=database)
        BackupJob.objects.create(
            database=database, label="nightly", requested_at=NOON, queued_at=NOON
        )
        CopyJob.objects.create(
            database=database, source=database.storage, requested_at=NOON, queued_at=NOON,
            destination=StorageLocationFactory.create(), state=JobState.PAUSED, switched_at=NOON,
        )  # fmt: skip
        ManifestJob.objects.create(
            database=database, backup=backup, requested_at=NOON, queued_at=NOON
        )

        done = unregister(database)

        assert len(done.stopped) == 3
        for model in (BackupJob, CopyJob, ManifestJob):
            job = model.objects.get()
            assert (job.state, job.ended_at) == (JobState.CANCELLED, NOON)
            assert job.failure_advice == "The database was unregistered."

    def test_as_a_backup_or_copy_that_runs_is_asked_to_end(self, database: Database) -> None:
        BackupJob.objects.create(database=database, label="nightly", **at_work())
        CopyJob.objects.create(
            database=database, source=database.storage,
            destination=StorageLocationFactory.create(), **at_work(),
        )  # fmt: skip

        done = unregister(database)

        assert done.ending == ["Backup nightly", str(CopyJob.objects.get())]
        for model in (BackupJob, CopyJob):
            assert model.objects.get().cancel_requested_at == NOON
        # Their workers are lost as well: another one ends them, and takes nothing.
        later = NOON + 2 * HOUR
        (backup_id,) = runner.waiting_backups(at=later)
        (copy_id,) = runner.waiting_copies(at=later)
        runner.run_backup(backup_id=backup_id, now=lambda: later)
        runner.run_copy(copy_id=copy_id, now=lambda: later)
        for model in (BackupJob, CopyJob):
            assert (model.objects.get().state, model.objects.get().ended_at) == (
                JobState.CANCELLED,
                later,
            )
        assert not runner.waiting_backups(at=later + HOUR)
        assert not Backup.objects.exists()

    def test_as_a_backup_that_was_asked_for_at_that_moment_takes_nothing(
        self, database: Database
    ) -> None:
        unregister(database)
        job = BackupJob.objects.create(
            database=database, label="late", requested_at=NOON, queued_at=NOON
        )

        runner.run_backup(backup_id=job.pk, now=lambda: NOON)

        job.refresh_from_db()
        assert job.state == JobState.CANCELLED

    def test_as_a_drill_is_called_off(self, database: Database) -> None:
        job = RestoreJobFactory.create(database=database, is_scratch=True)
        drill = Drill.objects.create(
            database=database, target=job.target, restore=job, requested_at=NOON
        )

        done = unregister(database)

        assert done.ending == [str(drill)]
        job.refresh_from_db()
        assert job.cancel_requested_at is not None
        RestoreJob.objects.update(state=JobState.CANCELLED, ended_at=NOON)
        runner.advance_drills(at=NOON)
        drill.refresh_from_db()
        assert drill.state == DrillState.CANCELLED

    def test_for_it_in_a_worker_ends_without_a_fault(self, database: Database) -> None:
        BackupFactory.create(database=database)
        unregister(database)

        runner.read_archive(database_id=database.pk, at=NOON)
        assert (
            runner.read_content(database_id=database.pk, location_id=database.storage_id, at=NOON)
            is None
        )
        with pytest.raises(Database.DoesNotExist):
            runner.check_database(database_id=database.pk, at=NOON)
        assert runner.check_databases(at=NOON) == 0

    def test_cannot_be_a_restore_or_a_drill_that_is_asked_for_afterwards(
        self, database: Database
    ) -> None:
        target = RecoveryTargetFactory.create()
        unregister(database)

        with pytest.raises(Database.DoesNotExist):
            operations.hold_drill(database_id=database.pk, target_id=target.pk, at=NOON)
        assert not RestoreJob.objects.exists()


class TestNothing:
    def test_is_planned_checked_forecast_or_read_any_more(self, database: Database) -> None:
        BackupFactory.create(database=database)
        place, target = StorageLocationFactory.create(), RecoveryTargetFactory.create()
        BackupPolicy.objects.create(
            database=database, full_schedule="0 2 * * *", full_due_at=NOON - HOUR,
            drill_schedule="0 2 * * *", drill_target=target, drill_due_at=NOON - HOUR,
            replicate_to=place, created_at=NOON - DAY,
        )  # fmt: skip
        unregister(database)

        assert runner.begin_due_backups(at=NOON) == []
        assert runner.begin_due_drills(at=NOON) == []
        assert runner.begin_due_copies(at=NOON) == []
        assert runner.forecast_losses(at=NOON) == 0
        assert runner.unread_archives(at=NOON + DAY) == []
        assert runner.places_to_read() == []
        assert not BackupJob.objects.exists()

    def test_of_it_is_among_the_figures_or_on_the_dashboard(self, database: Database) -> None:
        place = StorageLocationFactory.create()
        BackupFactory.create(database=database)
        target = RecoveryTargetFactory.create()
        LossForecast.objects.create(database=database, at=NOON, plan_words="none")
        Drill.objects.create(
            database=database, target=target, state=DrillState.PASSED, requested_at=NOON,
            ended_at=NOON, measured_seconds=9,
        )  # fmt: skip
        operations.check_now(database_id=database.pk, at=NOON)
        assert b'database="shop"' in metrics.exposition(at=NOON)

        unregister(database)
        # As a copy that was under way may write it afterwards.
        ReplicaState.objects.create(database=database, location=place, compared_at=NOON)

        assert b'database="shop"' not in metrics.exposition(at=NOON)
        assert queries.readiness(at=NOON) == []
        assert queries.losses_now() == {}
        assert queries.replica_states() == []

    def test_is_read_of_its_backups_by_customers(self, database: Database) -> None:
        BackupFactory.create(database=database)
        operations.register_tenants(database_id=database.pk, tenants=[("t1", "acme")], at=NOON)
        stale = Database.objects.get()
        runner.tell_proofs(at=NOON)
        assert [each.name for each in proofs()] == ["The shop"]

        unregister(database)

        assert proofs() == []
        assert not Known.objects.exists()
        # A worker that read the row before says nothing any more either.
        runner.tell_proof(stale, at=NOON)
        assert proofs() == []

    def test_of_its_pieces_is_read_by_probes(self, database: Database) -> None:
        database.storage.probe_key, database.storage.probe_bytes = "main/data.tar", 5
        database.storage.save()
        ObjectReading.objects.create(
            database=database, location=database.storage, key="x", size=1, read_at=NOON,
            state=ReadingState.SOUND,
        )  # fmt: skip

        unregister(database)

        database.storage.refresh_from_db()
        assert (database.storage.probe_key, database.storage.probe_bytes) == ("", 0)
        assert not ObjectReading.objects.exists()

    def test_is_to_be_reviewed(self, database: Database) -> None:
        policy = BackupPolicy.objects.create(database=database, created_at=NOON - DAY)
        PolicyChange.objects.create(
            policy=policy, version=1, at=NOON - DAY, why="slow nights", review_on=NOON.date()
        )
        assert len(queries.workarounds_due(at=NOON)) == 1

        unregister(database)

        assert queries.workarounds_due(at=NOON) == []


class TestAlerts:
    def test_are_closed_with_the_reason_and_stay_closed(self, database: Database) -> None:
        incident = IncidentFactory.create()
        over = IncidentFactory.create(phase=Phase.RESOLVED, resolved_at=NOON)
        BackupCheck.objects.create(
            database=database, name=BackupCheckName.DRILL, state=CheckState.CRITICAL,
            since_at=NOON - DAY, looked_at=NOON, words="None was held.", advice="Hold one.",
        )  # fmt: skip
        runner.follow_findings(at=NOON)
        BackupAlert.objects.update(incident=incident)
        own = AlertRule.objects.create(
            name="its own", database=database, states=[CheckState.WARNING], created_at=NOON
        )
        BackupAlert.objects.create(
            rule=own, database=database, about="SIZE", state=CheckState.WARNING, words="w" * 500,
            opened_at=NOON, incident=over,
        )  # fmt: skip
        silence = Silence.objects.create(
            database=database, begins_at=NOON - HOUR, ends_at=NOON + HOUR, reason="because"
        )
        Silence.objects.create(
            database=database, begins_at=NOON + HOUR, ends_at=NOON + 2 * HOUR, reason="later"
        )

        unregister(database)
        runner.follow_findings(at=NOON + HOUR)

        assert not queries.open_alerts().exists()
        told, long = BackupAlert.objects.order_by("pk")
        assert told.words == "None was held. The database was unregistered."
        assert told.closed_at == long.closed_at == NOON
        assert len(long.words) == 500
        assert long.words.endswith(" The database was unregistered.")
        assert not BackupCheck.objects.exists()
        entry = TimelineEntry.objects.get(incident=incident, text__startswith="shop was unregist")
        assert "Nothing in its storage was deleted" in entry.text
        assert not TimelineEntry.objects.filter(incident=over).exists()
        own.refresh_from_db()
        assert not own.is_enabled
        assert AlertRule.objects.filter(is_enabled=True).exists()
        silence.refresh_from_db()
        assert silence.ends_at == NOON
        assert Silence.objects.count() == 1


class TestAtTheDesk:
    def test_it_is_done_by_typing_its_name(self, database: Database, admin_client: Client) -> None:
        address = reverse("backups:database-unregister", args=[database.pk])
        detail = reverse("backups:database-detail", args=[database.pk])
        assert address in admin_client.get(detail).content.decode()
        asked = admin_client.get(address).content.decode()
        assert "Nothing is deleted" in asked

        wrong = admin_client.post(address, {"typed": "shopp"})
        assert wrong.status_code == 422
        assert "Type the name of the database" in wrong.content.decode()

        done = admin_client.post(address, {"typed": "shop"}, follow=True)
        assert "shop is unregistered. Nothing was deleted." in done.content.decode()
        assert Database.everything.get().unregistered_by is not None
        assert admin_client.post(address, {"typed": "shop"}).status_code == 404

    def test_a_refusal_stands_on_the_page(self, database: Database, admin_client: Client) -> None:
        job = RestoreJobFactory.create(database=database)

        answer = admin_client.post(
            reverse("backups:database-unregister", args=[database.pk]), {"typed": "shop"}
        )

        assert answer.status_code == 422
        assert f"{job} of this database is not over" in answer.content.decode()

    def test_nobody_but_staff_does_it(self, database: Database, client: Client) -> None:
        address = reverse("backups:database-unregister", args=[database.pk])
        assert client.post(address, {"typed": "shop"}).status_code == 302
        assert Database.objects.exists()


class TestFromTheCommandLine:
    def test_it_is_done_and_says_what_stays(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        BackupJob.objects.create(database=database, label="nightly", **at_work())
        typed = iter(["no", "shop"])
        monkeypatch.setattr("builtins.input", lambda _asked: next(typed))

        with pytest.raises(CommandError, match="Type the name"):
            call_command("unregister_database", "shop", stdout=StringIO())
        out = StringIO()
        call_command("unregister_database", "shop", stdout=out)

        assert "Nothing was deleted: its backups stay in" in out.getvalue()
        assert "Asked to end, which takes a moment: Backup nightly." in out.getvalue()
        with pytest.raises(CommandError, match="shop"):
            call_command("unregister_database", "shop", "--yes", stdout=StringIO())
