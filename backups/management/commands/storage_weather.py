from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Say in which hours a storage location gives less than it can."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("location")
        parser.add_argument(
            "--look", action="store_true", help="look for windows in what was measured, first"
        )
        parser.add_argument("--zone", help="count its hours in this time zone from now on")

    def handle(self, *_args: Any, **options: Any) -> None:
        at = timezone.now()
        try:
            location = queries.storage_location_named(options["location"])
            if options["zone"]:
                operations.set_storage_zone(location_id=location.pk, tz=options["zone"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["look"]:
            operations.find_windows_now(location_id=location.pk, at=at)
        rows = queries.window_rows(location.pk)
        for row, window in rows:
            source = str(row.get_source_display()).lower()
            self.stdout.write(f"{row.pk}: {window.words} ({source}) {row.note}".rstrip())
        if not rows:
            self.stdout.write("No saturation window is known.")
