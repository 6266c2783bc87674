from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries, runner
from backups.runbook import as_markdown
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Print what to do when a database is lost, as its configuration makes it now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("--format", choices=["markdown", "html"], default="markdown")
        parser.add_argument(
            "--write", type=Path, metavar="FOLDER", help="write both formats there, as files"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        at = timezone.now()
        try:
            database = queries.database_named(options["database"])
            if options["write"]:
                for path in operations.write_runbook(
                    database_id=database.pk, folder=options["write"], at=at
                ):
                    self.stdout.write(str(path))
                return
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        made = queries.runbook_of(database, at=at)
        is_html = options["format"] == "html"
        self.stdout.write(runner.runbook_html(made) if is_html else as_markdown(made), ending="")
