"""What commands say to somebody who typed something that cannot be: which thing, and what then."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from backups import operations, queries
from backups.models import StorageLocation, Tenant, TenantRestore
from tests.backups.factories import DatabaseFactory, RestoreJobFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def tenant_of(database_id: int, name: str) -> Tenant:
    return Tenant.objects.create(
        database_id=database_id, name=name, public_code=name, registered_at=NOON
    )


class TestTurns:
    def test_that_are_not_known_yet_are_not_denied(self) -> None:
        job = RestoreJobFactory.create()
        tenant_of(job.database_id, "delta")

        with pytest.raises(CommandError, match="no turns yet") as refusal:
            call_command("tenant_restore", job.pk, "delta", "last")

        assert "From then on" in str(refusal.value)

    def test_of_others_are_denied(self) -> None:
        job = RestoreJobFactory.create()
        delta = tenant_of(job.database_id, "delta")

        with pytest.raises(queries.NotRegistered, match="no tenant named 'nobody'"):
            queries.tenant_restore_named(job.pk, "nobody")

        TenantRestore.objects.create(job=job, tenant=delta, place=1)
        with pytest.raises(queries.NotRegistered, match="no tenant named 'nobody'"):
            queries.tenant_restore_named(job.pk, "nobody")


class TestTakenNames:
    def test_a_public_code_is_named_with_who_has_it(self) -> None:
        first, second = DatabaseFactory.create(), DatabaseFactory.create()
        tenant_of(first.pk, "acme")

        with pytest.raises(operations.NotRegistrable, match="'acme', by acme of the database"):
            operations.register_tenant(
                database_id=second.pk, name="acme", public_code="acme", at=NOON
            )

    def test_a_location_is_changed_by_another_command(self) -> None:
        known = DatabaseFactory.create().storage

        with pytest.raises(CommandError, match="use change_storage_location"):
            call_command(
                "register_storage_location", known.name, bucket="b", credentials="settings:x"
            )


class TestLocations:
    @pytest.mark.parametrize("content", ['{"access_key": "a", "secret_key": "b"}', ""])
    def test_keys_that_are_not_there_are_warned_of(self, content: str, tmp_path: Path) -> None:
        keys, told = tmp_path / "keys.json", StringIO()
        if content:
            keys.write_text(content)

        call_command(
            "register_storage_location", "new", bucket="b", credentials=f"file:{keys}", stderr=told
        )

        assert StorageLocation.objects.filter(name="new").exists()
        assert ("there are no keys at" in told.getvalue()) is not bool(content)


class TestOptions:
    def test_what_is_no_code_was_never_shown(self) -> None:
        database = DatabaseFactory.create()

        with pytest.raises(operations.OptionGone, match="There is no option 'nonsense'"):
            operations.option_named(database_id=database.pk, code="nonsense", at=NOON)
        with pytest.raises(operations.OptionGone, match="not what it was"):
            operations.option_named(
                database_id=database.pk, code="latest-20261122t134500000000-b1-p1-t1-stage", at=NOON
            )


class TestReach:
    @pytest.mark.parametrize(
        ("minutes", "words"), [(0, "Only one moment can be restored"), (1, "Any moment from")]
    )
    def test_one_moment_is_no_range(
        self, minutes: int, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = DatabaseFactory.create(
            earliest_restorable_at=NOON, latest_restorable_at=NOON + timedelta(minutes=minutes)
        )
        monkeypatch.setattr(operations, "sync_backups", lambda **_said: database)
        told = StringIO()

        call_command("list_backups", database.name, stdout=told)

        assert words in told.getvalue()
