from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Ask a check of a database's restores no longer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("name", help="name of the check")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            check = queries.check_named(database.pk, options["name"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        operations.remove_check(check_id=check.pk)
        self.stdout.write(f"{check} is not asked any more.")
