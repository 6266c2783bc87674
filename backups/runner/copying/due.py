"""Beginning the copies that policies want, and finding those that nobody works at any more."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from backups.models import (
    BackupPolicy,
    CopyJob,
    CopyKind,
    CopyPhase,
    JobState,
)
from backups.options.terms import COPIED_EVERY

EVERY = COPIED_EVERY
# Two ticks are never quite ten minutes apart.
_SLACK = timedelta(minutes=1)
# Runs that found nothing to copy are of no interest for long, and failures once they are over.
_KEPT_FOR = timedelta(days=2)
_FAILURES_KEPT_FOR = timedelta(days=30)


def begin_due_copies(*, at: datetime) -> list[int]:
    """Begin a comparison for every policy that wants a copy, and return the ids of the jobs.

    However many beats run, one begins each; what was slept through is done once. A move that waits
    for people is brought up to date likewise.
    """
    found = []
    for policy, destination_id in _due_policies(at=at):
        try:
            with transaction.atomic():
                job = CopyJob.objects.create(
                    database_id=policy.database_id,
                    source_id=policy.database.storage_id,
                    destination_id=destination_id,
                    requested_at=at,
                    queued_at=at,
                )
        except IntegrityError:
            # Another beat was quicker, or somebody moves the archive to that place.
            continue
        found.append(job.pk)
    return found + _refreshed_moves(at=at)


def thin_copies(*, at: datetime) -> int:
    """Let go of old runs that found nothing to copy, and a month later of those that failed.

    The last failure of each place stays.
    """
    runs = CopyJob.objects.filter(kind=CopyKind.REPLICATION)
    failed = runs.filter(state=JobState.FAILED)
    last = failed.order_by("database_id", "destination_id", "-pk")
    last = last.distinct("database_id", "destination_id")
    idle = Q(state=JobState.SUCCEEDED, objects_total=0, ended_at__lt=at - _KEPT_FOR)
    past = Q(state=JobState.FAILED, ended_at__lt=at - _FAILURES_KEPT_FOR)
    gone, _rows = runs.filter(idle | past).exclude(pk__in=last.values("pk")).delete()
    return gone


def _due_policies(*, at: datetime) -> list[tuple[BackupPolicy, int]]:
    wanting = (
        BackupPolicy.objects.filter(replicate_to__isnull=False, database__unregistered_at=None)
        .exclude(replicate_to=F("database__storage"))
        .select_related("database")
        .order_by("pk")
    )
    since = at - EVERY + _SLACK
    unfinished = Q(state__in=[JobState.QUEUED, JobState.RUNNING, JobState.PAUSED])
    busy = set(
        # None was asked for in the future: that clock ran ahead.
        CopyJob.objects.filter(
            unfinished | Q(requested_at__gt=since, requested_at__lte=at)
        ).values_list("database_id", "destination_id")
    )
    return [
        (each, each.replicate_to_id)
        for each in wanting
        if each.replicate_to_id is not None and (each.database_id, each.replicate_to_id) not in busy
    ]


def _refreshed_moves(*, at: datetime) -> list[int]:
    """Queue the moves that are ready or were switched, so that nothing stays behind."""
    rows = CopyJob.objects.filter(
        kind=CopyKind.MIGRATION,
        state=JobState.PAUSED,
        phase__in=[CopyPhase.SWITCH, CopyPhase.KEEP],
    ).filter(Q(heartbeat_at__lte=at - EVERY + _SLACK) | Q(heartbeat_at__gt=at))
    return [
        pk
        for pk in rows.order_by("pk").values_list("pk", flat=True)
        if rows.filter(pk=pk).update(state=JobState.QUEUED, queued_at=at)
    ]
