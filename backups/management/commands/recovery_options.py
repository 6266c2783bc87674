import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.management.moments import moment
from backups.management.telling_options import as_document, as_lines
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Show every sensible way to bring a database back, side by side; change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("--at", type=moment, help="the moment to go back to, in UTC")
        parser.add_argument(
            "--known", action="store_true", help="do not ask the storage; show what is on record"
        )
        parser.add_argument("--all", action="store_true", help="also what another option beats")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            at, unheard = timezone.now(), dict[int, str]()
            if not options["known"]:
                unheard = operations.unheard_places(database_id=database.pk, at=at)
            board = operations.recovery_options(
                database_id=database.pk,
                at=at,
                moment=options["at"],
                everything=options["all"],
                unheard=unheard,
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["format"] == "json":
            document = as_document(board, database=database.name)
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
            return
        for line in as_lines(board, database=database.name):
            self.stdout.write(line)
