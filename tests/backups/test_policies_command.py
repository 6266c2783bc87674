"""Policies on the command line: shown, foreseen, changed."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backups import tasks
from backups.models import BackupJob, BackupPolicy, Database, PolicyChange
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def database() -> Database:
    return DatabaseFactory.create(name="shop")


def said(*words: str) -> str:
    out = StringIO()
    call_command("backup_policy", "shop", *words, stdout=out)
    return out.getvalue()


def document(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(*words, "--format", "json"))
    return found


class TestBackupPolicy:
    def test_shows_what_holds(self, database: Database) -> None:
        assert "no policy yet" in said()

        said("--full", "daily", "--why", "agreed")

        assert "Full backups: every day at 02:00" in said()
        assert "At the worst moment, just before the next backup: replay of up to 1 day" in said()
        assert document()["version"] == 1
        assert "full" in document()["due"]

    def test_says_what_a_change_does_and_saves_it(self, database: Database) -> None:
        RecoveryTargetFactory.create(name="standby", port=6000)

        words = said(
            "--full", "0 3 * * 0", "--drill", "weekly", "--drill-target", "standby", "--keep-days",
            "30", "--keep-fulls", "4", "--tz", "Europe/Berlin", "--may-lose", "15", "--window",
            "0 22 * * 6; 4; indexes are rebuilt", "--why", "agreed",
        )  # fmt: skip

        assert words.startswith("no → weekly fulls: ")
        assert "how long it takes is not known" in words
        assert "Saved as version 1." in words
        policy = BackupPolicy.objects.get()
        assert (policy.full_schedule, policy.keep_for) == ("0 3 * * 0", timedelta(days=30))
        assert policy.maintenance_windows.get().lasts == timedelta(hours=4)
        assert policy.drill_target is not None
        said("--keep-days", "0", "--no-windows", "--drill", "never", "--drill-target", "none",
             "--why", "no more")  # fmt: skip
        policy = BackupPolicy.objects.get()
        assert (policy.keep_for, policy.drill_target) == (None, None)
        assert not policy.maintenance_windows.exists()

    def test_only_looks_on_a_dry_run(self, database: Database) -> None:
        found = document("--full", "weekly", "--dry-run")

        assert found["saved"] is False
        assert found["changes"] == {"full_schedule": ["never", "Sundays at 02:00"]}
        assert found["effect"]["after"]["replay_seconds"] == 7 * 86_400
        assert not PolicyChange.objects.exists()

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["--full", "daily"], "Say why"),
            (["--full", "now", "--why", "x"], "five fields"),
            (["--keep-days", "-1", "--why", "x"], "is no number"),
            (["--window", "always", "--why", "x"], "is no window"),
            (["--review-on", "soon", "--why", "x"], "is no day"),
            (["--replicate-to", "nowhere", "--why", "x"], "no storage location named"),
            (["--incremental", "hourly", "--why", "x"], "takes full backups only"),
        ],
    )
    def test_refuses_with_the_reason(
        self, database: Database, words: list[str], reason: str
    ) -> None:
        with pytest.raises(CommandError, match=reason):
            said(*words)


class TestBeat:
    def test_sends_a_worker_to_what_is_due(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said("--full", "daily", "--why", "agreed")
        BackupPolicy.objects.update(full_due_at=NOON)
        sent: list[int] = []
        monkeypatch.setattr(
            tasks.advance_backup, "delay", lambda *, backup_id: sent.append(backup_id)
        )

        tasks.begin_what_is_due()
        tasks.begin_what_is_due()

        assert sent == [BackupJob.objects.get(database=database).pk]
