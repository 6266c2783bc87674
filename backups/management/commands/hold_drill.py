import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries
from backups.models import DRILL_OVER, Drill, DrillState
from incidents.errors import Refused

LOOKS_EVERY_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Hold a drill: restore the newest backup to a scratch target, verify it, time it, and take "
        "it away."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="name of the database")
        parser.add_argument("--target", help="name of the recovery target; the policy's without it")
        parser.add_argument(
            "--wait", action="store_true", help="wait for its end; exit code 1 if it fails"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            name = options["target"]
            target = queries.recovery_target_named(name) if name else None
            drill = operations.hold_drill(
                database_id=database.pk, target_id=target.pk if target else None, at=timezone.now()
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            f"Drill {drill.pk} begins: restore {drill.restore_id} of {database} to {drill.target}."
        )
        if options["wait"]:
            self._wait(drill)

    def _wait(self, drill: Drill) -> None:
        told = ""
        while drill.state not in DRILL_OVER:
            time.sleep(LOOKS_EVERY_SECONDS)
            drill = queries.drill(drill.pk)
            now = drill.get_state_display()
            if drill.restore is not None and drill.state == DrillState.RUNNING:
                now += f", {drill.restore.get_phase_display().lower()}"
            if now != told:
                self.stdout.write(now)
                told = now
        if drill.state != DrillState.PASSED:
            raise CommandError(drill.words or "It was called off.")
        self.stdout.write(drill.words)
