from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Keep a standby of a database warm at a recovery target, or stop keeping it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("--target", required=True, help="name of the recovery target")
        parser.add_argument(
            "--stop",
            action="store_true",
            help="take the standby away: its server is stopped, its directory is removed",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            target = queries.recovery_target_named(options["target"])
            if options["stop"]:
                standby = queries.standby_named(database.pk, target)
                operations.stop_keeping_warm(standby_id=standby.pk, typed=target.name)
                said = f"{standby}: the worker of the queue {target.queue} takes it away."
            else:
                standby = operations.keep_warm(
                    database_id=database.pk, target_id=target.pk, at=timezone.now()
                )
                said = f"{standby}: {standby.base} comes first; then it follows the archive."
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(said)
