from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Register a place on this machine where clusters can be restored to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what to call it here")
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--data-dir", type=Path, required=True, help="the cluster to be; empty")
        parser.add_argument(
            "--work-dir", type=Path, required=True, help="where what was fetched waits"
        )
        parser.add_argument("--bin-dir", default="", help="PostgreSQL programs; else the bundled")
        parser.add_argument(
            "--host", default="127.0.0.1", help="where applications find what was restored here"
        )
        parser.add_argument("--queue", default="restores", help="queue of the worker beside it")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            target = operations.register_recovery_target(
                name=options["name"],
                port=options["port"],
                data_dir=str(options["data_dir"].absolute()),
                work_dir=str(options["work_dir"].absolute()),
                bin_dir=options["bin_dir"],
                queue=options["queue"],
                host=options["host"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        operations.look_at_targets()
        self.stdout.write(f"Registered the recovery target {target}.")
