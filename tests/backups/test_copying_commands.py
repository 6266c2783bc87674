"""Copies and moves from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from backups.models import CopyJob
from tests.backups.archives import BACKUP, Archive

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _lease_holds(settings: Settings) -> None:
    # Renewing is another connection's work, which does not see this test's transaction.
    settings.HEARTBEAT_SECONDS = 3600


class TestTheCommands:
    def test_replicate_and_say_what_came(self, archive: Archive) -> None:
        out = StringIO()

        call_command("replicate_backups", "orders", "--to", "attic", "--wait", stdout=out)

        assert "attic holds everything: 8 objects" in out.getvalue()

    def test_fail_where_the_copy_does(self, archive: Archive) -> None:
        archive.flip(f"main/base/{BACKUP}/data.tar", 7)

        with pytest.raises(CommandError, match="damaged"):
            call_command(
                "replicate_backups", "orders", "--to", "attic", "--wait", stdout=StringIO()
            )

    def test_move_switch_and_finish(self, archive: Archive) -> None:
        out = StringIO()

        call_command("migrate_backups", "orders", "attic", "--wait", stdout=out)
        call_command("migrate_backups", "orders", "attic", "--switch", stdout=out)
        with pytest.raises(CommandError, match="Nobody has looked"):
            call_command("migrate_backups", "orders", "attic", "--finish", stdout=out)
        CopyJob.objects.update(heartbeat_at=timezone.now())
        call_command("migrate_backups", "orders", "attic", "--finish", stdout=out)

        assert "Ready to switch" in out.getvalue()
        assert "barman-cloud-wal-archive" in out.getvalue()
        archive.database.refresh_from_db()
        assert archive.database.storage == archive.second
