from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Let go of a database: nothing watches it any more. Nothing is deleted in any storage."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument(
            "--yes", action="store_true", help="do it without asking for the name once more"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            typed = database.name if options["yes"] else self._asked(database.name)
            done = operations.unregister_database(
                database_id=database.pk, typed=typed, by=None, at=timezone.now()
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            f"Unregistered {database}. Nothing was deleted: its backups stay in "
            f"{database.storage} under {database.archive_name}, and its server goes on archiving "
            "until somebody stops it there."
        )
        if done.stopped:
            self.stdout.write(f"Called off: {', '.join(done.stopped)}.")
        if done.ending:
            self.stdout.write(f"Asked to end, which takes a moment: {', '.join(done.ending)}.")

    def _asked(self, name: str) -> str:
        self.stdout.write(
            f"Nothing will watch {name} any more. Nothing is deleted in any storage, and its "
            "restores and drills stay on record."
        )
        try:
            return input("Type its name to unregister it: ")
        except EOFError as error:
            raise CommandError("Nobody answers. Add --yes to do it without asking.") from error
