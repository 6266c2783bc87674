"""What is planned: when, on what, and what the clock does about it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from incidents.models import Component, Maintenance
from incidents.operations.maintenance.record import (
    lock_maintenance,
    not_before,
    parts_of,
    release_components,
    take_components,
    tell,
    unchanged,
)
from incidents.operations.maintenance.refusals import (
    ExtensionIsNoLater,
    MaintenanceEndsBeforeStart,
    MaintenanceHasBegun,
    MaintenanceInThePast,
    MaintenanceIsLong,
    MaintenanceOver,
)
from incidents.operations.record import announce, keep_revision
from incidents.times import refuse_out_of_time
from incidents.values import ComponentStatus, MaintenanceState, Visibility

# Whoever plans longer has most likely mistyped a year.
_LONG = timedelta(days=366)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What planned work is called, what it touches, who may know, and what goes by itself.

    ``components`` are ids. ``component_status`` is what they show meanwhile: under maintenance,
    or operational where customers notice nothing.
    """

    title: str
    components: Collection[int] = ()
    component_status: ComponentStatus = ComponentStatus.UNDER_MAINTENANCE
    visibility: Visibility = Visibility.PUBLIC
    tz: str = "UTC"
    starts_by_itself: bool = True
    ends_by_itself: bool = True
    remind_before: timedelta | None = None
    deliver_notifications: bool = True


_COLUMNS = (
    "title", "component_status", "visibility", "tz", "starts_by_itself", "ends_by_itself",
    "remind_before", "deliver_notifications",
)  # fmt: skip


def schedule_maintenance(
    *,
    plan: Plan,
    scheduled_for: datetime,
    scheduled_until: datetime,
    at: datetime,
    author: User | None,
    body: str = "",
    is_long_meant: bool = False,
) -> Maintenance:
    """Plan work, and tell customers of it: in these words, or in the usual ones.

    Work that is over by ``at`` is written down as such: customers can read it, and nobody is
    notified. What components showed meanwhile is left as the record has it.

    :raises OutOfTime: if it begins or ends in a year that cannot be meant
    :raises MaintenanceEndsBeforeStart: if it does not end after its start
    :raises MaintenanceIsLong: if it is longer than a year and that is not said to be meant
    """
    _refuse_window(scheduled_for, scheduled_until, is_long_meant=is_long_meant)
    is_past = scheduled_until <= at
    with transaction.atomic():
        maintenance = Maintenance(
            scheduled_for=scheduled_for,
            scheduled_until=scheduled_until,
            created_by=author,
            created_at=at,
            updated_at=at,
            published_at=at if plan.visibility == Visibility.PUBLIC else None,
        )
        _take_over(maintenance, plan)
        _spare_reminder(maintenance, at=at)
        if is_past:
            maintenance.state = MaintenanceState.COMPLETED
            maintenance.began_at, maintenance.ended_at = scheduled_for, scheduled_until
        maintenance.save(force_insert=True)
        _set_components(maintenance, plan.components)
        tell(
            maintenance,
            "maintenance_written" if is_past else "maintenance_scheduled",
            body=body,
            at=at,
            author=author,
            changes=[] if is_past else unchanged(parts_of(maintenance)),
            deliver=False if is_past else None,
        )
    return maintenance


def edit_maintenance(
    *, maintenance_id: int, plan: Plan, at: datetime, author: User | None
) -> Maintenance:
    """Change what it is called, what it touches and what goes by itself, at any time.

    What it said before is kept as a revision. While it runs, components that join or leave it
    follow; one that stays in it stays as it is, whatever became of it since the start. Once
    customers may know of it, they are told how far it is, and read nothing that was said before.
    """
    with transaction.atomic():
        maintenance = lock_maintenance(maintenance_id)
        at = not_before(maintenance, at)
        keep_revision(maintenance, at=at, author=author)
        joining = _joining(maintenance, plan)
        if maintenance.is_running:
            _let_go(maintenance, plan, at=at)
        if maintenance.title != _one_line(plan.title):
            maintenance.sequence += 1
        reminder, was_public = maintenance.remind_before, maintenance.is_public
        _take_over(maintenance, plan)
        if maintenance.remind_before != reminder:
            maintenance.reminded_at = None
            _spare_reminder(maintenance, at=at)
        is_news = maintenance.visibility == Visibility.PUBLIC and not was_public
        if is_news:
            maintenance.published_at = at
        maintenance.updated_at = at
        maintenance.save()
        _set_components(maintenance, plan.components)
        if maintenance.is_running:
            take_components(maintenance, at=at, only=joining)
        if is_news:
            _tell_news(maintenance, at=at, author=author)
        announce(None)
    return maintenance


def reschedule_maintenance(
    *,
    maintenance_id: int,
    scheduled_for: datetime,
    scheduled_until: datetime,
    at: datetime,
    author: User | None,
    body: str = "",
    is_long_meant: bool = False,
) -> Maintenance:
    """Give work that has not begun another time, and tell customers. The same time: nothing.

    :raises OutOfTime: if it begins or ends in a year that cannot be meant
    :raises MaintenanceEndsBeforeStart: if it does not end after its start
    :raises MaintenanceIsLong: if it is longer than a year and that is not said to be meant
    :raises MaintenanceInThePast: if all of the new time has passed
    :raises MaintenanceHasBegun: if it runs
    :raises MaintenanceOver: if it is over
    """
    _refuse_window(scheduled_for, scheduled_until, is_long_meant=is_long_meant)
    if scheduled_until <= at:
        raise MaintenanceInThePast
    with transaction.atomic():
        maintenance = lock_maintenance(maintenance_id)
        refuse_over(maintenance)
        if not maintenance.is_scheduled:
            raise MaintenanceHasBegun
        if (maintenance.scheduled_for, maintenance.scheduled_until) == (
            scheduled_for, scheduled_until,
        ):  # fmt: skip
            return maintenance
        at = not_before(maintenance, at)
        keep_revision(maintenance, at=at, author=author)
        maintenance.scheduled_for = scheduled_for
        maintenance.scheduled_until = scheduled_until
        maintenance.reminded_at = None
        _spare_reminder(maintenance, at=at)
        _move_on(maintenance, "scheduled_for", "reminded_at")
        tell(maintenance, "maintenance_moved", body=body, at=at, author=author)
    return maintenance


def extend_maintenance(
    *,
    maintenance_id: int,
    until: datetime,
    at: datetime,
    author: User | None,
    body: str = "",
    is_long_meant: bool = False,
) -> Maintenance:
    """Give it a later end, also while it overruns, and tell customers.

    :raises ExtensionIsNoLater: if that is no later than its end, or than now
    :raises OutOfTime: if it is in a year that cannot be meant
    :raises MaintenanceIsLong: if it is longer than a year then and that is not said to be meant
    :raises MaintenanceOver: if it is over
    """
    with transaction.atomic():
        maintenance = lock_maintenance(maintenance_id)
        refuse_over(maintenance)
        at = not_before(maintenance, at)
        if until <= max(maintenance.scheduled_until, at):
            raise ExtensionIsNoLater
        _refuse_window(maintenance.scheduled_for, until, is_long_meant=is_long_meant)
        keep_revision(maintenance, at=at, author=author)
        maintenance.scheduled_until = until
        _move_on(maintenance)
        tell(maintenance, "maintenance_extended", body=body, at=at, author=author)
    return maintenance


def refuse_over(maintenance: Maintenance) -> None:
    """Refuse what cannot be done to work that is over.

    :raises MaintenanceOver: if it is
    """
    if maintenance.is_over:
        raise MaintenanceOver


def _refuse_window(begins: datetime, ends: datetime, *, is_long_meant: bool) -> None:
    refuse_out_of_time(begins, ends)
    if ends <= begins:
        raise MaintenanceEndsBeforeStart
    if ends - begins > _LONG and not is_long_meant:
        raise MaintenanceIsLong


def _take_over(maintenance: Maintenance, plan: Plan) -> None:
    for name in _COLUMNS:
        setattr(maintenance, name, getattr(plan, name))
    maintenance.title = _one_line(plan.title)


def _one_line(title: str) -> str:
    return " ".join(title.split())


def _spare_reminder(maintenance: Maintenance, *, at: datetime) -> None:
    """Leave the reminder out if its time has passed: customers are being told just now.

    It is noted as before its time, where none that was sent can be.
    """
    if maintenance.remind_at is not None and maintenance.remind_at <= at:
        maintenance.reminded_at = maintenance.remind_at - _INSTANT


def _set_components(maintenance: Maintenance, ids: Collection[int]) -> None:
    maintenance.components.set(Component.objects.filter(pk__in=ids, is_group=False))


def _joining(maintenance: Maintenance, plan: Plan) -> set[int]:
    """Return what the new plan puts under maintenance and the one before did not."""
    before = set(maintenance.components.values_list("pk", flat=True))
    is_same = maintenance.component_status == plan.component_status
    return set(plan.components) - before if is_same else set(plan.components)


# How far it is, to customers who hear of it only now.
_NEWS = {
    MaintenanceState.SCHEDULED: "maintenance_scheduled",
    MaintenanceState.IN_PROGRESS: "maintenance_started",
    MaintenanceState.VERIFYING: "maintenance_verifying",
    MaintenanceState.COMPLETED: "maintenance_finished",
    MaintenanceState.CANCELLED: "maintenance_cancelled",
}


def _tell_news(maintenance: Maintenance, *, at: datetime, author: User | None) -> None:
    code = _NEWS[MaintenanceState(maintenance.state)]
    tell(
        maintenance,
        "maintenance_missed" if maintenance.was_missed else code,
        at=at,
        author=author,
        changes=[] if maintenance.is_over else unchanged(parts_of(maintenance)),
        deliver=False if maintenance.is_over else None,
    )


def _let_go(maintenance: Maintenance, plan: Plan, *, at: datetime) -> None:
    """Release what the new plan no longer keeps under maintenance."""
    now = set(maintenance.components.values_list("pk", flat=True))
    # Those that join are locked with them, in the order in which everybody locks.
    both = Component.objects.select_for_update().filter(pk__in=now | set(plan.components))
    list(both.order_by("pk"))
    if plan.component_status == ComponentStatus.UNDER_MAINTENANCE:
        now -= set(plan.components)
    release_components(maintenance, at=at, only=now)


def _move_on(maintenance: Maintenance, *changed: str) -> None:
    """Save another time; calendars take it over, because the number has grown."""
    maintenance.sequence += 1
    maintenance.save(update_fields=["scheduled_until", "sequence", *changed])
