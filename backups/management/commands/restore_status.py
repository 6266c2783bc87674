import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backups import queries
from backups.management.waiting import told
from backups.models import RestoreAttempt, RestoreFinding, RestoreJob
from incidents.errors import Refused


class Command(BaseCommand):
    help = "Say how far a restore is, and what each attempt at it came to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("restore", type=int, help="number of the restore")
        parser.add_argument(
            "--worker-pid",
            action="store_true",
            help="print nothing but the process id of the worker that is at it on this machine",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            job = queries.restore(options["restore"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        if options["worker_pid"]:
            self.stdout.write(str(_worker_pid(job)))
            return
        lines = [told(job)]
        if job.worker is not None:
            lines.append(f"  Worker: process {job.worker.pid} on {job.worker.host}")
        lines += [_found(finding) for finding in job.findings.worst_first().iterator()]
        for attempt in queries.attempts_of(job.pk):
            lines.append(_tried(attempt))
            if attempt.detail:
                lines.append(f"     {attempt.detail}")
        # At once: whoever reads only the first line breaks nothing.
        self.stdout.write("\n".join(lines))


def _found(finding: RestoreFinding) -> str:
    said = ": ".join(words for words in (str(finding), finding.value, finding.words) if words)
    return f"  {finding.get_state_display()}: {said}"


def _tried(attempt: RestoreAttempt) -> str:
    why = f" ({attempt.failure_code})" if attempt.failure_code else ""
    return (
        f"  {attempt.number}. {attempt.began_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{attempt.get_outcome_display()}, in the phase {attempt.get_phase_display()}{why}"
    )


def _worker_pid(job: RestoreJob) -> int:
    worker = job.worker
    if worker is None:
        raise CommandError(f"No worker is at {job} now: {job.get_state_display()}.")
    if worker.host != socket.gethostname():
        raise CommandError(f"The worker that is at {job} runs on {worker.host}: ask there.")
    return worker.pid
