"""What people decide of tenants that come back one by one: the order, another try, a conflict.

A restore that has stopped only for its tenants' sake goes on by itself once one of them has
something to do again, or nothing is left to decide.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Max, Min, TextChoices
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from backups.models import JobState, RestoreJob, TenantRestore, TenantRestoreState
from backups.models.tenants import PLACES_APART
from backups.operations.restores import resume_restore
from backups.operations.wishes import require_lanes
from backups.queries import NotRegistered
from backups.runner.lanes import TenantsUnfinished
from incidents.errors import Refused
from incidents.operations import add_entry
from incidents.values import EntryKind, When


class NotMovable(Refused):
    code = "tenant-not-movable"
    message = "Only a tenant that waits for its turn can be moved. This one does not wait."


class NotRetriable(Refused):
    code = "tenant-not-retriable"
    message = "Only a tenant that has failed can be tried again. Look at its state in the list."


class NotDecidable(Refused):
    code = "tenant-not-in-conflict"
    message = (
        "Nothing is to be decided for this tenant: it took no writes, or somebody has decided. "
        "Look at its state in the list."
    )


class RestoreIsOver(Refused):
    code = "restore-is-over"
    message = "This restore is over. Ask for a new one."


class Place(TextChoices):
    """Where in the order of turns a tenant is moved to."""

    FIRST = "first", _("to the front")
    EARLIER = "earlier", _("one place earlier")
    LATER = "later", _("one place later")
    LAST = "last", _("to the end")


def move_tenant(*, tenant_restore_id: int, to: Place) -> TenantRestore:
    """Change a waiting tenant's turn. The next lane that is free goes by the new order.

    :raises NotMovable: if it does not wait
    """
    with transaction.atomic():
        row = _locked(tenant_restore_id)
        if row.state != TenantRestoreState.WAITING:
            raise NotMovable
        others = TenantRestore.objects.filter(job_id=row.job_id).waiting().exclude(pk=row.pk)
        match to:
            case Place.FIRST:
                _make_room(row.job_id)
                row.place = (others.aggregate(Min("place"))["place__min"] or PLACES_APART) - 1
            case Place.LAST:
                row.place = (others.aggregate(Max("place"))["place__max"] or 0) + PLACES_APART
            case Place.EARLIER:
                _change_places(row, others.filter(place__lte=row.place).order_by("-place").first())
            case Place.LATER:
                _change_places(row, others.filter(place__gte=row.place).order_by("place").first())
        row.save(update_fields=["place"])
    return row


def retry_tenant(*, tenant_restore_id: int, at: datetime, by_worker: bool = True) -> TenantRestore:
    """Let one tenant that has failed be tried again; the others are not touched.

    :raises NotRetriable: if it has not failed
    :raises RestoreIsOver: if the restore was ended
    """
    with transaction.atomic():
        row = _locked(tenant_restore_id)
        if row.state != TenantRestoreState.FAILED:
            raise NotRetriable
        _wait_again(row)
        _go_on(row.job, at=at, by_worker=by_worker)
    return row


def decide_conflict(
    *,
    tenant_restore_id: int,
    replace: bool,
    at: datetime,
    by: User | None = None,
    by_worker: bool = True,
) -> TenantRestore:
    """Decide what becomes of a tenant that took writes after it was reopened.

    With ``replace``, what was recovered takes its place, and the database with those writes is kept
    beside it under another name. Without, it stays as it is, and what was recovered of it does not
    come. The decision is on the timeline.

    :raises NotDecidable: if nothing is to be decided
    :raises RestoreIsOver: if the restore was ended
    """
    with transaction.atomic():
        row = _locked(tenant_restore_id)
        if row.state != TenantRestoreState.CONFLICT:
            raise NotDecidable
        if replace:
            row.may_replace = True
            _wait_again(row)
        else:
            row.state, row.ended_at = TenantRestoreState.KEPT, at
            row.save(update_fields=["state", "ended_at"])
        _note_decision(row, replace=replace, at=at, by=by)
        _go_on(row.job, at=at, by_worker=by_worker)
    return row


def set_lanes(*, restore_id: int, lanes: int | None) -> RestoreJob:
    """Say how many tenants come back at once, from the next few seconds on.

    None: as many as the machine has processors. Never more than disk and connections bear.

    :raises NotRegistered: if there is no such restore
    :raises LanesOutOfRange: if so many cannot come back at once
    :raises RestoreIsOver: if the restore was ended
    """
    with transaction.atomic():
        rows = RestoreJob.objects.select_for_update()
        job: RestoreJob | None = rows.filter(pk=restore_id).first()
        if job is None:
            raise NotRegistered(f"There is no restore number {restore_id}.")
        if job.is_over:
            raise RestoreIsOver
        job.lanes = require_lanes(lanes)
        job.save(update_fields=["lanes"])
    return job


def _locked(pk: int) -> TenantRestore:
    # With its job: whether that goes on by itself has to be as it is read here.
    rows = TenantRestore.objects.select_for_update(of=("self", "job"))
    return rows.select_related("tenant", "job").get(pk=pk)


def _wait_again(row: TenantRestore) -> None:
    row.state, row.attempts, row.ended_at = TenantRestoreState.WAITING, 0, None
    row.save(update_fields=["state", "attempts", "ended_at", "may_replace"])


def _go_on(job: RestoreJob, *, at: datetime, by_worker: bool) -> None:
    """Resume a restore that has stopped for its tenants' sake, if there is something to do."""
    if job.is_over:
        raise RestoreIsOver
    rows = TenantRestore.objects.filter(job=job)
    stopped = job.state == JobState.FAILED and job.failure_code == TenantsUnfinished.code
    if stopped and (rows.waiting().exists() or not rows.undecided().exists()):
        resume_restore(restore_id=job.pk, at=at, by_worker=by_worker)


def _make_room(job_id: int) -> None:
    """Move everybody back if the first place of all is taken."""
    rows = TenantRestore.objects.filter(job_id=job_id)
    if rows.filter(place=0).exists():
        rows.update(place=F("place") + PLACES_APART)


def _change_places(row: TenantRestore, other: TenantRestore | None) -> None:
    if other is None:
        return
    row.place, other.place = other.place, row.place
    other.save(update_fields=["place"])


def _note_decision(row: TenantRestore, *, replace: bool, at: datetime, by: User | None) -> None:
    if row.job.incident_id is None:
        return
    outcome = (
        "is replaced by what was recovered; the database with these writes is kept beside it"
        if replace
        else "stays as it is; what was recovered of it does not come"
    )
    add_entry(
        incident_id=row.job.incident_id,
        text=f"{row.tenant} took writes after it was reopened ({row.detail}): it {outcome}.",
        when=When(at=at),
        at=at,
        author=by,
        kind=EntryKind.NOTE,
    )
