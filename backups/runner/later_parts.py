"""Letting the rest of a staged recovery begin, as soon as its first part is open."""

from datetime import datetime, timedelta

from django.db.models import F

from backups.models import JobState, RestoreJob
from backups.runner.telling import tell_queued


def begin_later_parts(*, at: datetime) -> int:
    """Queue those whose first part is open by now; return how many. The beat sends a worker.

    Until then they rest, from the moment at which they were asked for.
    """
    waiting = RestoreJob.objects.filter(
        state=JobState.PAUSED,
        pause_at=F("requested_at"),
        resume_at__isnull=True,
        brings_forward__state=JobState.SUCCEEDED,
    )
    begun = 0
    for job in waiting.select_related("database", "backup", "brings_forward"):
        # At once due: nobody has been sent for it.
        queued = waiting.filter(pk=job.pk).update(
            state=JobState.QUEUED, queued_at=at - timedelta(minutes=1), pause_at=None
        )
        if queued:
            job.refresh_from_db(fields=["state", "queued_at", "pause_at"])
            tell_queued(job, at=at)
            begun += 1
    return begun
