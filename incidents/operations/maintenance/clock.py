"""What time alone does to planned work: it is recalled, it begins and it ends by itself."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from incidents.models import Maintenance
from incidents.operations.maintenance.course import finish, start
from incidents.operations.maintenance.record import not_before, tell
from incidents.values import MaintenanceState


def advance_maintenances(*, at: datetime) -> int:
    """Do what is due by ``at``: remind, begin, end. Return how many deeds that were.

    Each in a transaction of its own, and once, however many ask; a fault in one keeps no other
    from its time, and is raised when all are done. Work whose whole time has passed while nobody
    asked is noted as over now, and says that it could not be followed.
    """
    done, faults = 0, list[Exception]()
    for deed, kind in ((_remind, _REMINDERS), (_begin, _STARTS), (_end, _ENDS)):
        for pk in _due(kind, at=at):
            try:
                done += _carry(pk, deed, at=at)
            except Exception as fault:  # noqa: BLE001 - raised below
                faults.append(fault)
    if faults:
        raise faults[0]
    return done


Deed = Callable[[Maintenance, datetime], bool]

_REMINDERS = Q(
    state=MaintenanceState.SCHEDULED, remind_before__isnull=False, reminded_at__isnull=True
)
_STARTS = Q(state=MaintenanceState.SCHEDULED, starts_by_itself=True)
# Work that somebody began after its planned end takes as long as it takes: it overruns openly.
_ENDS = Q(
    state__in=[MaintenanceState.IN_PROGRESS, MaintenanceState.VERIFYING],
    ends_by_itself=True,
    began_at__lt=F("scheduled_until"),
)


def _due(kind: Q, *, at: datetime) -> list[int]:
    rows = Maintenance.objects.filter(kind)
    if kind is _REMINDERS:
        rows = rows.filter(scheduled_for__gt=at, scheduled_for__lte=at + F("remind_before"))
    elif kind is _STARTS:
        rows = rows.filter(scheduled_for__lte=at)
    else:
        rows = rows.filter(scheduled_until__lte=at)
    return list(rows.soonest_first().values_list("pk", flat=True))


def _carry(maintenance_id: int, deed: Deed, *, at: datetime) -> bool:
    with transaction.atomic():
        # One that somebody else holds is being changed now; the next tick looks at it again.
        maintenance = (
            Maintenance.objects.select_for_update(skip_locked=True)
            .filter(pk=maintenance_id)
            .first()
        )
        return maintenance is not None and deed(maintenance, at)


def _remind(maintenance: Maintenance, at: datetime) -> bool:
    due_at = maintenance.remind_at
    if (
        not maintenance.is_scheduled
        or due_at is None
        or not (due_at <= at < maintenance.scheduled_for)
    ):
        return False
    maintenance.reminded_at = at
    maintenance.save(update_fields=["reminded_at"])
    tell(maintenance, "maintenance_reminder", at=not_before(maintenance, at), author=None)
    return True


def _begin(maintenance: Maintenance, at: datetime) -> bool:
    if (
        not maintenance.is_scheduled
        or not maintenance.starts_by_itself
        or maintenance.scheduled_for > at
    ):
        return False
    at = not_before(maintenance, at)
    if maintenance.ends_by_itself and maintenance.scheduled_until <= at:
        _note_missed(maintenance, at=at)
    else:
        start(maintenance, at=at, author=None)
    return True


def _end(maintenance: Maintenance, at: datetime) -> bool:
    if (
        not maintenance.is_running
        or not maintenance.ends_by_itself
        or maintenance.began_at is None
        or not (maintenance.began_at < maintenance.scheduled_until <= at)
    ):
        return False
    finish(maintenance, at=not_before(maintenance, at), author=None)
    return True


def _note_missed(maintenance: Maintenance, *, at: datetime) -> None:
    """Note that it is over. Components never showed it, and their history does not claim so."""
    maintenance.state = MaintenanceState.COMPLETED
    maintenance.began_at = maintenance.ended_at = at
    maintenance.save(update_fields=["state", "began_at", "ended_at"])
    tell(maintenance, "maintenance_missed", at=at, author=None)
