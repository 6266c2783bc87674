"""A storage location is reached in another way: what may change, when, and by whom."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backups import operations
from backups.models import BackupJob, Database, JobState, StorageLocation
from backups.operations import LocationInUse, NotRegistrable
from tests.backups.factories import DatabaseFactory, RestoreJobFactory, StorageLocationFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db

MOVED = "https://s3.other.example.net"


@pytest.fixture
def location() -> StorageLocation:
    made: StorageLocation = StorageLocationFactory.create(name="storage", prefix="pg")
    return made


@pytest.fixture
def database(location: StorageLocation) -> Database:
    made: Database = DatabaseFactory.create(name="shop", storage=location)
    return made


def change(*options: str) -> str:
    out = StringIO()
    call_command("change_storage_location", "storage", *options, stdout=out)
    return out.getvalue()


class TestChanging:
    def test_touches_what_is_named_and_nothing_else(self, location: StorageLocation) -> None:
        operations.change_storage_location(
            location_id=location.pk, endpoint=MOVED, uses_path_style=False
        )

        location.refresh_from_db()
        assert (location.endpoint, location.uses_path_style) == (MOVED, False)
        assert (location.bucket, location.prefix) == ("backups", "pg")
        assert location.credentials_reference == "env:STORAGE"

    def test_of_the_way_there_is_done_while_a_restore_runs(
        self, location: StorageLocation, database: Database
    ) -> None:
        RestoreJobFactory.create(database=database)

        operations.change_storage_location(
            location_id=location.pk, endpoint=MOVED, region="eu-central-1",
            credentials_reference="env:OTHER", uses_path_style=False,
        )  # fmt: skip

        location.refresh_from_db()
        assert (location.endpoint, location.region) == (MOVED, "eu-central-1")

    @pytest.mark.parametrize("changed", [{"bucket": "other"}, {"prefix": "elsewhere"}])
    def test_of_the_place_waits_for_a_restore(
        self, changed: dict[str, Any], location: StorageLocation, database: Database
    ) -> None:
        job = RestoreJobFactory.create(database=database)

        with pytest.raises(LocationInUse, match=f"{job} works with this storage location"):
            operations.change_storage_location(location_id=location.pk, endpoint=MOVED, **changed)

        location.refresh_from_db()
        assert location.endpoint == ""
        job.state, job.ended_at = JobState.CANCELLED, NOON
        job.save()
        operations.change_storage_location(location_id=location.pk, **changed)

    def test_of_the_place_waits_for_whoever_reads_a_copy_there(
        self, location: StorageLocation
    ) -> None:
        copied = DatabaseFactory.create()
        copied.copies.add(location)
        RestoreJobFactory.create(database=copied)

        with pytest.raises(LocationInUse):
            operations.change_storage_location(location_id=location.pk, bucket="other")

    def test_of_the_place_waits_for_a_backup(
        self, location: StorageLocation, database: Database
    ) -> None:
        BackupJob.objects.create(
            database=database, label="nightly", requested_at=NOON, queued_at=NOON
        )

        with pytest.raises(LocationInUse, match="Backup nightly"):
            operations.change_storage_location(location_id=location.pk, bucket="other")

    def test_to_what_it_is_already_is_no_change(
        self, location: StorageLocation, database: Database
    ) -> None:
        RestoreJobFactory.create(database=database)

        changed = operations.change_storage_location(
            location_id=location.pk, bucket="backups", prefix="/pg/", endpoint=MOVED
        )

        assert (changed.bucket, changed.endpoint) == ("backups", MOVED)

    @pytest.mark.parametrize(
        "endpoint",
        ["s3.example.net", "ftp://s3.example.net", "https://", "https://key:secret@s3.example.net",
         "http://[::1", "https://s3.example.net/?versioning"],
    )  # fmt: skip
    def test_to_what_is_no_address_is_refused(
        self, endpoint: str, location: StorageLocation
    ) -> None:
        with pytest.raises(NotRegistrable, match="begins with http"):
            operations.change_storage_location(location_id=location.pk, endpoint=endpoint)

    def test_to_keys_in_place_of_their_name_is_refused(self, location: StorageLocation) -> None:
        with pytest.raises(NotRegistrable):
            operations.change_storage_location(
                location_id=location.pk, credentials_reference="AKIAKEY"
            )


class TestTheCommand:
    def test_says_how_it_is_reached_now(self, location: StorageLocation) -> None:
        said = change("--endpoint", MOVED, "--no-path-style")

        assert f"storage: backups/pg at {MOVED}, region us-east-1, bucket in the host name" in said
        assert "pause and resume it" in said
        assert "at AWS" in change("--endpoint", "")

    def test_asks_what_is_to_change(self, location: StorageLocation) -> None:
        with pytest.raises(CommandError, match="Say what is to change"):
            change()

    def test_names_what_it_does_not_know(self) -> None:
        with pytest.raises(CommandError, match="no storage location named 'storage'"):
            change("--region", "eu-central-1")

    def test_says_why_it_does_not(self, location: StorageLocation, database: Database) -> None:
        RestoreJobFactory.create(database=database)

        with pytest.raises(CommandError, match="can change at any time"):
            change("--bucket", "other")


class TestAtTheDesk:
    def test_locations_are_listed_with_what_lies_there(
        self, admin_client: Client, database: Database
    ) -> None:
        copied = DatabaseFactory.create(name="ledger")
        copied.copies.add(database.storage)

        page = admin_client.get(reverse("backups:location-list")).content.decode()

        assert all(words in page for words in ("storage", "backups/pg at AWS", "shop", "ledger"))
        detail = admin_client.get(reverse("backups:database-detail", args=[database.pk]))
        address = reverse("backups:location-edit", args=[database.storage_id])
        assert address in detail.content.decode()

    def test_as_many_questions_for_one_as_for_ten(self, admin_client: Client) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as queries:
                admin_client.get(reverse("backups:location-list"))
            return len(queries)

        DatabaseFactory.create()
        few = asked()
        DatabaseFactory.create_batch(9)
        assert asked() == few

    def test_one_is_changed(self, admin_client: Client, location: StorageLocation) -> None:
        address = reverse("backups:location-edit", args=[location.pk])
        assert 'value="env:STORAGE"' in admin_client.get(address).content.decode()
        said = {
            "endpoint": MOVED, "region": "eu-central-1", "uses_path_style": "on",
            "credentials_reference": "env:OTHER", "bucket": "backups", "folder": "pg",
            "tz": "Europe/Berlin", "is_read_only": "on",
        }  # fmt: skip

        assert admin_client.post(address, said).status_code == 302

        location.refresh_from_db()
        assert (location.endpoint, location.region, location.credentials_reference) == (
            MOVED, "eu-central-1", "env:OTHER",
        )  # fmt: skip
        assert (location.tz, location.is_read_only) == ("Europe/Berlin", True)
        again = admin_client.post(address, {**said, "tz": "Nowhere/At-all"})
        assert again.status_code == 422
        assert "Nowhere/At-all" in again.content.decode()

    def test_what_cannot_change_now_is_explained(
        self, admin_client: Client, location: StorageLocation, database: Database
    ) -> None:
        RestoreJobFactory.create(database=database)
        said = {
            "endpoint": MOVED, "region": "us-east-1", "credentials_reference": "env:STORAGE",
            "bucket": "other", "folder": "pg", "tz": "UTC",
        }  # fmt: skip

        answer = admin_client.post(reverse("backups:location-edit", args=[location.pk]), said)

        assert answer.status_code == 422
        assert "its bucket and prefix stay" in answer.content.decode()

    def test_is_for_staff(self, client: Client, location: StorageLocation) -> None:
        for name, args in (("location-list", []), ("location-edit", [location.pk])):
            answer = client.get(reverse(f"backups:{name}", args=args))
            assert answer.status_code == 302
            assert "/desk/" in answer["Location"]
