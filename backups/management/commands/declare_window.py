import re
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.management.moments import moment
from incidents.errors import Refused

_CLOCK = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def clock(text: str) -> int:
    """Read a time of day as its minute: 00:00 to 24:00."""
    found = _CLOCK.fullmatch(text)
    minute = int(found[1]) * 60 + int(found[2]) if found else -1
    if not 0 <= minute <= 1440:  # noqa: PLR2004 - the minutes of a day
        raise ArgumentTypeError(f"{text!r} is no time of day; write it as in 06:00")
    return minute


class Command(BaseCommand):
    help = "Say in which hours a storage location gives less, as its provider announced."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("location")
        parser.add_argument("begins", type=clock, help="as in 00:00")
        parser.add_argument("ends", type=clock, help="as in 06:00; earlier: on the next day")
        parser.add_argument("--zone", help="as in Europe/Amsterdam; without, the location's own")
        parser.add_argument(
            "--weekday", type=int, action="append", default=[], metavar="N",
            help="1, Monday, to 7, Sunday; several times for several; without, every day",
        )  # fmt: skip
        parser.add_argument("--slower", type=float, help="how many times slower, as in 4")
        parser.add_argument("--errors", type=float, help="requests that fail, in percent")
        parser.add_argument("--since", type=moment, help="without, from now on")
        parser.add_argument("--note", default="", help="who said so, or where")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            location = queries.storage_location_named(options["location"])
            errors = options["errors"]
            row = operations.declare_window(
                location_id=location.pk,
                from_minute=options["begins"],
                until_minute=options["ends"] or 1440,
                tz=options["zone"] or location.tz,
                weekdays=options["weekday"],
                slower=options["slower"],
                error_share=None if errors is None else errors / 100,
                since_at=options["since"],
                note=options["note"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        words = queries.window_of(row).words
        self.stdout.write(f"Window {row.pk} of {location}: {words}.")
