from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from statuspage import operations


class Command(BaseCommand):
    help = "Add somebody who gets every update by email; staff vouch for the address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="where the updates go")

    def handle(self, *, email: str, **_options: Any) -> None:
        try:
            validate_email(email)
        except ValidationError as fault:
            raise CommandError(f"{email} is no email address.") from fault
        subscriber = operations.add_subscriber(email=email, at=timezone.now())
        self.stdout.write(f"{subscriber} gets every update from now on.")
