from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from backups.models import CheckDepth
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Say how much of a database is read after a restore, before it is opened."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument(
            "depth",
            choices=[depth.value.lower() for depth in CheckDepth],
            help="full: every page, and every row against its indexes; "
            "quick: the catalogue and what is small",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        depth = CheckDepth(options["depth"].upper())
        operations.set_check_depth(database_id=database.pk, depth=depth)
        self.stdout.write(f"{database}: {depth.label}.")
