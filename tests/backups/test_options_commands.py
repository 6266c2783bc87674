"""Ways back on the command line: in 80 columns for people, whole for programs; one is started."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups.models import Backup, Database, RecoveryTarget, RestoreJob, StorageLocation, Tenant
from backups.runner.catalogue import Reading
from backups.runner.looking import look_at_archive
from incidents.models import TimelineEntry
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory, StorageLocationFactory
from tests.factories import HOUR, MINUTE, IncidentFactory

pytestmark = pytest.mark.django_db

GB = 10**9
WIDTH = 80


@pytest.fixture
def database() -> Database:
    now = timezone.now()
    # Nothing listens at its storage's address: the storage is away.
    database = DatabaseFactory.create(
        name="shop", synced_at=now, recovery_time_objective=HOUR,
        storage__endpoint="http://127.0.0.1:9",
        storage__credentials_reference="settings:NO_SUCH_CREDENTIALS",
    )  # fmt: skip
    Backup.objects.create(
        database=database, engine_id="20260112T000000", label="nightly", is_finished=True,
        began_at=now - 10 * HOUR, ended_at=now - 9 * HOUR, timeline=1, server_version=170010,
        cluster_bytes=12 * GB, stored_bytes=4 * GB, has_manifest=True, log_segments=900,
        log_bytes=5 * GB, reaches_until_at=now - 3 * MINUTE,
    )  # fmt: skip
    return database


@pytest.fixture
def target() -> RecoveryTarget:
    return RecoveryTargetFactory.create(
        name="standby", probed_at=timezone.now(), free_bytes=900 * GB, server_version=170010,
        write_bytes_per_second=4e8,
    )  # fmt: skip


def said(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def document(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said("recovery_options", *words, "--format=json"))
    return found


class TestText:
    def test_is_readable_in_eighty_columns(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        text = said("recovery_options", "shop", "--known")

        assert max(len(line) for line in text.splitlines()) <= WIDTH
        assert "latest" in text
        assert "Recommended." in text
        assert "Loses: Nothing that was archived." in " ".join(text.split())
        assert "manage.py restore_database shop" in text

    def test_says_what_to_do_where_nothing_can_be_offered(self, database: Database) -> None:
        text = said("recovery_options", "shop", "--known")

        assert "no-target" in text
        assert "There is no way back that could be offered." in text

    def test_names_the_storage_that_does_not_answer(
        self, database: Database, target: RecoveryTarget, settings: Settings
    ) -> None:
        settings.CREDENTIALS = {"NO_SUCH_CREDENTIALS": {"access_key": "a", "secret_key": "s"}}

        assert f"{database.storage.name} did not answer" in said("recovery_options", "shop")

    def test_tells_keys_that_are_not_there_from_silence_and_starts_nothing(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        text = " ".join(said("recovery_options", "shop").split())

        assert f"There are no keys for {database.storage.name} at settings:NO_SUCH" in text
        assert "X keys-missing:" in text
        assert "did not answer" not in text
        assert "Start it:" not in text

    def test_a_database_that_nobody_registered_is_answered_with_those_that_are(
        self, database: Database
    ) -> None:
        with pytest.raises(CommandError, match="Known: shop"):
            said("recovery_options", "shed")

    def test_a_moment_that_is_none_is_refused_with_how_one_is_written(
        self, database: Database
    ) -> None:
        with pytest.raises(CommandError, match="2026-01-12T00:14:00"):
            said("recovery_options", "shop", "--at", "yesterday")


class TestACopyThatIsSlow:
    @pytest.mark.parametrize("waits", [True, False])
    def test_is_not_said_to_be_silent_by_those_who_wait_for_it(
        self, database: Database, *, waits: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy = StorageLocationFactory.create(name="slow")
        database.copies.add(copy)

        @contextmanager
        def opened(_database: Database, *, location: StorageLocation, **_how: Any) -> Iterator[int]:
            yield location.pk

        def read(pk: int, *_rest: Any) -> Reading:
            if pk == copy.pk:
                time.sleep(1)
            return Reading(backups={}, earliest_at=None, latest_at=None)

        monkeypatch.setattr("backups.runner.looking.opened_archive", opened)
        monkeypatch.setattr("backups.runner.looking.read_catalogue", read)
        monkeypatch.setattr("backups.runner.looking._GRACE_SECONDS", 0.1)

        look = look_at_archive(
            database_id=database.pk, at=timezone.now(), budget_seconds=20, waits_for_copies=waits
        )

        assert list(look.faults) == ([] if waits else [copy.pk])


class TestJson:
    def test_holds_every_option_with_its_figures(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        board = document("shop", "--known")

        best = board["options"][0]
        assert board["recommended"] == best["code"]
        assert best["point"] == "LATEST"
        assert best["target"] == "standby"
        assert datetime.fromisoformat(best["data_until_at"]).utcoffset() is not None
        usable = best["usable_seconds"]
        assert 0 < usable["low"] < usable["middle"] < usable["high"]
        assert {"FETCH", "REPLAY", "VERIFY"} <= set(best["phases"])
        assert all({"code", "severity", "words"} == set(risk) for risk in best["risks"])

    def test_all_adds_what_was_left_out(self, database: Database, target: RecoveryTarget) -> None:
        some, whole = document("shop", "--known"), document("shop", "--known", "--all")

        assert len(whole["options"]) == len(some["options"]) + some["left_out"]
        assert whole["left_out"] == 0


class TestStart:
    def test_an_option_is_started_by_its_code(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        code = document("shop", "--known")["recommended"]

        told = said("restore_database", "shop", option=code, why="It loses the least.")

        job = RestoreJob.objects.get()
        assert f"Queued {job}" in told
        assert (job.target, job.reasons) == (target, "It loses the least.")
        assert job.estimates.count() == 1

    def test_the_end_of_a_backup_is_asked_for_by_its_name(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        said("restore_database", "shop", "standby", backup="nightly", strategy="stream", lanes=3)

        job = RestoreJob.objects.get()
        assert (job.point, job.strategy, job.lanes) == ("BACKUP", "STREAM", 3)
        assert job.backup == Backup.objects.get()

    def test_the_reasons_of_one_to_a_target_are_on_the_timeline(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        incident = IncidentFactory.create()

        said(
            "restore_database", "shop", "standby", backup="nightly", why="It is the only one.",
            incident=incident.pk,
        )  # fmt: skip

        entry = TimelineEntry.objects.get(tags__contains=["decision"])
        assert "shop" in entry.text
        assert "standby" in entry.text
        assert entry.text.endswith("Reasons: It is the only one.")

    def test_both_parts_of_one_in_two_stages_are_named_and_the_reasons_told_once(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        Tenant.objects.create(
            database=database, name="acme", public_code="acme", registered_at=timezone.now()
        )
        RecoveryTargetFactory.create(name="beside", probed_at=timezone.now(), free_bytes=900 * GB)
        incident = IncidentFactory.create()

        told = said(
            "restore_database", "shop", "standby", rest_at="beside", why="Half of it early.",
            incident=incident.pk,
        )  # fmt: skip

        first, rest = RestoreJob.objects.order_by("pk")
        assert f"Queued {first}, and {rest} for the rest." in told
        assert TimelineEntry.objects.filter(tags__contains=["decision"]).count() == 1

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({}, "Say where to"),
            ({"option": "latest-x", "backup": "nightly"}, "Leave the rest out"),
            ({"option": "latest-x"}, "There is no option"),
            ({"recovery_target": "standby", "backup": "weekly"}, "Known: nightly"),
            ({"recovery_target": "standby", "source": "attic"}, "no storage location"),
        ],
    )
    def test_what_does_not_fit_is_refused_with_what_to_do(
        self,
        database: Database,
        target: RecoveryTarget,
        options: dict[str, str],
        sentence: str,
    ) -> None:
        with pytest.raises(CommandError, match=sentence):
            said("restore_database", "shop", **options)

    def test_a_place_that_is_no_copy_is_refused(
        self, database: Database, target: RecoveryTarget
    ) -> None:
        StorageLocationFactory.create(name="attic")

        with pytest.raises(CommandError, match="does not hold the database's objects"):
            said("restore_database", "shop", "standby", source="attic")


class TestRegister:
    def test_a_database_is_registered_with_its_copies(self) -> None:
        for name in ("main", "copy"):
            said("register_storage_location", name, "--bucket", "b", "--credentials", "env:X")

        said("register_database", "shop", "main", "--password", "env:P", "--copy", "copy")
        with pytest.raises(CommandError, match="no copy of itself"):
            said("register_database", "shed", "main", "--password", "env:P", "--copy", "main")

        assert [copy.name for copy in Database.objects.get().copies.all()] == ["copy"]

        assert "Copies of shop: none." in said("set_copies", "shop")
        assert "Copies of shop: copy." in said("set_copies", "shop", "copy")
        with pytest.raises(CommandError, match="no storage"):
            said("set_copies", "shop", "attic")

    def test_a_target_says_where_applications_find_what_came_back(self) -> None:
        said(
            "register_recovery_target", "spare", "--port", "5999", "--data-dir", "/nowhere/d",
            "--work-dir", "/nowhere/w", "--host", "db2.internal",
        )  # fmt: skip

        assert RecoveryTarget.objects.get().host == "db2.internal"
