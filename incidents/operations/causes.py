"""Deeds on root causes."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import User
from incidents.models import RootCause
from incidents.operations.record import keep_revision, lock_incident
from incidents.values import CauseKind, When


def record_root_cause(
    *,
    incident_id: int,
    kind: CauseKind,
    text: str,
    at: datetime,
    author: User | None,
    when: When | None = None,
    evidence: Sequence[int] = (),
    import_line: int | None = None,
) -> RootCause:
    """Write down one reason, with the ids of the entries that show it."""
    with transaction.atomic():
        incident = lock_incident(incident_id)
        cause = RootCause(
            incident=incident,
            kind=kind,
            text=text,
            created_by=author,
            created_at=at,
            import_line=import_line,
            **(when or When.unknown()).fields(),
        )
        cause.save(force_insert=True)
        cause.evidence.set(incident.entries.filter(pk__in=evidence))
    return cause


def edit_root_cause(
    *,
    cause_id: int,
    at: datetime,
    author: User | None,
    kind: CauseKind | None = None,
    text: str | None = None,
    evidence: Sequence[int] | None = None,
) -> RootCause:
    """Change a cause. What it said before is kept as a revision."""
    with transaction.atomic():
        cause = RootCause.objects.select_for_update().get(pk=cause_id)
        keep_revision(cause, at=at, author=author)
        cause.kind = kind or cause.kind
        cause.text = text or cause.text
        cause.edited_at = at
        cause.save(update_fields=["kind", "text", "edited_at"])
        if evidence is not None:
            cause.evidence.set(cause.incident.entries.filter(pk__in=evidence))
    return cause
