from typing import Any

from django.core.management.base import BaseCommand, CommandError

from statuspage import publisher
from statuspage.publisher.site import SiteBusy


class Command(BaseCommand):
    help = "Publish every page with all its documents anew, each as one revision."

    def handle(self, **_options: Any) -> None:
        try:
            revisions = publisher.publish_all()
        except SiteBusy as fault:
            raise CommandError(f"{fault} Try again in a minute.") from fault
        for slug, revision in revisions.items():
            self.stdout.write(f"Published revision {revision} of page {slug}.")
