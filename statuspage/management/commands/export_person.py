import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from statuspage import subscribing


class Command(BaseCommand):
    help = "Print, as JSON, all that is kept of whoever has a mailbox: for those who ask for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the mailbox")

    def handle(self, *, email: str, **_options: Any) -> None:
        said = subscribing.data_of(email)
        self.stdout.write(json.dumps(said, indent=2, ensure_ascii=False))
