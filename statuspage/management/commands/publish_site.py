from typing import Any

from django.core.management.base import BaseCommand, CommandError

from statuspage import publisher
from statuspage.publisher.site import SiteBusy


class Command(BaseCommand):
    help = "Publish every page and document of the status page anew, as one revision."

    def handle(self, **_options: Any) -> None:
        try:
            revision = publisher.publish_all()
        except SiteBusy as fault:
            raise CommandError(f"{fault} Try again in a minute.") from fault
        self.stdout.write(f"Published revision {revision}.")
