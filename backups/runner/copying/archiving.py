"""How a server is to archive to a place, and whether it still does so to another one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backups.models import CopyJob, Database, StorageLocation
from backups.runner.tools import opened_archive

# A server that archives nothing for so long has another archive_command, or nothing to archive.
_QUIET = timedelta(hours=1)
# A move may be switched for so long after a comparison that found nothing missing.
COMPARED_WITHIN = timedelta(minutes=30)
_SECRET = ("KEY", "SECRET", "TOKEN", "PASS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiving:
    """An ``archive_command`` and what it needs in the server's environment.

    Values that are secret are left out: they are where the location's credentials are.
    """

    command: str
    environment: Mapping[str, str]

    @property
    def setting(self) -> str:
        """The line for postgresql.conf, where a string stands in quotes and those in it twice."""
        quoted = self.command.replace("'", "''")
        return f"archive_command = '{quoted}'"


def archiving_at(database: Database, location: StorageLocation) -> Archiving | None:
    """Return how a database's server archives its log there; None if its engine keeps no log.

    :raises CredentialsMissing: if the location's keys are not where it says
    """
    with opened_archive(database, location=location) as archive:
        command = archive.engine.archive_command()
        said = archive.engine.archive_environment()
    if not command:
        return None
    shown = {
        name: "…" if any(word in name for word in _SECRET) else value
        for name, value in sorted(said.items())
    }
    return Archiving(command=command, environment=shown)


def was_compared(job: CopyJob, *, at: datetime) -> bool:
    """Whether a move was brought up to date since its switch, and within the last hour."""
    if job.heartbeat_at is None or job.switched_at is None:
        return False
    return job.heartbeat_at >= job.switched_at and at - job.heartbeat_at < _QUIET


def still_arrives(job: CopyJob, *, at: datetime) -> bool:
    """Whether a move's old place got files since the switch, and within the last hour."""
    said = job.counters.get("newest_at_source", "")
    if not said or job.switched_at is None:
        return False
    newest = datetime.fromisoformat(said)
    return newest > job.switched_at and at - newest < _QUIET
