from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Ask the checks of a database where it runs now, and keep nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            for check in database.checks.order_by("name"):
                answers = operations.try_check(
                    database_id=database.pk, sql=check.sql, tenant_id=check.tenant_id
                )
                for tenant, answer in answers:
                    words = f"{answer.value} {answer.words}".strip()
                    self.stdout.write(f"{answer.outcome:6} {check}, {tenant}: {words}".rstrip(": "))
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
