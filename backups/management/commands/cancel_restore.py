from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations
from incidents.errors import Refused


class Command(BaseCommand):
    help = "End a restore, and take back what it put at its recovery target."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = operations.cancel_restore(restore_id=options["restore"], at=timezone.now())
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{job} will end as soon as a worker has cleared its target.")
