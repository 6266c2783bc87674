from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries, runner
from backups.models import BackupJob, BackupKind, JobState
from incidents.errors import Refused

# Of what a tool said last, so many lines are repeated, and so many characters of them.
_LAST_LINES, _LAST_CHARACTERS = 3, 600


class Command(BaseCommand):
    help = "Take a backup of a database: full, or what changed since the last one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="its name")
        parser.add_argument("--label", default="", help="what to call the backup")
        parser.add_argument(
            "--incremental",
            action="store_true",
            help="only what changed since the last backup, where the engine can",
        )
        parser.add_argument("--wait", action="store_true", help="take it here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            job = operations.take_backup(
                database_id=database.pk,
                label=options["label"],
                kind=BackupKind.INCREMENTAL if options["incremental"] else BackupKind.FULL,
                by_worker=not options["wait"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if not options["wait"]:
            self.stdout.write(f"Queued {job}.")
            return
        runner.run_backup(backup_id=job.pk, now=timezone.now)
        job.refresh_from_db()
        if job.state != JobState.SUCCEEDED:
            raise CommandError(_why_not(job))
        self.stdout.write(f"Took {job}: {job.engine_id}.")


def _why_not(job: BackupJob) -> str:
    """Return why a backup was not taken: the advice, the tool's last words, where all of them are.

    Its secrets were taken out of what the job keeps.
    """
    said = [line.strip() for line in job.detail.splitlines() if line.strip()]
    advice = job.failure_advice or "The backup was not taken."
    if not said:
        return advice
    last = " ".join(said[-_LAST_LINES:])[-_LAST_CHARACTERS:]
    return (
        f"{advice}\nIts last words: {last}\nAll that is kept of them stands on the page of "
        f"{job.database} at the desk, under 'What the tool said'."
    )
