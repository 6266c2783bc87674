from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.management.following import follow_copy
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Bring the second place of a database's backups up to date. Nothing is deleted there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("--to", help="name of the storage location; the policy's without it")
        parser.add_argument(
            "--wait", action="store_true", help="work at it here; exit code 1 if it fails"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            location = queries.storage_location_named(options["to"]) if options["to"] else None
            job = operations.replicate_backups(
                database_id=database.pk,
                location_id=location.pk if location else None,
                by_worker=not options["wait"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if not options["wait"]:
            self.stdout.write(f"Queued {job}, to {job.destination}.")
            return
        follow_copy(job.pk, self.stdout)
