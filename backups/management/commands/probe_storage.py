from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused

# Nobody probes twice in so short a time: what others wrote down is the answer then.
OF_LATE = timedelta(minutes=5)


class Command(BaseCommand):
    help = "Ask a storage location, or all of them, some small questions, and keep the answers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("location", nargs="?", help="the storage location; without, all")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["location"]:
                locations = [queries.storage_location_named(options["location"])]
            else:
                locations = queries.storage_locations()
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        bad = 0
        for location in locations:
            try:
                probes = operations.probe_now(location_id=location.pk, at=timezone.now())
            except operations.BeingProbed as other:
                # Whoever was at it has written down how it went.
                probes = queries.last_probes(location.pk, since=timezone.now() - OF_LATE)
                if not probes:
                    self.stderr.write(f"{location}: {other}")
                    bad += 1
                    continue
            except Refused as refusal:
                self.stderr.write(f"{location}: {refusal}")
                bad += 1
                continue
            for probe in probes:
                came = probe.error or f"{probe.bytes} bytes in {probe.seconds * 1000:.0f} ms"
                self.stdout.write(f"{location}: {str(probe.get_kind_display()).lower()}: {came}")
            bad += any(probe.error for probe in probes)
        if bad:
            raise CommandError(
                f"{bad} of {len(locations)} did not answer as they should, or not yet."
            )
