from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations
from incidents.errors import Refused

# A year. What rests for longer rests until somebody resumes it.
_MOST_MINUTES = 365 * 24 * 60


class Command(BaseCommand):
    help = "Let a restore rest; what has arrived is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument(
            "--minutes", type=int, help="how long; without it, until somebody resumes"
        )
        parser.add_argument("--because", default="", help="why, for the incident's timeline")

    def handle(self, *_args: Any, **options: Any) -> None:
        at, minutes = timezone.now(), options["minutes"]
        if minutes is not None and not 1 <= minutes <= _MOST_MINUTES:
            raise CommandError(f"A pause lasts 1 to {_MOST_MINUTES} minutes, or without --minutes.")
        try:
            job = operations.pause_restore(
                restore_id=options["restore"],
                at=at,
                ends_at=None if minutes is None else at + timedelta(minutes=minutes),
                reasons=options["because"],
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{job} pauses where it is.")
