from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Let go of a recovery target: nothing is restored to it any more. Nothing is deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="name of the recovery target")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            target = queries.recovery_target_named(options["target"])
            operations.unregister_recovery_target(
                target_id=target.pk, typed=target.name, at=timezone.now()
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            f"Unregistered {target}. Nothing was deleted: what lies in {target.data_dir} stays."
        )
