from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import operations, queries
from backups.engines.checking import Outcome
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Ask the checks of a database where it runs now, and keep nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")

    def handle(self, *_args: Any, **options: Any) -> None:
        failed = 0
        try:
            database = queries.database_named(options["database"])
            many = queries.tenants_of(database.pk).count()
            for check in database.checks.order_by("name"):
                answers = operations.try_check(
                    database_id=database.pk, sql=check.sql, tenant_id=check.tenant_id
                )
                if check.tenant_id is None and len(answers) < many:
                    self.stdout.write(
                        f"{check} is asked of {len(answers)} of {many} tenants here, the first in "
                        "the order in which they come back; after a restore, of every one."
                    )
                for tenant, answer in answers:
                    failed += answer.outcome == Outcome.FAILED
                    words = f"{answer.value} {answer.words}".strip()
                    self.stdout.write(f"{answer.outcome:6} {check}, {tenant}: {words}".rstrip(": "))
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if failed:
            raise CommandError(
                f"{failed} failed: a restore stops there. Mend the data or the check."
            )
