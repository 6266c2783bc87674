"""Saying when backups were last taken, and last proven: from what is on record, not from hope."""

from datetime import datetime

from django.db import transaction

from backups.models import Backup, Database, JobState, RestoreJob
from backups.runner.verification import has_rows
from incidents.operations.proofs import (
    PROVEN_STALE_AFTER,
    TAKEN_STALE_AFTER,
    Proof,
    report_proof,
    withdraw_proof,
)
from incidents.values import ProvenHow


def tell_proof(database: Database, *, at: datetime) -> None:
    """Say what is known of a database's backups, if customers have a name for it."""
    with transaction.atomic():
        # Whoever unregisters it at this moment withdraws what was said, and nothing is said after.
        is_registered = Database.objects.select_for_update(no_key=True).filter(pk=database.pk)
        if database.public_name and is_registered.exists():
            _tell(database, at=at)
        else:
            withdraw_proof(key=database.key)


def _tell(database: Database, *, at: datetime) -> None:
    taken = Backup.objects.filter(database=database).usable().newest_first().first()
    proven = _newest_proof(database)
    report_proof(
        key=database.key,
        proof=Proof(
            name=database.public_name,
            taken_at=taken.ended_at if taken else None,
            taken_stale_after=(
                database.backup_stale_after
                or database.recovery_point_objective
                or TAKEN_STALE_AFTER
            ),
            proven_at=proven.ended_at if proven else None,
            proven_stale_after=database.proof_stale_after or PROVEN_STALE_AFTER,
            proven_how=_how(proven) if proven else None,
            proven_until_at=proven.data_until_at if proven else None,
        ),
        at=at,
    )


def _how(proven: RestoreJob) -> ProvenHow:
    return ProvenHow.DRILL if proven.is_scratch else ProvenHow.RESTORE


def _newest_proof(database: Database) -> RestoreJob | None:
    """Return the last restore that read rows back; one that found none has proven nothing."""
    succeeded = RestoreJob.objects.filter(
        database=database,
        state=JobState.SUCCEEDED,
        ended_at__isnull=False,
        # What was opened although a check had failed proves nothing.
        accepted_at__isnull=True,
    ).order_by("-ended_at", "-id")
    # One by one: evidence may be long, and the newest nearly always proves it.
    return next((job for job in succeeded.iterator(chunk_size=1) if has_rows(job.evidence)), None)


def tell_proofs(*, at: datetime) -> None:
    """Say what is known of the backups of every database."""
    for database in Database.objects.order_by("pk"):
        tell_proof(database, at=at)
