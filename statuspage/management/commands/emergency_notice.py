from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from statuspage.publisher.notice import NothingPublished, put_notice


class Command(BaseCommand):
    help = "Put a notice on the published status page, or take it away. Needs no database."
    requires_system_checks = []
    # What manage.py shall start for it: nothing.
    embedded_servers: frozenset[str] = frozenset()

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("text", nargs="?", help="what customers shall read above everything")
        what.add_argument("--clear", action="store_true", help="take the notice away")
        parser.add_argument("--page", default="", help="the slug of one page; else all of them")

    def handle(self, *, text: str | None, clear: bool, page: str, **_options: Any) -> None:
        words = "" if clear else (text or "").strip()
        if not clear and not words:
            raise CommandError("Say what customers shall read, or --clear.")
        try:
            outcome = put_notice(words, at=timezone.now(), slug=page)
        except NothingPublished as fault:
            raise CommandError(
                "There is no published page to put it on. Run: manage.py publish_site"
            ) from fault
        done = "is gone from" if clear else "is on"
        for slug, revision in outcome.revisions.items():
            self.stdout.write(f"The notice {done} page {slug}, as revision {revision}.")
        if outcome.faults:
            # Said last, and as a failure: somebody has to see to these.
            left = "taken off" if clear else "put on"
            raise CommandError(
                "\n".join(
                    f"The notice could not be {left} page {slug}: {fault}"
                    for slug, fault in outcome.faults.items()
                )
            )
