"""Runbooks from rows: true at each reading, without a secret, ticked in incidents, written down."""

import io
import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from backups import operations, queries, runner
from backups.models import (
    AlertRule,
    Database,
    Drill,
    DrillState,
    EngineName,
    LossForecast,
    RestoreStrategy,
    RunbookSection,
    RunbookTick,
)
from backups.options.words import to_the_second
from backups.runbook import Runbook, as_markdown
from backups.runner import runbooks
from incidents.models import NoticeChannel, TimelineEntry
from incidents.operations import EditedMeanwhile
from notifications.models import Channel
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
    StorageLocationFactory,
)
from tests.factories import HOUR, NOON, IncidentFactory, ResponderFactory

DAY = timedelta(days=1)
SECRETS = ("planted-access", "planted-secret", "planted-password", "planted-hook-token-1234567890")


@pytest.fixture
def database() -> Database:
    storage = StorageLocationFactory.create(
        name="offsite", endpoint="https://s3.example.net", prefix="pg", bucket="backups"
    )
    database: Database = DatabaseFactory.create(name="shop", storage=storage)
    return database


def drill_of(database: Database, *, state: str = "PASSED", at: timedelta = DAY) -> Drill:
    job = RestoreJobFactory.create(
        database=database, target=RecoveryTargetFactory.create(), state="SUCCEEDED", ended_at=NOON,
        strategy=RestoreStrategy.STREAM, is_scratch=True,
    )  # fmt: skip
    drill: Drill = Drill.objects.create(
        database=database, target=job.target, restore=job, state=DrillState(state), words="why",
        backup=BackupFactory.create(database=database), requested_at=NOON - at - HOUR,
        ended_at=NOON - at, measured_seconds=1800,
    )  # fmt: skip
    return drill


def text_of(database: Database) -> str:
    return as_markdown(queries.runbook_of(database, at=NOON))


@pytest.mark.django_db
class TestReading:
    @pytest.mark.parametrize("engine", EngineName.values)
    def test_holds_no_secret_whatever_the_engine(
        self,
        engine: str,
        tmp_path: Path,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        keys = tmp_path / "keys.json"
        keys.write_text(
            json.dumps({"access_key": SECRETS[0], "secret_key": SECRETS[1], "password": SECRETS[2]})
        )
        settings.CREDENTIALS = {"copy": {"access_key": SECRETS[0], "secret_key": SECRETS[1]}}
        monkeypatch.setenv("SHOP_PASSWORD", SECRETS[2])
        storage = StorageLocationFactory.create(credentials_reference=f"file:{keys}")
        database = DatabaseFactory.create(
            engine=engine, storage=storage, password_reference="env:SHOP_PASSWORD"
        )
        database.copies.add(StorageLocationFactory.create(credentials_reference="settings:copy"))
        BackupFactory.create(database=database)
        NoticeChannel.objects.create(
            name="room", channel=Channel.CHAT, created_at=NOON,
            address=f"https://chat.example/hooks/{SECRETS[3]}",
        )  # fmt: skip

        made = queries.runbook_of(database, at=NOON)

        for text in (as_markdown(made), runner.runbook_html(made)):
            assert not any(secret in text for secret in SECRETS)
            assert str(keys) in text
            assert "env:SHOP_PASSWORD" in text
            assert "settings:copy" in text
            assert "chat.example" in text

    def test_follows_what_is_configured(self, database: Database) -> None:
        assert "s3.example.net" in text_of(database)

        database.storage.endpoint = "https://s3.other.example"
        database.storage.save()
        database.host = "db9"

        assert "https://s3.other.example,backups,pg/main/base/" in text_of(database)
        assert "pg_isready --host db9" in text_of(database)

    def test_a_drill_proves_and_the_next_failure_takes_it_back(self, database: Database) -> None:
        assert "proven by drill" not in text_of(database)

        drill = drill_of(database)
        LossForecast.objects.create(
            database=database, at=NOON - HOUR, loss_seconds=60, low_seconds=600,
            middle_seconds=900, high_seconds=1200, plan_words="To the latest.",
            plan_code=f"latest-20261122t000000000000-b1-p1-t{drill.target_id}-stream",
        )  # fmt: skip
        text = text_of(database)
        assert f"proven by drill {drill.pk}, 1 day ago" in text
        assert "1 min of data lost, back in 10-20 min" in text

        failed = drill_of(database, state="FAILED", at=HOUR)
        Drill.objects.filter(pk=failed.pk).update(target=drill.target)
        assert "proven by drill" not in text_of(database)
        assert f"drill {failed.pk} failed 1 h 00 min ago" in text_of(database)

    def test_one_of_the_old_engine_proves_nothing_of_the_new(self, database: Database) -> None:
        drill_of(database)
        database.engine = EngineName.PG_DUMP

        assert "proven by drill" not in text_of(database)

    def test_names_those_first_whom_a_rule_tells(self, database: Database) -> None:
        for name in ("a list", "on call"):
            NoticeChannel.objects.create(
                name=name, channel=Channel.EMAIL, address=f"{name[0]}@example.org", created_at=NOON
            )
        rule = AlertRule.objects.create(name="critical", states=["CRITICAL"], created_at=NOON)
        rule.channels.add(NoticeChannel.objects.get(name="on call"))
        off = AlertRule.objects.create(
            name="old", states=["WARNING"], created_at=NOON, is_enabled=False
        )
        off.channels.add(NoticeChannel.objects.get(name="a list"))

        first, second = queries.runbook_of(database, at=NOON).contacts

        assert (first.name, first.address, first.why) == (
            "on call", "o@example.org", "Told by critical.",
        )  # fmt: skip
        assert second.name == "a list"
        assert second.why.startswith("Hears of")

    def test_says_why_a_target_is_not_ready(self, database: Database) -> None:
        BackupFactory.create(database=database, cluster_bytes=10**9)
        plain = {"probed_at": NOON, "server_version": 170010, "free_bytes": 10**12}
        seen: dict[str, dict[str, Any]] = {
            "ready": {}, "unseen": {"probed_at": None}, "held": {"occupied_by": "port"},
            "long ago": {"probed_at": NOON - DAY}, "old": {"server_version": 160002},
            "small": {"free_bytes": 10},
        }  # fmt: skip
        for name, facts in seen.items():
            RecoveryTargetFactory.create(name=name, **{**plain, **facts})

        said = dict(queries.runbook_of(database, at=NOON).targets)

        assert said["ready"].endswith(": ready")
        for name, why in {
            "unseen": "no worker has looked at it", "held": "another program has its port",
            "long ago": "not looked at for 1 d 0 h", "old": "it has PostgreSQL 16, the backup 17",
            "small": "it has too little room",
        }.items():  # fmt: skip
            assert said[name].endswith(f"not ready: {why}")


@pytest.mark.django_db
class TestSections:
    def test_are_added_changed_moved_and_removed(self, database: Database) -> None:
        by = ResponderFactory.create()
        for title in ("one", "two", "three"):
            operations.add_section(database_id=database.pk, title=title, body="b", by=by, at=NOON)

        def titles() -> list[str]:
            return [row.title for row in queries.runbook_sections(database.pk)]

        third = RunbookSection.objects.get(title="three")
        operations.move_section(section_id=third.pk, to="up")
        assert titles() == ["one", "three", "two"]
        operations.move_section(section_id=third.pk, to="up")
        operations.move_section(section_id=third.pk, to="up")
        assert titles() == ["three", "one", "two"]

        changed = operations.edit_section(
            section_id=third.pk, title="third", body="new", version=1, by=by, at=NOON + HOUR
        )
        assert (changed.version, changed.edited_at) == (2, NOON + HOUR)
        assert "## third\n\nnew" in text_of(database)
        with pytest.raises(EditedMeanwhile):
            operations.remove_section(section_id=third.pk, version=1)
        operations.remove_section(section_id=third.pk, version=2)
        assert titles() == ["one", "two"]

    def test_whoever_was_quicker_is_not_overwritten(self, database: Database) -> None:
        section = operations.add_section(
            database_id=database.pk, title="t", body="b", by=None, at=NOON
        )

        def change(body: str) -> None:
            operations.edit_section(
                section_id=section.pk, title="t", body=body, version=1, by=None, at=NOON
            )

        change("first")
        with pytest.raises(EditedMeanwhile):
            change("second")
        # The same words again are no conflict.
        change("first")
        assert RunbookSection.objects.get().body == "first"


def ticked(database: Database, incident_id: int, step: str = "restore") -> RunbookTick:
    return operations.tick_step(
        database_id=database.pk, incident_id=incident_id, step=step, by=None, at=NOON
    )


@pytest.mark.django_db
class TestTicks:
    def test_stand_on_the_timeline_once_and_for_staff(self, database: Database) -> None:
        incident = IncidentFactory.create()

        tick, again = ticked(database, incident.pk), ticked(database, incident.pk)

        assert tick == again
        entry = TimelineEntry.objects.get(incident=incident, tags=["runbook"])
        assert entry == tick.entry
        assert (entry.text, entry.is_public) == ("Runbook of shop: “Restore” is done.", False)
        assert set(queries.runbook_ticks(database.pk, incident.pk)) == {"restore"}

    def test_are_taken_back_with_their_entry(self, database: Database) -> None:
        incident = IncidentFactory.create()
        tick = ticked(database, incident.pk)

        for expected in (True, False):
            assert expected is operations.untick_step(
                database_id=database.pk, incident_id=incident.pk, step="restore", by=None, at=NOON
            )

        assert tick.entry is not None
        assert TimelineEntry.objects.get(pk=tick.entry.pk).deleted_at == NOON
        assert not RunbookTick.objects.exists()
        assert ticked(database, incident.pk).entry != tick.entry

    def test_know_no_step_that_is_not_there(self, database: Database) -> None:
        with pytest.raises(operations.NoSuchStep):
            ticked(database, IncidentFactory.create().pk, step="tenants")
        assert not TimelineEntry.objects.filter(tags=["runbook"]).exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_tick_at_once_tick_once(database: Database) -> None:
    incident = IncidentFactory.create()
    barrier = threading.Barrier(4)
    failures: list[Exception] = []

    def tick() -> None:
        try:
            barrier.wait(timeout=10)
            ticked(database, incident.pk)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    assert RunbookTick.objects.count() == 1
    assert TimelineEntry.objects.filter(incident=incident, tags=["runbook"]).count() == 1


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("runbook", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestFiles:
    def test_the_command_prints_either_format(self, database: Database) -> None:
        assert printed("shop").startswith("# If shop is lost\n")
        assert printed("shop", "--format", "html").startswith("<!doctype html>")
        with pytest.raises(CommandError, match="ship"):
            printed("ship")

    def test_the_command_writes_both(self, database: Database, tmp_path: Path) -> None:
        files = [Path(line) for line in printed("shop", "--write", str(tmp_path)).splitlines()]

        assert [path.suffix for path in files] == [".md", ".html"]
        assert all(path.stat().st_mode & 0o077 == 0 for path in files)
        (tmp_path / "file").write_text("")
        with pytest.raises(CommandError, match="Name a folder"):
            printed("shop", "--write", str(tmp_path / "file"))

    def test_beat_keeps_all_of_them_and_no_other(
        self, database: Database, tmp_path: Path, settings: Settings
    ) -> None:
        settings.RUNBOOK_ROOT = tmp_path / "runbooks"
        other = DatabaseFactory.create(name="Übrige/Läden")
        assert runner.write_runbooks(at=NOON) == 2
        assert runner.write_runbooks(at=NOON + HOUR / 2) == 0
        assert runner.write_runbooks(at=NOON + HOUR) == 2
        assert len(list(settings.RUNBOOK_ROOT.iterdir())) == 4
        (settings.RUNBOOK_ROOT / "mine.md").write_text("kept")

        other.delete()
        runner.write_runbooks(at=timezone.now())

        assert {path.name for path in settings.RUNBOOK_ROOT.iterdir()} == {
            f"runbook-shop-{database.pk}.md", f"runbook-shop-{database.pk}.html", "mine.md",
        }  # fmt: skip

    def test_one_that_stumbles_is_kept_as_it_was_and_keeps_no_other_from_it(
        self,
        database: Database,
        tmp_path: Path,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        settings.RUNBOOK_ROOT = tmp_path / "runbooks"
        later = DatabaseFactory.create(name="zoo")
        runner.write_runbooks(at=NOON)

        def stumble(row: Database, *, at: datetime) -> Runbook:
            if row == database:
                raise ZeroDivisionError
            return queries.runbook_of(row, at=at)

        monkeypatch.setattr(runbooks, "runbook_of", stumble)

        assert runner.write_runbooks(at=NOON + DAY) == 1

        assert len(list(settings.RUNBOOK_ROOT.iterdir())) == 4
        said = (settings.RUNBOOK_ROOT / f"runbook-zoo-{later.pk}.md").read_text()
        assert to_the_second(NOON + DAY) in said

    def test_a_page_on_its_own_runs_and_loads_nothing(self, database: Database) -> None:
        operations.add_section(
            database_id=database.pk, title="<i>t</i>", body="<script>x</script>", by=None, at=NOON
        )

        page = printed("shop", "--format", "html")

        for tag in ("<script", "<link", "<img", "<i>"):
            assert tag not in page


@pytest.mark.django_db
def test_costs_as_many_questions_for_many_drills(
    database: Database, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(6):
        drill_of(database)
    with django_assert_max_num_queries(14):
        text_of(database)
