"""Asking for standbys at the desk and by command, and what is refused."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from backups import metrics, operations, queries, tasks
from backups.models import (
    Backup,
    BackupPolicy,
    Database,
    EngineName,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePhase,
    Standby,
    StandbyState,
)
from config.celery import app
from config.embedded.addresses import Addresses
from incidents.errors import Refused
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
)
from tests.factories import HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db
GB = 10**9


@pytest.fixture
def database() -> Database:
    backup = BackupFactory.create(
        database__name="shop", database__registered_at=NOON, reaches_until_at=timezone.now(),
        cluster_bytes=GB, stored_bytes=GB, server_version=170010,
    )  # fmt: skip
    return backup.database


@pytest.fixture
def target() -> RecoveryTarget:
    return RecoveryTargetFactory.create(
        name="beside", probed_at=timezone.now(), free_bytes=900 * GB, server_version=170010
    )


def kept(database: Database, target: RecoveryTarget) -> Standby:
    return operations.keep_warm(
        database_id=database.pk, target_id=target.pk, at=timezone.now(), by_worker=False
    )


def warm(standby: Standby, **fields: Any) -> Standby:
    """Let a standby be warm, without a cluster."""
    at = timezone.now()
    RestoreJob.objects.filter(pk=standby.base_id).update(state=JobState.SUCCEEDED, ended_at=at)
    values = {"state": StandbyState.FOLLOWING, "warm_until_at": at, "seen_at": at, **fields}
    Standby.objects.filter(pk=standby.pk).update(**values)
    standby.refresh_from_db()
    return standby


class TestAsking:
    def test_queues_its_base_which_is_no_restore_to_anybody_else(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        standby = kept(database, target)

        base = standby.base
        assert (base.is_base, base.state, base.incident) == (True, JobState.QUEUED, None)
        assert standby.state == StandbyState.RESTORING
        assert not queries.restores_at_work().exists()
        with pytest.raises(operations.RestoreMakesBase):
            operations.cancel_restore(restore_id=base.pk, at=timezone.now())
        course = operations.Course.of(base)
        with pytest.raises(operations.RestoreMakesBase):
            operations.pivot_restore(restore_id=base.pk, course=course, at=timezone.now())

    @pytest.mark.parametrize("engine", [EngineName.PG_DUMP, EngineName.PGBACKREST])
    def test_an_engine_that_cannot_is_refused_by_name(
        self, engine: EngineName, database: Database, target: RecoveryTarget
    ) -> None:
        Database.objects.filter(pk=database.pk).update(engine=engine)

        with pytest.raises(operations.EngineKeepsNoStandby, match=str(engine.label)):
            kept(database, target)

    @pytest.mark.parametrize(
        ("seen", "refusal"),
        [
            ({"probed_at": NOON}, operations.TargetNotReady),
            ({"server_version": 160000}, operations.VersionDiffers),
            ({"occupied_by": "foreign"}, operations.TargetOccupied),
            ({"free_bytes": GB}, operations.TargetTooSmall),
        ],
    )
    def test_a_machine_that_is_not_fit_is_refused(
        self,
        seen: dict[str, Any],
        refusal: type[Refused],
        database: Database,
        target: RecoveryTarget,
    ) -> None:
        RecoveryTarget.objects.filter(pk=target.pk).update(**seen)

        with pytest.raises(refusal):
            kept(database, target)
        assert not Standby.objects.exists()

    def test_wants_a_backup_and_a_target_that_nobody_else_uses(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        policy = BackupPolicy.objects.create(
            database=database, drill_target=target, created_at=NOON
        )
        with pytest.raises(operations.TargetForDrills):
            kept(database, target)
        policy.delete()
        job = RestoreJobFactory.create(target=target)
        with pytest.raises(operations.TargetBusy):
            kept(database, target)
        job.delete()
        Backup.objects.update(is_finished=False)
        with pytest.raises(operations.NoBackup):
            kept(database, target)

    def test_a_target_has_one_and_is_nobody_elses(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        standby = warm(kept(database, target))

        with pytest.raises(operations.TargetKeepsStandby, match="keeps a standby of shop"):
            kept(database, target)
        with pytest.raises(operations.TargetKeepsStandby):
            operations.request_restore(
                database_id=database.pk, recovery_target_id=target.pk, is_looked_at=True,
                at=timezone.now(), by_worker=False,
            )  # fmt: skip
        with pytest.raises(operations.TargetKeepsStandby):
            operations.hold_drill(
                database_id=database.pk, target_id=target.pk, at=timezone.now(), by_worker=False
            )
        with pytest.raises(operations.StandbyStands, match="at beside"):
            operations.unregister_database(
                database_id=database.pk, typed="shop", by=None, at=timezone.now()
            )
        with pytest.raises(IntegrityError):
            Standby.objects.create(
                database=database, target=target, base=standby.base, requested_at=NOON
            )

    def test_a_restore_takes_it_once(self, database: Database, target: RecoveryTarget) -> None:
        standby = kept(database, target)

        def bring_up(**wishes: Any) -> RestoreJob:
            return operations.request_restore(
                database_id=database.pk, recovery_target_id=target.pk, from_standby=True,
                is_looked_at=True, at=timezone.now(), by_worker=False, **wishes,
            )  # fmt: skip

        with pytest.raises(operations.NoStandby, match="No standby of shop is warm"):
            bring_up()
        warm(standby)
        with pytest.raises(operations.NoStandby, match="later than the moment"):
            bring_up(target_at=timezone.now() - HOUR)
        job = bring_up()
        standby.refresh_from_db()
        assert (standby.state, standby.taken_by) == (StandbyState.TAKEN, job)
        assert job.continues == standby.base
        with pytest.raises(operations.NoStandby):
            bring_up()
        with pytest.raises(operations.StandbyIsTaken):
            operations.stop_keeping_warm(standby_id=standby.pk, typed="beside")


def test_each_is_looked_after_by_the_worker_of_its_queue(
    database: Database, target: RecoveryTarget, redis_server: Addresses
) -> None:
    RecoveryTarget.objects.update(queue="beside-the-standby")
    standby = kept(database, target)

    tasks.tend_standbys()

    with app.connection_for_read() as broker:
        message = broker.SimpleQueue("beside-the-standby").get(timeout=5)
        message.ack()
    assert message.headers["task"] == "backups.tasks.tend_standby"
    assert message.decode()[1] == {"standby_id": standby.pk}


class TestDesk:
    def test_nobody_but_staff_sees_it(self, client: Client, target: RecoveryTarget) -> None:
        for name in ("", "live/"):
            assert client.get(f"/desk/targets/{target.pk}/standby/{name}").status_code == 302
        for name in ("keep/", "stop/"):
            assert client.post(f"/desk/targets/{target.pk}/standby/{name}").status_code == 302

    def test_keeps_one_shows_its_base_and_takes_it_away(
        self, admin_client: Client, database: Database, target: RecoveryTarget
    ) -> None:
        address = f"/desk/targets/{target.pk}/standby/"
        assert "Keep a standby warm here" in admin_client.get("/desk/targets/").content.decode()
        assert "Nothing is kept warm here" in admin_client.get(address).content.decode()

        answer = admin_client.post(f"{address}keep/", {"database": database.pk}, follow=True)

        assert "A standby is kept at beside" in answer.content.decode()
        RestoreJob.objects.update(
            state=JobState.RUNNING, leased_until=timezone.now() + MINUTE,
            phase=RestorePhase.FETCH, done=25 * 10**6, total=10**8, unit="bytes",
        )  # fmt: skip
        detail = admin_client.get(f"/desk/restores/{RestoreJob.objects.get().pk}/")
        assert [stage.phase for stage in detail.context["stages"]] == ["PLAN", "FETCH", "UNPACK"]
        for page in (address, "/desk/targets/", f"/desk/databases/{database.pk}/readiness/"):
            assert "25 %" in admin_client.get(page).content.decode(), page
        again = admin_client.post(f"{address}keep/", {"database": database.pk})
        assert again.status_code == 422
        assert "keeps a standby of shop" in again.content.decode()

        wrong = admin_client.post(f"{address}stop/", {"typed": "elsewhere"})
        assert wrong.status_code == 422
        answer = admin_client.post(f"{address}stop/", {"typed": "beside"}, follow=True)
        assert "being taken away" in answer.content.decode().lower()
        assert Standby.objects.get().state == StandbyState.STOPPING

    def test_says_how_warm_it_is_and_what_is_in_the_way(
        self, admin_client: Client, database: Database, target: RecoveryTarget
    ) -> None:
        standby = warm(kept(database, target), behind_since_at=timezone.now() - 3 * MINUTE)
        page = admin_client.get("/desk/targets/").content.decode()
        assert "Warm until" in page
        assert "3 min behind the archive" in page

        Standby.objects.update(
            trouble="The disk is low.", trouble_since_at=timezone.now(),
            begun_again_at=timezone.now(), begun_again_because="A log file is missing.",
        )  # fmt: skip
        for path in ("", "live/"):
            page = admin_client.get(
                f"/desk/targets/{standby.target_id}/standby/{path}"
            ).content.decode()
            assert "The disk is low." in page
            assert "A log file is missing." in page

    def test_asks_the_same_questions_for_one_target_and_for_several(
        self,
        admin_client: Client,
        database: Database,
        target: RecoveryTarget,
        django_assert_max_num_queries: Any,
    ) -> None:
        warm(kept(database, target))
        admin_client.get("/desk/targets/live/")
        with django_assert_max_num_queries(20) as few:
            admin_client.get("/desk/targets/live/")
        for number in range(4):
            another = RecoveryTargetFactory.create(
                name=f"another {number}", probed_at=timezone.now(), free_bytes=900 * GB,
                server_version=170010,
            )  # fmt: skip
            warm(kept(database, another))
        with django_assert_max_num_queries(len(few)):
            admin_client.get("/desk/targets/live/")


class TestCommand:
    def test_keeps_one_and_stops(self, database: Database, target: RecoveryTarget) -> None:
        said = StringIO()
        call_command("keep_warm", "shop", target="beside", stdout=said)
        assert "Standby of shop at beside" in said.getvalue()
        with pytest.raises(CommandError, match="keeps a standby of shop"):
            call_command("keep_warm", "shop", target="beside")

        call_command("keep_warm", "shop", target="beside", stop=True, stdout=said)
        assert "takes it away" in said.getvalue()
        assert Standby.objects.get().state == StandbyState.STOPPING

    def test_names_what_it_does_not_know(self, database: Database, target: RecoveryTarget) -> None:
        with pytest.raises(CommandError, match="No standby of this database"):
            call_command("keep_warm", "shop", target="beside", stop=True)
        with pytest.raises(CommandError, match="beside"):
            call_command("keep_warm", "shop", target="elsewhere")

    def test_restores_by_the_standby(self, database: Database, target: RecoveryTarget) -> None:
        standby = warm(kept(database, target))
        storage = database.storage
        storage.endpoint = "http://127.0.0.1:9"
        storage.save()
        said = StringIO()

        call_command("restore_database", "shop", "beside", standby=True, stdout=said)

        job = RestoreJob.objects.get(continues=standby.base)
        assert f"Queued {job}." in said.getvalue()


def test_metrics_say_how_far_it_is_behind(database: Database, target: RecoveryTarget) -> None:
    at = timezone.now()
    warm(kept(database, target), behind_since_at=at - 5 * MINUTE)

    said = metrics.exposition(at=at).decode()

    labels = '{database="shop",target="beside"}'
    assert f"highwater_standby_behind_seconds{labels} 300.0" in said
    assert f"highwater_standby_trouble{labels} 0.0" in said
    assert f"highwater_standby_warm_until_timestamp_seconds{labels}" in said


def test_the_runbook_names_the_standby_and_its_command(
    database: Database, target: RecoveryTarget
) -> None:
    warm(kept(database, target))
    RecoveryTargetFactory.create(name="free", data_dir="/srv/free", work_dir="/srv/room")

    book = str(queries.runbook_of(database, at=timezone.now()))

    assert "keeps a standby warm, up to" in book
    assert "restore_database shop beside --standby" in book
    # By hand nobody unpacks into a standby's directory.
    assert "export DATA=/srv/free" in book
    assert DatabaseFactory.create() != database
