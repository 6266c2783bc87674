"""The desk's board of ways back, the start of one, and the machines to restore to."""

from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from accounts.models import User
from backups.models import Backup, Database, Estimate, JobState, RecoveryTarget, RestoreJob
from backups.operations import recovery_options
from incidents.models import TimelineEntry
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory, RestoreJobFactory
from tests.factories import HOUR, MINUTE, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422
GB = 10**9


@pytest.fixture
def responder() -> User:
    return ResponderFactory.create()


@pytest.fixture
def desk(client: Client, responder: User) -> Client:
    client.force_login(responder)
    return client


@pytest.fixture
def database() -> Database:
    now = timezone.now()
    # Nothing listens at its storage's address: the storage is away.
    database = DatabaseFactory.create(
        synced_at=now - 2 * MINUTE,
        earliest_restorable_at=now - 9 * HOUR,
        latest_restorable_at=now - 3 * MINUTE,
        storage__endpoint="http://127.0.0.1:9",
        storage__credentials_reference="settings:NO_SUCH_CREDENTIALS",
    )
    backed_up(database)
    return database


def backed_up(database: Database, **fields: Any) -> Backup:
    now = timezone.now()
    given = {
        "engine_id": "20260112T000000", "label": "nightly", "is_finished": True,
        "began_at": now - 10 * HOUR, "ended_at": now - 9 * HOUR, "timeline": 1,
        "server_version": 170010, "cluster_bytes": 12 * GB, "stored_bytes": 4 * GB,
        "has_manifest": True, "log_segments": 900, "log_bytes": 5 * GB,
        "reaches_until_at": now - 3 * MINUTE,
    }  # fmt: skip
    return Backup.objects.create(database=database, **(given | fields))


@pytest.fixture
def target() -> RecoveryTarget:
    return RecoveryTargetFactory.create(
        name="standby", probed_at=timezone.now(), free_bytes=900 * GB, server_version=170010,
        write_bytes_per_second=4e8,
    )  # fmt: skip


def url(name: str, *args: Any) -> str:
    return reverse(f"backups:{name}", args=args)


def code_of(database: Database) -> str:
    board = recovery_options(database_id=database.pk, at=timezone.now())
    assert board.recommended is not None
    return board.recommended.code


class TestAccess:
    @pytest.mark.parametrize("name", ["option-list", "option-start"])
    def test_whoever_is_not_signed_in_is_asked_to(
        self, client: Client, database: Database, name: str
    ) -> None:
        assert client.get(url(name, database.pk)).status_code == 302

    def test_so_are_those_who_look(self, client: Client, database: Database) -> None:
        assert client.post(url("option-look", database.pk)).status_code == 302
        assert client.post(url("target-look")).status_code == 302
        assert client.get(url("target-list")).status_code == 302


class TestBoard:
    def test_shows_what_each_way_loses_and_takes(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        page = desk.get(url("option-list", database.pk)).content.decode()

        assert "To the latest" in page
        assert page.count("Recommended") == 1
        assert "Nothing that was archived." in page
        assert "standby" in page
        assert "of 900 GB free" in page
        assert "The archive was read 2 min ago" in page
        assert url("option-start", database.pk) in page

    def test_is_there_at_once_when_the_storage_is_away(
        self,
        desk: Client,
        database: Database,
        target: RecoveryTarget,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(12):
            backed_up(database, engine_id=f"b{number}", ended_at=timezone.now() - 8 * HOUR)

        with django_assert_max_num_queries(16):
            page = desk.get(url("option-list", database.pk))

        assert page.status_code == 200

    def test_says_what_to_do_where_nothing_can_be_offered(self, desk: Client) -> None:
        page = desk.get(url("option-list", DatabaseFactory.create().pk)).content.decode()

        assert "No recovery target is registered" in page
        assert "No backup is known" in page
        assert "register_recovery_target --help" in page
        assert "Start this" not in page

    def test_goes_back_to_a_moment(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        moment = timezone.now() - 2 * HOUR
        page = desk.get(
            url("option-list", database.pk), {"at": f"{moment:%Y-%m-%dT%H:%M:%S}"}
        ).content.decode()
        odd = desk.get(url("option-list", database.pk), {"at": "whenever"})

        assert "To a moment" in page
        assert "To the latest" not in page
        assert odd.status_code == INVALID
        assert "Write day and time" in odd.content.decode()

    def test_names_the_missing_log_file_and_the_last_moment(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        Backup.objects.update(log_missing="00000001000000000000002A")

        page = desk.get(url("option-list", database.pk)).content.decode()

        assert "00000001000000000000002A is missing" in page
        assert "To a moment" in page

    def test_shows_all_when_asked(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        page = desk.get(url("option-list", database.pk)).content.decode()
        whole = desk.get(url("option-list", database.pk), {"all": "1"}).content.decode()

        assert "more are left out" in page
        assert "left out" not in whole
        assert whole.count("options__one") > page.count("options__one")

    def test_a_target_that_is_taken_cannot_be_started(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        job = RestoreJobFactory.create(database=database, target=target)

        page = desk.get(url("option-list", database.pk)).content.decode()

        assert f"{job} uses standby" in page
        assert "Cannot start" in page
        assert "Start this" not in page

    def test_keys_that_are_not_there_are_named_and_nothing_is_started(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        answer = desk.post(url("option-look", database.pk), follow=True)

        page = answer.content.decode()
        assert f"There are no keys for {database.storage.name} at settings:NO_SUCH" in page
        assert "Start this" not in page

    @pytest.mark.parametrize("said", ["x", "1", ":", "99999999999:a", "1:credentials-refused:b"])
    def test_an_address_that_says_nonsense_of_places_is_answered(
        self, desk: Client, database: Database, target: RecoveryTarget, said: str
    ) -> None:
        answer = desk.get(url("option-list", database.pk), {"unheard": said})

        assert answer.status_code == HTTPStatus.OK

    def test_the_storage_that_does_not_answer_is_named(
        self, desk: Client, database: Database, target: RecoveryTarget, settings: Settings
    ) -> None:
        settings.CREDENTIALS = {"NO_SUCH_CREDENTIALS": {"access_key": "a", "secret_key": "s"}}
        answer = desk.post(url("option-look", database.pk), follow=True)

        page = answer.content.decode()
        assert f"{database.storage.name} did not answer" in page
        assert "Start this" in page

    def test_is_linked_from_where_one_looks_for_it(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        for address in (url("database-detail", database.pk), url("restore-request")):
            assert url("option-list", database.pk) in desk.get(address).content.decode()


class TestObjectives:
    def test_are_what_ways_back_are_held_against(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        answer = desk.post(
            url("objectives-set", database.pk),
            {"lose_minutes": "1", "back_minutes": "1", "why": "agreed with the customers"},
            follow=True,
        )

        page = answer.content.decode()
        assert "at most 1 min may be" in page
        assert "longer than the 1 min in which it has to be back" in page

    def test_are_taken_back_and_refused_when_they_are_none(
        self, desk: Client, database: Database
    ) -> None:
        address, why = url("objectives-set", database.pk), {"why": "agreed"}
        desk.post(address, {"lose_minutes": "60"} | why)
        odd = desk.post(address, {"lose_minutes": "-1"} | why)
        database.refresh_from_db()
        assert odd.status_code == INVALID
        assert database.recovery_point_objective == HOUR

        desk.post(address, {"lose_minutes": ""} | why)
        database.refresh_from_db()
        assert database.recovery_point_objective is None

    def test_need_a_reason_and_something_new(self, desk: Client, database: Database) -> None:
        address = url("objectives-set", database.pk)

        without = desk.post(address, {"lose_minutes": "60"})
        unchanged = desk.post(address, {"lose_minutes": "", "why": "agreed"})

        assert without.status_code == unchanged.status_code == INVALID
        assert "Nothing is changed" in unchanged.content.decode()


class TestStart:
    def _address(self, database: Database, code: str = "") -> str:
        return f"{url('option-start', database.pk)}?option={code or code_of(database)}"

    def test_is_confirmed_with_reasons_and_goes_on_the_timeline(
        self, desk: Client, responder: User, database: Database, target: RecoveryTarget
    ) -> None:
        incident = IncidentFactory.create()
        address = self._address(database)

        asked = desk.get(address).content.decode()
        assert not RestoreJob.objects.exists()
        answer = desk.post(
            address, {"reasons": "It loses nothing, and we have the time.", "incident": incident.pk}
        )

        job = RestoreJob.objects.get()
        assert "Start the restore" in asked
        assert answer["Location"] == url("restore-detail", job.pk)
        assert (job.point, job.target, job.state) == ("LATEST", target, JobState.QUEUED)
        assert job.reasons == "It loses nothing, and we have the time."
        entry = TimelineEntry.objects.get(tags__contains=["decision"])
        assert entry.created_by == responder
        assert "Reasons: It loses nothing" in entry.text
        assert "nightly" in entry.text
        assert not entry.is_public

    def test_what_was_expected_is_kept(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        desk.post(self._address(database), {"reasons": "Go."})

        kept = Estimate.objects.get()
        assert kept.job == RestoreJob.objects.get()
        assert kept.low80_at < kept.low50_at < kept.middle_at < kept.high50_at < kept.high80_at

    def test_wants_reasons(self, desk: Client, database: Database, target: RecoveryTarget) -> None:
        answer = desk.post(self._address(database), {"reasons": ""})

        assert answer.status_code == INVALID
        assert not RestoreJob.objects.exists()

    def test_of_an_option_that_is_gone_leads_back_to_the_board(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        answer = desk.get(self._address(database, "latest-gone"), follow=True)

        assert answer.redirect_chain == [(url("option-list", database.pk), 302)]
        assert "There is no option" in answer.content.decode()

    def test_over_a_running_cluster_wants_its_directory_typed(
        self, desk: Client, database: Database, target: RecoveryTarget
    ) -> None:
        RecoveryTarget.objects.update(occupied_by="running")
        address = self._address(database)

        asked = desk.get(address).content.decode()
        wrong = desk.post(address, {"reasons": "Go.", "replaces": "/elsewhere"})
        right = desk.post(address, {"reasons": "Go.", "replaces": target.data_dir})

        assert f"Type it to confirm: {target.data_dir}" in asked
        assert wrong.status_code == INVALID
        assert "not the target&#x27;s directory" in wrong.content.decode()
        assert right.status_code == 302
        assert RestoreJob.objects.get().replaces == target.data_dir


class TestTargets:
    def test_says_what_to_do_when_there_is_none(self, desk: Client) -> None:
        assert "register_recovery_target" in desk.get(url("target-list")).content.decode()

    @pytest.mark.parametrize(
        ("held", "words"),
        [
            ("", "Ready"),
            ("running", "A cluster runs there"),
            ("foreign", "Holds files of others"),
            ("ours", "A stopped restore left its work"),
            ("port", "Its port is taken"),
            ("programs", "Its programs are missing"),
            ("disk", "Its disk cannot be written"),
        ],
    )
    def test_shows_in_words_what_a_worker_saw(
        self, desk: Client, target: RecoveryTarget, held: str, words: str
    ) -> None:
        RecoveryTarget.objects.update(occupied_by=held)

        page = desk.get(url("target-list")).content.decode()

        assert words in page
        assert "900 GB" in page

    def test_the_live_part_comes_alone(self, desk: Client, target: RecoveryTarget) -> None:
        page = desk.get(url("target-live")).content.decode()

        assert "<html" not in page
        assert "standby" in page

    def test_costs_the_same_for_one_or_five(
        self, desk: Client, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _again in range(5):
            RestoreJobFactory.create(target=RecoveryTargetFactory.create())
            with django_assert_max_num_queries(6):
                desk.get(url("target-list"))
