from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.management.waiting import follow_restore
from incidents.errors import Refused


def moment(text: str) -> datetime:
    """Read a moment; without a zone it is UTC."""
    found = datetime.fromisoformat(text.removesuffix(" UTC"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Restore a database to a recovery target; with an incident, its page shows how far."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("recovery_target", help="name of the recovery target")
        parser.add_argument("--at", type=moment, help="the moment, in UTC; else the latest")
        parser.add_argument("--incident", type=int, help="number of the incident")
        parser.add_argument("--wait", action="store_true", help="work here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = operations.request_restore(
                database_id=queries.database_named(options["database"]).pk,
                recovery_target_id=queries.recovery_target_named(options["recovery_target"]).pk,
                target_at=options["at"],
                incident_id=options["incident"],
                by_worker=not options["wait"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Queued {job}.")
        if options["wait"]:
            follow_restore(job.pk, self.stdout)
