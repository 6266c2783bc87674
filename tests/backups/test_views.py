"""The desk's pages of databases and restores: what they show, ask for and refuse."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from backups.models import (
    Backup,
    BackupJob,
    Database,
    JobState,
    RecoveryTarget,
    RestoreAttempt,
    RestoreJob,
    StorageLocation,
)
from tests.factories import HOUR, MINUTE, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


@pytest.fixture
def database() -> Database:
    now = timezone.now()
    storage = StorageLocation.objects.create(
        name="archive",
        # Nothing listens there: the storage is away.
        endpoint="http://127.0.0.1:9",
        bucket="backups",
        credentials_reference="settings:NO_SUCH_CREDENTIALS",
        registered_at=now,
    )
    return Database.objects.create(
        name="tours",
        host="127.0.0.1",
        password_reference="settings:NO_SUCH_PASSWORD",
        storage=storage,
        archive_name="tours",
        registered_at=now,
        synced_at=now,
        earliest_restorable_at=now - 72 * HOUR,
        latest_restorable_at=now - MINUTE,
    )


@pytest.fixture
def target() -> RecoveryTarget:
    return RecoveryTarget.objects.create(
        name="standby", port=5444, data_dir="/nowhere/data", work_dir="/nowhere/work",
        registered_at=timezone.now(),
    )  # fmt: skip


def _restore(database: Database, target: RecoveryTarget, **fields: Any) -> RestoreJob:
    now = timezone.now()
    running = {
        "state": JobState.RUNNING, "leased_by": "host:1:x", "leased_until": now + HOUR,
        "heartbeat_at": now, "phase": "FETCH", "done": 42, "total": 100, "unit": "bytes",
    }  # fmt: skip
    return RestoreJob.objects.create(
        database=database, target=target, requested_at=now, queued_at=now, **(running | fields)
    )


def _failed(database: Database, target: RecoveryTarget) -> RestoreJob:
    return _restore(
        database, target, state=JobState.FAILED, leased_by="", leased_until=None,
        failure_code="disk-full", failure_advice="Make room, then resume the job.",
    )  # fmt: skip


def _url(name: str, *args: Any) -> str:
    return reverse(f"backups:{name}", args=args)


class TestAccess:
    @pytest.mark.parametrize("name", ["database-list", "restore-list", "restore-request"])
    def test_whoever_is_not_signed_in_is_asked_to(self, client: Client, name: str) -> None:
        assert client.get(_url(name)).status_code == 302

    def test_one_restore_asks_too(
        self, client: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _restore(database, target)

        for name in ("restore-detail", "restore-live", "restore-resume", "restore-cancel"):
            assert client.get(_url(name, job.pk)).status_code == 302
        assert client.post(_url("backup-take", database.pk)).status_code == 302


class TestDatabases:
    def test_says_what_to_do_when_there_is_none(self, desk: Client) -> None:
        assert "register_database" in desk.get(_url("database-list")).content.decode()
        assert "No database is registered" in desk.get(_url("restore-request")).content.decode()

    def test_shows_how_far_back_it_can_come(self, desk: Client, database: Database) -> None:
        now = timezone.now()
        Backup.objects.create(
            database=database, engine_id="20260112T000000", label="nightly", is_finished=True,
            began_at=now - 2 * HOUR, ended_at=now - HOUR, timeline=1, server_version=170000,
            cluster_bytes=1_200_000_000,
        )  # fmt: skip

        listed = desk.get(_url("database-list")).content.decode()
        shown = desk.get(_url("database-detail", database.pk)).content.decode()

        assert "1 h 00 min ago" in listed
        assert "nightly" in shown
        assert "1.2 GB" in shown
        assert f"{database.latest_restorable_at:%H:%M}" in shown

    def test_a_backup_is_asked_for(self, desk: Client, database: Database) -> None:
        desk.post(_url("backup-take", database.pk), {"label": "before-the-change"})
        bad = desk.post(_url("backup-take", database.pk), {"label": "no spaces, please"})

        assert BackupJob.objects.get().label == "before-the-change"
        assert bad.status_code == INVALID

    def test_an_archive_that_does_not_answer_is_said_to(
        self, desk: Client, database: Database
    ) -> None:
        page = desk.post(_url("catalogue-read", database.pk), follow=True).content.decode()

        assert 'class="notice is-failed"' in page

    def test_costs_the_same_for_one_database_or_five(
        self,
        desk: Client,
        database: Database,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(5):
            Database.objects.create(
                name=f"d{number}", host="h", password_reference="env:X", storage=database.storage,
                archive_name=f"a{number}", registered_at=timezone.now(),
            )  # fmt: skip
            with django_assert_max_num_queries(6):
                desk.get(_url("database-list"))


class TestRestorePage:
    def test_shows_progress_and_the_tools_own_words(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _restore(database, target)
        RestoreAttempt.objects.create(
            job=job, number=1, worker="host:1:x", began_at=timezone.now(), phase="FETCH",
            detail="connection reset by <peer>", counters={"resets": 3},
        )  # fmt: skip

        page = desk.get(_url("restore-detail", job.pk)).content.decode()

        assert '<progress max="100" value="42"' in page
        assert "connection reset by &lt;peer&gt;" in page
        assert "resets 3" in page
        assert f'hx-get="{_url("restore-live", job.pk)}"' in page

    def test_the_live_part_comes_alone_and_says_when_news_is_old(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _restore(database, target, heartbeat_at=timezone.now() - 5 * MINUTE)

        page = desk.get(_url("restore-live", job.pk)).content.decode()

        assert "<html" not in page
        assert "No news since" in page

    def test_one_that_is_over_is_not_asked_after(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _restore(
            database, target, state=JobState.SUCCEEDED, leased_by="", leased_until=None,
            phase="READY",
        )  # fmt: skip

        page = desk.get(_url("restore-detail", job.pk)).content.decode()

        assert "hx-get" not in page
        assert page.count("stages__one is-done") == 6

    def test_there_is_no_other(self, desk: Client) -> None:
        assert desk.get(_url("restore-detail", 4711)).status_code == 404

    def test_the_list_costs_the_same_for_one_or_five(
        self,
        desk: Client,
        database: Database,
        target: RecoveryTarget,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for _again in range(5):
            _failed(database, target)
            with django_assert_max_num_queries(6):
                desk.get(_url("restore-list"))

    def test_a_private_incident_is_not_named_but_to_its_members(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        private = IncidentFactory.create(title="A key has leaked", visibility="private")
        job = _restore(database, target, incident=private)
        addresses = [
            _url("restore-list"),
            _url("restore-detail", job.pk),
            _url("restore-live", job.pk),
            _url("database-detail", database.pk),
            _url("restore-request"),
        ]

        unnamed = [desk.get(address).content.decode() for address in addresses]
        private.members.add(ResponderFactory.create())
        named = [desk.get(address).content.decode() for address in addresses]

        assert not any(private.ref in page for page in unnamed)
        assert all(private.ref in page for page in named)


class TestResumeAndCancel:
    def test_resuming_is_confirmed_first(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _failed(database, target)

        asked = desk.get(_url("restore-resume", job.pk)).content.decode()
        job.refresh_from_db()
        assert "Make room" in asked
        assert job.state == JobState.FAILED

        desk.post(_url("restore-resume", job.pk))
        job.refresh_from_db()
        assert job.state == JobState.QUEUED

    def test_one_that_runs_is_not_resumed(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _restore(database, target)

        answer = desk.post(_url("restore-resume", job.pk))

        assert answer.status_code == INVALID
        assert "Only a restore that is paused or has stopped" in answer.content.decode()

    def test_cancelling_says_what_goes_and_asks_first(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = _restore(database, target)

        asked = desk.get(_url("restore-cancel", job.pk)).content.decode()
        desk.post(_url("restore-cancel", job.pk))

        job.refresh_from_db()
        assert "cannot be undone" in asked
        assert job.cancel_requested_at is not None


class TestRequest:
    def _ask(self, desk: Client, database: Database, target: RecoveryTarget, **fields: Any) -> Any:
        return desk.post(
            _url("restore-request"),
            {"database": database.pk, "target": target.pk, "until": "latest"} | fields,
        )

    def test_queues_a_restore_for_an_incident(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        incident = IncidentFactory.create()

        offered = desk.get(_url("restore-request"), {"incident": incident.pk}).content.decode()
        answer = self._ask(desk, database, target, incident=incident.pk)

        job = RestoreJob.objects.get()
        assert f'value="{incident.pk}" selected' in offered
        assert answer["Location"] == _url("restore-detail", job.pk)
        assert (job.incident_id, job.target_at) == (incident.pk, None)

    def test_a_target_that_is_taken_is_refused(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        self._ask(desk, database, target)

        answer = self._ask(desk, database, target)

        assert answer.status_code == INVALID
        assert "Another restore uses this recovery target" in answer.content.decode()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"until": "moment"}, "Say up to which moment"),
            ({"until": "moment", "target_at": "2099-01-01T00:00:00"}, "still to come"),
            ({"until": "moment", "target_at": "whenever"}, "Write day and time"),
        ],
    )
    def test_says_beside_the_field_what_is_wrong(
        self,
        desk: Client,
        database: Database,
        target: RecoveryTarget,
        fields: dict[str, str],
        sentence: str,
    ) -> None:
        answer = self._ask(desk, database, target, **fields)

        assert answer.status_code == INVALID
        assert sentence in answer.content.decode()
        assert not RestoreJob.objects.exists()
