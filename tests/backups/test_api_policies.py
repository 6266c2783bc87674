"""Policies over the desk's API: the same deed, the same look before it, the same refusals."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from backups.models import BackupPolicy, Database, PolicyChange
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

ADDRESS = "/api/desk/v1/policies/"
DAY, GB = timedelta(days=1), 10**9


@pytest.fixture
def person() -> User:
    return ResponderFactory.create()


@pytest.fixture
def api(person: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
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
    RecoveryTargetFactory.create(name="scratch", write_bytes_per_second=4e8, server_version=170010)
    return database


def patch(api: APIClient, database: Database, **said: Any) -> Any:
    said = {"version": 0, "why": "because", **said}
    return api.patch(f"{ADDRESS}{database.pk}/", said, format="json")


def test_nobody_gets_in_without_a_name(database: Database) -> None:
    for method in ("get", "patch", "put"):
        assert getattr(APIClient(), method)(f"{ADDRESS}{database.pk}/").status_code == 401


def test_a_policy_is_made_changed_and_read_with_its_versions(
    api: APIClient, database: Database, person: User
) -> None:
    place = StorageLocationFactory.create(name="attic", bucket="other")
    terms = {
        "full_schedule": "0 2 * * *",
        "tz": "Europe/Berlin",
        "may_lose": 900,
        "keep_for": 30 * 86400,
        "replicate_to": place.name,
        "drill_schedule": "0 10 1 * *",
        "drill_target": "scratch",
        "drill_alarm": "DRILL",
        "windows": [{"schedule": "0 22 * * 6", "lasts": 14400, "reason": "indexes"}],
    }

    made = patch(api, database, terms=terms)
    changed = patch(
        api, database, terms={"full_schedule": "0 2 * * 0", "may_lose": None}, version=1,
        why="slow nights", review_on=f"{(timezone.now() + 9 * DAY).date()}",
        incident=IncidentFactory.create().pk,
    )  # fmt: skip
    shown = api.get(f"{ADDRESS}{database.pk}/").json()

    assert (made.status_code, changed.status_code) == (201, 200), (made.json(), changed.json())
    assert {name: made.json()["terms"][name] for name in terms} == terms
    assert shown == changed.json()
    assert shown["version"] == 2
    assert shown["terms"]["full_schedule"] == "0 2 * * 0"
    assert shown["terms"]["may_lose"] is None
    assert shown["terms"]["back_within"] == 3600
    assert shown["in_words"]["full_schedule"] == "Sundays at 02:00"
    assert shown["due"]["full"] is not None
    assert shown["breaks"]
    newest, first = shown["versions"]
    assert newest["why"] == "slow nights"
    assert newest["by"] == str(person)
    assert "replay grows from 1 to 7 days" in newest["effect_words"]
    assert newest["changes"]["full_schedule"][1] == "Sundays at 02:00"
    assert first["version"] == 1
    change = PolicyChange.objects.get(version=2)
    assert change.by == person
    assert change.action is not None


def test_what_a_change_would_do_is_said_and_nothing_is_changed(
    api: APIClient, database: Database
) -> None:
    patch(api, database, terms={"full_schedule": "0 2 * * *"})

    answer = api.post(
        f"{ADDRESS}{database.pk}/effect/",
        {"terms": {"full_schedule": "0 2 * * 0"}},
        format="json",
    )

    said = answer.json()
    assert answer.status_code == 200
    assert said["version"] == 1
    assert said["words"].startswith("daily → weekly fulls: replay grows from 1 to 7 days")
    assert said["breaks"]
    assert said["effect"]["after"]["replay_seconds"] == 7 * 86400
    assert BackupPolicy.objects.get().version == 1


def test_all_of_it_is_said_anew(api: APIClient, database: Database) -> None:
    patch(api, database, terms={"full_schedule": "0 2 * * *", "keep_fulls": 4})

    answer = api.put(
        f"{ADDRESS}{database.pk}/",
        {"terms": {"full_schedule": "0 3 * * *"}, "version": 1, "why": "anew"},
        format="json",
    )

    assert answer.status_code == 200
    terms = answer.json()["terms"]
    assert (terms["full_schedule"], terms["keep_fulls"]) == ("0 3 * * *", None)
    assert terms["back_within"] is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"terms": {"incremental_schedule": "0 2 * * *"}}, "policy-contradicts"),
        ({"terms": {"full_schedule": "0 25 * * *"}}, "policy-contradicts"),
        ({"terms": {"tz": "Nowhere/At-all"}}, "policy-contradicts"),
        ({"terms": {"full_schedule": "0 2 * * *"}, "version": 3}, "policy-moved"),
        ({"terms": {"full_schedule": ""}}, "policy-unchanged"),
        ({"terms": {"keep_fulls": 2}, "review_on": "2020-01-01"}, "policy-review-not-ahead"),
        ({"terms": {"keep_fulls": 2}, "incident": 987654}, "no-such-incident"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused(
    api: APIClient, database: Database, said: dict[str, Any], code: str
) -> None:
    answer = patch(api, database, **said)

    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert not BackupPolicy.objects.exists()


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"terms": []},
        {"terms": {"fullschedule": "0 2 * * *"}},
        {"terms": {"may_lose": 0}},
        {"terms": {"may_lose": "a day"}},
        {"terms": {"may_lose": 10**30}},
        {"terms": {"read_all_within": None}},
        {"terms": {"replicate_to": "nowhere"}},
        {"terms": {"drill_alarm": "loud"}},
        {"terms": {"windows": [{"schedule": "0 22 * * 6"}]}},
        {"terms": {"windows": [{"schedule": "0 2 * * *", "lasts": 60, "reason": "x"}] * 51}},
        {"terms": {"keep_fulls": 2}, "why": " "},
        {"terms": {"keep_fulls": 2}, "version": None},
        {"terms": {"keep_fulls": 2}, "review_on": "soon"},
    ],
    ids=str,
)
def test_what_is_not_well_formed_is_answered_with_what_is_wrong(
    api: APIClient, database: Database, said: dict[str, Any]
) -> None:
    answer = patch(api, database, **said)

    assert answer.status_code == 400, answer.json()
    assert answer.json()
    assert not BackupPolicy.objects.exists()


@pytest.mark.parametrize("said", [[], {}, {"terms": None}, {"terms": {"keep_fulls": -1}}], ids=str)
def test_an_effect_of_what_is_not_well_formed_is_not_said(
    api: APIClient, database: Database, said: Any
) -> None:
    answer = api.post(f"{ADDRESS}{database.pk}/effect/", said, format="json")

    assert answer.status_code == 400


def test_every_registered_database_is_listed_with_what_holds(
    api: APIClient, database: Database
) -> None:
    patch(api, database, terms={"full_schedule": "0 2 * * *"})
    DatabaseFactory.create(name="bare")
    DatabaseFactory.create(name="gone", unregistered_at=timezone.now())

    shown = api.get(ADDRESS).json()

    assert [(each["database"], each["version"]) for each in shown["results"]] == [
        ("shop", 1),
        ("bare", 0),
    ]
    assert shown["next"] is None
    gone = Database.everything.get(name="gone")
    assert api.get(f"{ADDRESS}{gone.pk}/").status_code == 404
