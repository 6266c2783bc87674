from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations
from backups.management.waiting import follow_restore
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Let a stopped restore go on where it stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument("--wait", action="store_true", help="work here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = operations.resume_restore(
                restore_id=options["restore"],
                by_worker=not options["wait"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Queued {job} again.")
        if options["wait"]:
            follow_restore(job.pk, self.stdout)
