from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries, runner
from backups.errors import EngineFailed
from backups.management.following import follow_copy
from backups.models import CopyJob
from incidents.errors import Refused


class Command(BaseCommand):
    help = (
        "Move a database's backups to another storage location: copy, switch, and finish once the "
        "old place is needed no more. Nothing is deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("location", help="name of the location to move to")
        deed = parser.add_mutually_exclusive_group()
        deed.add_argument(
            "--wait", action="store_true", help="copy here, without a worker; exit code 1 if not"
        )
        deed.add_argument(
            "--switch", action="store_true", help="make it the database's own place now"
        )
        deed.add_argument(
            "--finish", action="store_true", help="let the old place go; it is not emptied"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            location = queries.storage_location_named(options["location"])
            if options["switch"]:
                self._switch(queries.move_of(database.pk, location.pk))
            elif options["finish"]:
                job = queries.move_of(database.pk, location.pk)
                operations.end_migration(copy_id=job.pk, at=timezone.now())
                self.stdout.write(f"{job.source} is let go. Nothing in it was deleted.")
            else:
                job = operations.begin_migration(
                    database_id=database.pk,
                    destination_id=location.pk,
                    by_worker=not options["wait"],
                    at=timezone.now(),
                )
                self._begun(job, waits=options["wait"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _begun(self, job: CopyJob, *, waits: bool) -> None:
        if not waits:
            self.stdout.write(f"Queued {job}, to {job.destination}.")
            return
        follow_copy(job.pk, self.stdout)
        self.stdout.write("Ready to switch: the same command with --switch.")

    def _switch(self, job: CopyJob) -> None:
        operations.switch_migration(copy_id=job.pk, typed=job.destination.name, at=timezone.now())
        self.stdout.write(
            f"{job.destination} is the place of {job.database} now; {job.source} is kept."
        )
        try:
            said = runner.archiving_at(job.database, job.destination)
        except EngineFailed as failure:
            self.stderr.write(failure.advice)
            return
        if said is None:
            return
        self.stdout.write("Set this at the server now, and reload it:")
        self.stdout.write(f"  {said.setting}")
        for name, value in said.environment.items():
            self.stdout.write(f"  environment: {name}={value}")
