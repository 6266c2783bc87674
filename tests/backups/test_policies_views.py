"""The desk's page of a policy: what a change does is seen before it is saved."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from backups import operations
from backups.models import BackupPolicy, Database, PolicyChange
from backups.options.terms import Window
from tests.backups.factories import BackupFactory, DatabaseFactory, RecoveryTargetFactory
from tests.factories import HOUR, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID = 422
DAY = timedelta(days=1)
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
    database: Database = DatabaseFactory.create(
        name="shop", synced_at=now, recovery_time_objective=HOUR
    )
    BackupFactory.create(
        database=database, began_at=now - DAY, ended_at=now - DAY, stored_bytes=4 * GB,
        cluster_bytes=12 * GB, log_segments=4800, log_bytes=40 * GB, reaches_until_at=now,
    )  # fmt: skip
    RecoveryTargetFactory.create(write_bytes_per_second=4e8, server_version=170010)
    return database


def address(database: Database, name: str = "policy") -> str:
    return reverse(f"backups:{name}", args=[database.pk])


def typed(**fields: Any) -> dict[str, Any]:
    """Return the form as it stands for a database without a policy, with these fields changed."""
    plain = {
        f"{kind}_{part}": value
        for kind in ("full_schedule", "incremental_schedule", "drill_schedule")
        for part, value in (("preset", "never"), ("time", "02:00"), ("weekday", "0"), ("own", ""))
    }
    rest = {
        "tz": "UTC", "archives_log": "on", "back_within": "60", "read_all_within": "30",
        "drill_alarm": "NOTHING", "version": "0", "windows": "",
    }  # fmt: skip
    return plain | rest | fields


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="(\w+)"', page)
    assert found is not None
    return found[1]


def saved(desk: Client, database: Database, **fields: Any) -> Any:
    page = desk.post(address(database), typed(**fields)).content.decode()
    return desk.post(
        address(database), typed(**fields, save="1", seen=seen(page), why="agreed"), follow=True
    )


class TestChange:
    def test_shows_first_what_it_does_and_then_saves_it(
        self, desk: Client, database: Database, responder: User
    ) -> None:
        weekly = {"full_schedule_preset": "weekly", "full_schedule_time": "03:15"}
        first = desk.post(address(database), typed(**weekly)).content.decode()

        assert "no → weekly fulls: replay of up to 7 days of log, back in" in first
        assert "beyond your RTO of 1 h" in first
        assert not BackupPolicy.objects.exists()

        page = desk.post(
            address(database), typed(**weekly, save="1", seen=seen(first), why="full nights"),
            follow=True,
        ).content.decode()  # fmt: skip

        change = PolicyChange.objects.get()
        assert change.policy.full_schedule == "15 3 * * 0"
        assert (change.by, change.why) == (responder, "full nights")
        assert "Sundays at 03:15" in page
        assert "full nights" in page
        # What it means is said as long as it holds.
        assert "At the worst moment, just before the next backup: replay of up to 7 days" in page

    def test_what_was_typed_since_is_shown_before_it_is_saved(
        self, desk: Client, database: Database
    ) -> None:
        first = desk.post(address(database), typed(full_schedule_preset="daily")).content.decode()

        page = desk.post(
            address(database),
            typed(full_schedule_preset="weekly", save="1", seen=seen(first), why="agreed"),
        ).content.decode()

        assert "no → weekly fulls" in page
        assert not BackupPolicy.objects.exists()

    def test_needs_a_reason(self, desk: Client, database: Database) -> None:
        daily = typed(full_schedule_preset="daily")
        page = desk.post(address(database), daily).content.decode()

        answer = desk.post(address(database), daily | {"save": "1", "seen": seen(page)})

        assert answer.status_code == INVALID
        assert "Say why the policy is changed" in answer.content.decode()

    def test_is_shown_beside_what_is_typed(self, desk: Client, database: Database) -> None:
        answer = desk.post(address(database, "policy-effect"), typed(full_schedule_preset="daily"))

        page = answer.content.decode()
        assert page.lstrip().startswith('<div class="stack" id="effect"')
        assert "no → daily fulls" in page

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"full_schedule_preset": "own", "full_schedule_own": "0 99 * * *"}, "0 to 23"),
            ({"full_schedule_preset": "daily", "full_schedule_time": ""}, "Say at what time"),
            ({"tz": "Mars/Olympus", "full_schedule_preset": "daily"}, "no time zone"),
            ({"incremental_schedule_preset": "daily"}, "takes full backups only"),
            ({"drill_schedule_preset": "weekly"}, "needs a place to restore to"),
            ({"windows": "tonight; 4; because"}, "five fields"),
            ({"windows": "0 22 * * 6; many; because"}, "is no window"),
            ({"windows": "0 22 * * 6; nan; because"}, "is no window"),
            ({"keep_for": "1000000"}, "less than or equal"),
            ({}, "Nothing is changed"),
        ],
    )
    def test_what_cannot_be_is_refused_with_the_reason(
        self, desk: Client, database: Database, fields: dict[str, Any], reason: str
    ) -> None:
        answer = desk.post(address(database), typed(**fields))
        fragment = desk.post(address(database, "policy-effect"), typed(**fields))

        assert answer.status_code == INVALID
        assert reason in answer.content.decode()
        assert reason in fragment.content.decode()

    def test_is_where_the_page_goes_to_when_it_is_shown(
        self, desk: Client, database: Database
    ) -> None:
        page = desk.post(address(database), typed(full_schedule_preset="daily")).content.decode()

        assert 'formaction="#effect">Show what it would do' in page
        assert 'id="effect" role="status" tabindex="-1"' in page

    def test_somebody_elses_change_is_not_overwritten(
        self, desk: Client, database: Database
    ) -> None:
        saved(desk, database, full_schedule_preset="daily")

        page = desk.post(address(database), typed(full_schedule_preset="weekly")).content.decode()
        answer = desk.post(
            address(database),
            typed(full_schedule_preset="weekly", save="1", seen=seen(page), why="agreed"),
        )

        assert "Somebody changed the policy meanwhile" in answer.content.decode()
        assert PolicyChange.objects.count() == 1

    def test_what_is_finer_than_the_form_is_left_alone(
        self, desk: Client, database: Database
    ) -> None:
        operations.change_policy(
            database_id=database.pk, why="by command", by=None, at=timezone.now(),
            changes={
                "full_schedule": "0 */6 * * *",
                "may_lose": timedelta(seconds=90),
                "windows": (Window(schedule="0 22 * * 6", lasts=HOUR / 3, reason="short"),),
            },
        )  # fmt: skip
        form = desk.get(address(database)).context["form"]
        given = {
            field.html_name: "" if field.value() is None else field.value()
            for field in form
            if field.value() is not False
        }

        answer = desk.post(address(database), given | {"keep_fulls": "5"})

        assert answer.context["effect"]["changed"] == ["Full backups kept at least: not said → 5"]


class TestPage:
    def test_says_what_to_do_while_there_is_no_policy(
        self, desk: Client, database: Database
    ) -> None:
        page = desk.get(address(database)).content.decode()

        assert "No policy yet" in page
        assert "Highwater deletes no backup" in page
        assert (
            address(database)
            in desk.get(reverse("backups:database-detail", args=[database.pk])).content.decode()
        )

    def test_asks_as_often_for_many_changes_as_for_one(
        self, desk: Client, database: Database, django_assert_max_num_queries: Any,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:  # fmt: skip
        saved(desk, database, full_schedule_preset="daily")
        with django_assert_max_num_queries(43) as few:
            desk.get(address(database))
        for days in range(2, 12):
            operations.change_policy(
                database_id=database.pk, changes={"keep_for": days * DAY}, why="again", by=None,
                at=timezone.now(),
            )  # fmt: skip
            BackupFactory.create(database=database)

        with django_assert_num_queries(len(few)):
            desk.get(address(database))

    def test_is_for_staff(self, client: Client, database: Database) -> None:
        for name in ("policy", "policy-effect"):
            assert client.post(address(database, name)).status_code == 302


class TestReview:
    def _workaround(self, desk: Client, database: Database) -> PolicyChange:
        incident = IncidentFactory.create()
        saved(
            desk, database, full_schedule_preset="weekly", incident=str(incident.pk),
            review_on=str((timezone.now() + 3 * DAY).date()),
        )  # fmt: skip
        return PolicyChange.objects.get()

    def test_is_asked_for_and_closed_with_words(self, desk: Client, database: Database) -> None:
        change = self._workaround(desk, database)
        review = reverse("backups:policy-review", args=[change.pk])

        assert "Workaround until" in desk.get(address(database)).content.decode()
        assert desk.post(review, {"words": ""}).status_code == INVALID
        page = desk.post(review, {"words": "daily again"}, follow=True).content.decode()

        assert "daily again" in page
        assert "Its action item" in page

    def test_says_when_it_is_due(self, desk: Client, database: Database) -> None:
        self._workaround(desk, database)
        PolicyChange.objects.update(review_on=timezone.now().date())

        assert "Review is due" in desk.get(address(database)).content.decode()
