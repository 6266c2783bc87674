from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import queries
from backups.management.waiting import told
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Say how far a restore is, and what each attempt at it came to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = queries.restore(options["restore"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(told(job))
        for finding in job.findings.worst_first().iterator():
            said = f"{finding.value} {finding.words}".strip()
            self.stdout.write(f"  {finding.get_state_display()}: {finding} {said}".rstrip())
        for attempt in queries.attempts_of(job.pk):
            self.stdout.write(
                f"  {attempt.number}. {attempt.began_at:%Y-%m-%d %H:%M:%S} UTC "
                f"{attempt.get_outcome_display()} in {attempt.get_phase_display()} "
                f"{attempt.failure_code}".rstrip()
            )
            if attempt.detail:
                self.stdout.write(f"     {attempt.detail}")
