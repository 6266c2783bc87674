from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Say that a storage location's saturation window is over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("window", type=int, help="its number, as storage_weather says it")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            row = operations.end_window(window_id=options["window"], at=timezone.now())
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Nothing reckons with it any more: {queries.window_of(row).hours}.")
