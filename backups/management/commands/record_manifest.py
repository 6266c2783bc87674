import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backups import operations, queries, runner
from backups.models import JobState, ManifestJob
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Record what the backups without a manifest hold, by reading each of their objects once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database", help="its name")
        parser.add_argument("backup", nargs="?", help="of this backup only")
        parser.add_argument("--wait", action="store_true", help="do it here, without a worker")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            database = queries.database_named(options["database"])
            name = options["backup"]
            backup = queries.backup_named(database.pk, name) if name else None
            jobs = operations.record_manifests(
                database_id=database.pk,
                backup_id=backup.pk if backup is not None else None,
                by_worker=not options["wait"],
                at=timezone.now(),
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        for job in jobs:
            if options["wait"]:
                self._work_at(job)
            else:
                self.stdout.write(f"Queued: {job}.")
        self.stdout.write(
            "A manifest that is recorded now proves that nothing changes from now on, not that "
            "nothing has changed since the backup was taken."
        )

    def _work_at(self, job: ManifestJob) -> None:
        while job.state in {JobState.QUEUED, JobState.RUNNING}:
            runner.run_manifest(manifest_id=job.pk, now=timezone.now)
            job.refresh_from_db()
            if job.state in {JobState.QUEUED, JobState.RUNNING}:
                time.sleep(1)  # A worker has it, or another one of this database.
        if job.state != JobState.SUCCEEDED:
            raise CommandError(f"{job} was not recorded. {job.failure_advice}".strip())
        self.stdout.write(f"Recorded: {job}, {job.bytes_total or 0:,} bytes read.")
