"""Count the kept figures of incidents anew."""

from typing import Any

from django.core.management.base import BaseCommand

from incidents import operations


class Command(BaseCommand):
    help = "Count the kept figures of every incident anew, from the record."

    def handle(self, **_options: Any) -> None:
        counted = list(operations.rebuild_figures())
        self.stdout.write(
            f"Counted {len(counted)} incidents; the kept figures of {sum(counted)} were otherwise."
        )
