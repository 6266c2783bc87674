"""What the command says of a backup that was not taken."""

import pytest
from django.core.management import CommandError, call_command

from backups import runner
from backups.models import BackupJob, JobState
from tests.backups.factories import DatabaseFactory
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_names_the_tools_last_words_and_where_all_of_them_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = DatabaseFactory.create()
    detail = (
        "barman-cloud-backup ended with 2: first\nsecond\n"
        "ERROR: Cannot connect to postgres: connection to server on port 5 failed: "
        "Connection refused\n\tIs the server running on that host?\n\n"
    )

    def fails(*, backup_id: int, now: object) -> None:
        del now
        BackupJob.objects.filter(pk=backup_id).update(
            state=JobState.FAILED, ended_at=NOON, failure_code="tool-failed",
            failure_advice="Mend the cause.", detail=detail,
        )  # fmt: skip

    monkeypatch.setattr(runner, "run_backup", fails)

    with pytest.raises(CommandError) as refused:
        call_command("take_backup", database.name, "--wait")

    said = str(refused.value)
    assert "Mend the cause." in said
    assert "Connection refused Is the server running on that host?" in said
    assert "first" not in said
    assert f"on the page of {database} at the desk, under 'What the tool said'" in said
