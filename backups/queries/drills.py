"""Drills that were held."""

from collections.abc import Sequence

from django.db.models import QuerySet

from backups.models import Drill
from backups.queries.records import NotRegistered


def drills(*, database_id: int | None = None) -> "QuerySet[Drill]":
    """Return drills, the newest first, with what a list shows of each."""
    rows = Drill.objects.select_related("database", "target", "restore", "requested_by", "backup")
    if database_id is not None:
        rows = rows.filter(database_id=database_id)
    return rows.order_by("-requested_at", "-id")


def drill(drill_id: int) -> Drill:
    """Return one drill.

    :raises NotRegistered: if there is none
    """
    found = drills().select_related("incident").filter(pk=drill_id).first()
    if found is None:
        raise NotRegistered(f"There is no drill number {drill_id}.")
    return found


def measured_drills(database_id: int, *, most: int = 50) -> Sequence[Drill]:
    """Return the newest drills of a database that were timed, the oldest first."""
    rows = drills(database_id=database_id).filter(measured_seconds__isnull=False)
    return list(reversed(rows[:most]))
