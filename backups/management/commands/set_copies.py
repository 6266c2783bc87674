from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Say which other storage locations hold a database's backups; those named, no others."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("location", nargs="*", help="names of storage locations; none: no copy")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = operations.set_copies(
                database_id=queries.database_named(options["database"]).pk,
                copy_ids=[queries.storage_location_named(name).pk for name in options["location"]],
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        copies = ", ".join(database.copies.order_by("name").values_list("name", flat=True))
        self.stdout.write(f"Copies of {database}: {copies or 'none'}.")
