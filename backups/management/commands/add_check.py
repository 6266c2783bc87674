from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Have a question in SQL asked of what every restore of a database brings back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("name", help="what to call the check")
        parser.add_argument("sql", help="one SELECT with one value: true passes, others are shown")
        parser.add_argument(
            "--tenant", default="", help="code of the one tenant it is asked of; else every one"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            code = options["tenant"]
            tenant = queries.tenant_named(database.pk, code) if code else None
            warning = operations.read_check(
                database_id=database.pk,
                sql=options["sql"],
                tenant_id=tenant.pk if tenant else None,
            )
            check = operations.add_check(
                database_id=database.pk,
                name=options["name"],
                sql=options["sql"],
                tenant_id=tenant.pk if tenant else None,
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if warning:
            self.stderr.write(f"Warning: {warning} Ask it with try_checks {database}.")
        self.stdout.write(f"Every restore of {database} is asked: {check}.")
