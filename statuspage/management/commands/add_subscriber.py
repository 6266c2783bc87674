from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from statuspage import subscribing
from statuspage.models import Page


class Command(BaseCommand):
    help = "Add somebody who gets every update by email; staff vouch for the address."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="where the updates go")
        parser.add_argument(
            "--page", default="", help="the short name of the page; else the first one"
        )

    def handle(self, *, email: str, page: str, **_options: Any) -> None:
        try:
            validate_email(email)
        except ValidationError as fault:
            raise CommandError(f"{email} is no email address.") from fault
        now = timezone.now()
        try:
            row = Page.objects.called(page, at=now) if page else Page.objects.first_page(at=now)
        except Page.DoesNotExist as fault:
            slugs = ", ".join(Page.objects.in_order().values_list("slug", flat=True))
            raise CommandError(f"There is no page {page}. There are: {slugs}.") from fault
        subscriber = subscribing.add_subscriber(
            page_id=row.pk, wish=subscribing.Wish(email=email), at=now
        )
        self.stdout.write(f"{subscriber} gets every update of page {row.slug} from now on.")
