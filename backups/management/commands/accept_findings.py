from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations
from backups.management.waiting import follow_restore
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Open a restore although some of its checks have failed; say why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument("--because", required=True, help="why, for the record")
        parser.add_argument("--wait", action="store_true", help="work here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = operations.accept_findings(
                restore_id=options["restore"],
                because=options["because"],
                by_worker=not options["wait"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{job} is opened without another look.")
        if options["wait"]:
            follow_restore(job.pk, self.stdout)
