from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from statuspage import subscribing


class Command(BaseCommand):
    help = "Erase subscriptions of a mailbox, and every message to it, for good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the mailbox")
        parser.add_argument("--yes", action="store_true", help="it cannot be undone; you mean it")

    def handle(self, *, email: str, yes: bool, **_options: Any) -> None:
        if not yes:
            raise CommandError(f"What is erased of {email} cannot be brought back. Add --yes.")
        count = subscribing.erase(email)
        self.stdout.write(f"{count} subscription{'' if count == 1 else 's'} of {email} erased.")
