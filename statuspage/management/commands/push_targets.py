from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from statuspage.models import PublishTarget
from statuspage.publisher import targets

_NO_LIMIT = float("inf")


class Command(BaseCommand):
    help = "Copy what is published to every target that is on, and wait until it is there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--target", default="", help="only the targets of this name")

    def handle(self, *, target: str, **_options: Any) -> None:
        found = PublishTarget.objects.filter(is_on=True).order_by("pk").select_related("page")
        failed = 0
        for place in found.filter(name=target) if target else found:
            if targets.push(place, seconds=_NO_LIMIT):
                self.stdout.write(f"{place.page}: {place} is up to date.")
                continue
            failed += 1
            place.refresh_from_db()
            said = place.failure or "Another process is at it, or nothing is published yet."
            self.stderr.write(f"{place.page}: {place}: {said}")
        if failed:
            raise CommandError(f"{failed} of the targets could not be brought up to date.")
