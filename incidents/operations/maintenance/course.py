"""How planned work goes: it begins, is checked, ends or is called off, and customers are told."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from incidents.models import Maintenance, MaintenanceUpdate
from incidents.operations.maintenance.planning import refuse_over
from incidents.operations.maintenance.record import (
    lock_maintenance,
    not_before,
    release_components,
    take_components,
    tell,
)
from incidents.operations.maintenance.refusals import MaintenanceHasBegun, MaintenanceNotRunning
from incidents.operations.record import announce, keep_revision
from incidents.values import MaintenanceState


def start_maintenance(
    *, maintenance_id: int, at: datetime, author: User | None, body: str = ""
) -> Maintenance:
    """Begin the work, also before its time: its components go under maintenance.

    :raises MaintenanceHasBegun: if it runs
    :raises MaintenanceOver: if it is over
    """
    with transaction.atomic():
        maintenance = lock_maintenance(maintenance_id)
        refuse_over(maintenance)
        if maintenance.is_running:
            raise MaintenanceHasBegun
        start(maintenance, at=not_before(maintenance, at), author=author, body=body)
    return maintenance


def verify_maintenance(
    *, maintenance_id: int, at: datetime, author: User | None, body: str = ""
) -> Maintenance:
    """Say that the work is done and is being checked. Asked again, it changes nothing.

    :raises MaintenanceNotRunning: if it has not begun
    :raises MaintenanceOver: if it is over
    """
    with transaction.atomic():
        maintenance = _running(maintenance_id)
        if maintenance.state == MaintenanceState.VERIFYING:
            return maintenance
        maintenance.state = MaintenanceState.VERIFYING
        maintenance.save(update_fields=["state"])
        tell(
            maintenance,
            "maintenance_verifying",
            body=body,
            at=not_before(maintenance, at),
            author=author,
        )
    return maintenance


def finish_maintenance(
    *, maintenance_id: int, at: datetime, author: User | None, body: str = ""
) -> Maintenance:
    """End the work, early, in time or late: its components work again.

    :raises MaintenanceNotRunning: if it has not begun
    :raises MaintenanceOver: if it is over
    """
    with transaction.atomic():
        maintenance = _running(maintenance_id)
        finish(maintenance, at=not_before(maintenance, at), author=author, body=body)
    return maintenance


def cancel_maintenance(
    *, maintenance_id: int, at: datetime, author: User | None, body: str = ""
) -> Maintenance:
    """Call it off, also while it runs: its components work again, calendars strike it out.

    :raises MaintenanceOver: if it is over
    """
    with transaction.atomic():
        maintenance = lock_maintenance(maintenance_id)
        refuse_over(maintenance)
        at = not_before(maintenance, at)
        was_running = maintenance.is_running
        maintenance.state = MaintenanceState.CANCELLED
        maintenance.ended_at = at
        maintenance.sequence += 1
        maintenance.save(update_fields=["state", "ended_at", "sequence"])
        changes = release_components(maintenance, at=at) if was_running else []
        tell(maintenance, "maintenance_cancelled", body=body, at=at, author=author, changes=changes)
    return maintenance


def post_maintenance_update(
    *,
    maintenance_id: int,
    body: str,
    at: datetime,
    author: User | None,
    deliver_notifications: bool | None = None,
    idempotency_key: str = "",
) -> MaintenanceUpdate:
    """Tell customers more, with nothing else changed.

    The same ``idempotency_key`` again returns the update that is there. Whether anybody is
    notified follows the maintenance, unless told otherwise.

    :raises MaintenanceOver: if it is over
    """
    with transaction.atomic():
        maintenance = lock_maintenance(maintenance_id)
        if idempotency_key:
            known = maintenance.updates.filter(idempotency_key=idempotency_key).first()
            if known is not None:
                return known
        refuse_over(maintenance)
        return tell(
            maintenance,
            "maintenance_scheduled",
            body=body,
            at=not_before(maintenance, at),
            author=author,
            deliver=deliver_notifications,
            idempotency_key=idempotency_key,
        )


def correct_maintenance_update(
    *, update_id: int, body: str, at: datetime, author: User | None, reason: str = ""
) -> MaintenanceUpdate:
    """Correct what customers were told. The page shows that it was edited, and what it said."""
    with transaction.atomic():
        pk = MaintenanceUpdate.objects.values_list("maintenance_id", flat=True).get(pk=update_id)
        maintenance = lock_maintenance(pk)
        update = MaintenanceUpdate.objects.get(pk=update_id)
        if update.body == body:
            return update
        keep_revision(update, at=at, author=author, reason=reason)
        update.body, update.translations, update.edited_at = body, {}, at
        update.save(update_fields=["body", "translations", "edited_at"])
        maintenance.updated_at = max(at, maintenance.updated_at)
        maintenance.save(update_fields=["updated_at"])
        announce(None)
    return update


def start(maintenance: Maintenance, *, at: datetime, author: User | None, body: str = "") -> None:
    """Begin work that the caller has locked, in the caller's transaction."""
    maintenance.state = MaintenanceState.IN_PROGRESS
    maintenance.began_at = at
    maintenance.save(update_fields=["state", "began_at"])
    changes = take_components(maintenance, at=at)
    tell(maintenance, "maintenance_started", body=body, at=at, author=author, changes=changes)


def finish(maintenance: Maintenance, *, at: datetime, author: User | None, body: str = "") -> None:
    """End work that the caller has locked, in the caller's transaction."""
    maintenance.state = MaintenanceState.COMPLETED
    maintenance.ended_at = at
    maintenance.save(update_fields=["state", "ended_at"])
    changes = release_components(maintenance, at=at)
    tell(maintenance, "maintenance_finished", body=body, at=at, author=author, changes=changes)


def _running(maintenance_id: int) -> Maintenance:
    maintenance = lock_maintenance(maintenance_id)
    refuse_over(maintenance)
    if not maintenance.is_running:
        raise MaintenanceNotRunning
    return maintenance
