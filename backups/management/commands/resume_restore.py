from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations
from backups.management.waiting import follow_restore
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Let a stopped restore go on where it stopped, or withdraw a pause that lies ahead."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument("--wait", action="store_true", help="work here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        at = timezone.now()
        try:
            job = operations.resume_restore(
                restore_id=options["restore"],
                by_worker=not options["wait"],
                at=at,
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if job.queued_at == at:
            self.stdout.write(f"Queued {job} again.")
        else:
            self.stdout.write(f"{job} goes on; the pause that was planned is withdrawn.")
        if options["wait"]:
            follow_restore(job.pk, self.stdout)
