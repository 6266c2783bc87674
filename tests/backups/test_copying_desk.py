"""The desk's page of copies and moves."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backups.models import CopyJob, CopyKind, CopyPhase, JobState, ReplicaState
from tests.backups.archives import Archive
from tests.backups.factories import DatabaseFactory, StorageLocationFactory

pytestmark = pytest.mark.django_db


def copy_of(**values: Any) -> CopyJob:
    values = {
        "database": values.get("database") or DatabaseFactory.create(name="orders"),
        "requested_at": timezone.now(),
        "queued_at": timezone.now(),
        **values,
    }
    values.setdefault("source", values["database"].storage)
    if "destination" not in values:
        values["destination"] = StorageLocationFactory.create(name="attic")
    return CopyJob.objects.create(**values)


def test_nobody_but_staff_reads_it(client: Client) -> None:
    assert client.get("/desk/copies/").status_code == 302
    assert client.post("/desk/copies/begin/").status_code == 302


def test_an_empty_one_says_what_to_do(admin_client: Client) -> None:
    page = admin_client.get("/desk/copies/").content.decode()

    assert "register_storage_location" in page
    assert "Nothing was copied yet" in page


def test_begins_a_copy_and_calls_it_off(admin_client: Client) -> None:
    database = DatabaseFactory.create()
    place = StorageLocationFactory.create(bucket="elsewhere")
    said = {"database": database.pk, "destination": place.pk, "kind": "REPLICATION"}

    answer = admin_client.post("/desk/copies/begin/", said, follow=True)

    assert "is queued" in answer.content.decode()
    again = admin_client.post("/desk/copies/begin/", said)
    assert again.status_code == 422
    assert "under way already" in again.content.decode()
    job = CopyJob.objects.get()
    answer = admin_client.post(f"/desk/copies/{job.pk}/cancel/", follow=True)
    assert "is called off" in answer.content.decode()
    assert CopyJob.objects.get().state == JobState.CANCELLED


def test_shows_how_far_a_copy_is(admin_client: Client) -> None:
    copy_of(
        state=JobState.RUNNING, leased_until=timezone.now(), phase=CopyPhase.COPY,
        objects_done=3, objects_total=12, bytes_done=250, bytes_total=1000, rate=10.0,
    )  # fmt: skip

    page = admin_client.get("/desk/copies/live/").content.decode()

    assert '<progress max="100" value="25"' in page
    assert "3 of 12 objects" in page
    assert "<html" not in page


def test_says_how_far_a_second_place_is_behind(admin_client: Client) -> None:
    job = copy_of()
    ReplicaState.objects.create(
        database=job.database, location=job.destination, compared_at=timezone.now(),
        missing_objects=2, missing_bytes=5_000, behind_since_at=timezone.now() - timedelta(hours=3),
    )  # fmt: skip

    page = admin_client.get("/desk/copies/").content.decode()

    assert "2 objects" in page
    assert "are missing there" in page


def test_says_why_one_stopped(admin_client: Client) -> None:
    copy_of(
        state=JobState.FAILED, failure_code="copy-not-whole", failure_advice="One is damaged.",
        detail="damaged: main/base/x",
    )  # fmt: skip

    page = admin_client.get("/desk/copies/").content.decode()

    assert "Stopped: copy-not-whole." in page
    assert "damaged: main/base/x" in page


def test_a_move_is_switched_by_typing_the_name_and_ended(
    admin_client: Client, archive: Archive
) -> None:
    job = copy_of(
        database=archive.database, destination=archive.second, kind=CopyKind.MIGRATION,
        state=JobState.PAUSED, phase=CopyPhase.SWITCH,
    )  # fmt: skip
    ReplicaState.objects.create(
        database=archive.database, location=archive.second, compared_at=timezone.now()
    )
    address = f"/desk/copies/{job.pk}/switch/"
    page = admin_client.get(address).content.decode()
    # As postgresql.conf takes it: in quotes.
    assert re.search("archive_command = &#x27;.*barman-cloud-wal-archive.*%p&#x27;<", page)
    assert archive.credentials.secret_key not in page

    wrong = admin_client.post(address, {"typed": "cellar"})
    assert wrong.status_code == 422
    right = admin_client.post(address, {"typed": "attic"}, follow=True)

    assert "attic is its place now" in right.content.decode()
    archive.database.refresh_from_db()
    assert archive.database.storage == archive.second
    # Once it was compared since.
    CopyJob.objects.update(heartbeat_at=timezone.now())
    ended = admin_client.post(f"/desk/copies/{job.pk}/end/", follow=True)
    assert "Nothing in it was deleted" in ended.content.decode()


def test_one_that_is_not_there_is_not_found(admin_client: Client) -> None:
    assert admin_client.get("/desk/copies/7/switch/").status_code == 404


def test_lists_in_a_constant_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for _number in range(8):
        copy_of(database=DatabaseFactory.create(), destination=StorageLocationFactory.create())

    with django_assert_max_num_queries(16):
        admin_client.get("/desk/copies/")
