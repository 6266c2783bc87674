"""Deeds on the proof of backups: what customers may know of when they were taken and proven."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from incidents.models import BackupProof
from incidents.operations.record import announce
from incidents.values import ProvenHow

# Taken daily, with some patience; proven monthly, with some.
TAKEN_STALE_AFTER = timedelta(hours=26)
PROVEN_STALE_AFTER = timedelta(days=35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What is known of one source's backups. ``name`` is what customers read."""

    name: str
    taken_at: datetime | None = None
    taken_stale_after: timedelta = TAKEN_STALE_AFTER
    proven_at: datetime | None = None
    proven_stale_after: timedelta = PROVEN_STALE_AFTER
    proven_how: ProvenHow | None = None
    # The moment to which the restore went that proved it.
    proven_until_at: datetime | None = None


def report_proof(*, key: str, proof: Proof, at: datetime) -> bool:
    """Say when a source's backups were last taken and proven; return whether that is news."""
    values = {
        "name": proof.name,
        "taken_at": proof.taken_at,
        "taken_stale_after": proof.taken_stale_after,
        "proven_at": proof.proven_at,
        "proven_stale_after": proof.proven_stale_after,
        "proven_how": proof.proven_how or "",
        "proven_until_at": proof.proven_until_at,
    }
    with transaction.atomic():
        known = BackupProof.objects.select_for_update().filter(key=key).first()
        if known and all(getattr(known, name) == value for name, value in values.items()):
            return False
        BackupProof.objects.update_or_create(key=key, defaults=values | {"updated_at": at})
        announce(None)
    return True


def withdraw_proof(*, key: str) -> bool:
    """Say no more about a source's backups; return whether anything was said."""
    with transaction.atomic():
        removed, _by_model = BackupProof.objects.filter(key=key).delete()
        if removed:
            announce(None)
    return bool(removed)
