from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Read a database's catalogue, and list its backups and what can be restored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="its name")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = operations.sync_backups(
                database_id=queries.database_named(options["database"]).pk, at=timezone.now()
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        for backup in queries.backups_of(database.pk):
            proof = "with manifest" if backup.has_manifest else "without manifest"
            self.stdout.write(
                f"{backup.engine_id}  {backup.label}  ended {backup.ended_at:%Y-%m-%d %H:%M:%S} UTC"
                f"  {(backup.stored_bytes or 0) / 1e6:.1f} MB  {proof}"
            )
        if database.earliest_restorable_at is None:
            self.stdout.write("Nothing can be restored: there is no finished backup.")
            return
        if database.earliest_restorable_at == database.latest_restorable_at:
            only = f"{database.earliest_restorable_at:%Y-%m-%d %H:%M:%S.%f} UTC"
            self.stdout.write(f"Only one moment can be restored: {only}, the end of a backup.")
            return
        self.stdout.write(
            f"Any moment from {database.earliest_restorable_at:%Y-%m-%d %H:%M:%S.%f} UTC "
            f"to {database.latest_restorable_at:%Y-%m-%d %H:%M:%S.%f} UTC can be restored."
        )
