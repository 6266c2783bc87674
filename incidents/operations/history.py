"""How a component is, and what the record says of how it was."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Component, StatusInterval
from incidents.operations.record import announce, keep_revision
from incidents.times import refuse_out_of_time
from incidents.values import ComponentStatus


class GroupHasNoStatus(Refused):
    code = "group-has-no-status"
    message = _("A group is as well as its worst member. Set the status of a member.")


class StretchIsEmpty(Refused):
    code = "stretch-is-empty"
    message = _("The stretch ends before it begins. Give an end that is later than its start.")


class StretchInTheFuture(Refused):
    code = "stretch-in-the-future"
    message = _(
        "Only what is over can be corrected. End the stretch now or earlier; "
        "how the component is from now on is its status."
    )


class StretchBeforeTheStart(Refused):
    code = "stretch-before-the-start"
    message = _(
        "The history of this component begins later. Begin the stretch later, "
        "or give the component an earlier start date first."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    status: str
    began_at: datetime
    ended_at: datetime | None


def move_component(component: Component, status: ComponentStatus, *, at: datetime) -> bool:
    """Set the status of a component that the caller has locked, and keep how long it lasted.

    The one place where a status is written. Returns whether it changed. A moment before the
    last change counts as that change's own; a status that nobody had time to see leaves none.
    """
    changed = component.status != status
    if not changed and component.history_version:
        return False
    component.status = status
    component.updated_at = at
    component.history_version += 1
    component.save(update_fields=["status", "updated_at", "history_version"])
    _turn(component, status, at=at)
    return changed


def start_history(component: Component, *, at: datetime) -> None:
    """Begin the history of a component that the caller has locked, if it has none.

    It begins now, whatever the start date: nobody has on record how it was before. A start date
    that is earlier says from when on that may be told; one that is later hides what is before
    it, and takes nothing away.
    """
    if component.intervals.exists():
        return
    component.intervals.create(status=component.status, began_at=at)
    component.history_version += 1
    component.save(update_fields=["history_version"])


def drop_history(component: Component) -> None:
    """Forget how a component was, which the caller has locked and makes a group."""
    component.intervals.all().delete()
    component.history_version += 1
    component.save(update_fields=["history_version"])


def rewrite_history(
    *,
    component_id: int,
    status: ComponentStatus,
    since: datetime,
    until: datetime,
    at: datetime,
    author: User | None,
    keeps_worse: bool = False,
) -> Component:
    """Correct what the record says of a stretch in the past; what it said is kept as a revision.

    How the component is now does not change, and nobody is notified. With ``keeps_worse``, what
    is on record as worse stays so. The stretch may begin before the record does, if the
    component's start date is early enough.

    :raises OutOfTime: if it begins or ends in a year that cannot be meant
    :raises GroupHasNoStatus: if it is a group
    :raises StretchIsEmpty: if the stretch does not end after its start
    :raises StretchInTheFuture: if it ends after ``at``
    :raises StretchBeforeTheStart: if the component begins after it does
    """
    with transaction.atomic():
        component = Component.objects.select_for_update().get(pk=component_id)
        since = refuse_stretch(component, since=since, until=until, at=at)
        touched = list(
            component.intervals.filter(began_at__lte=until)
            .exclude(ended_at__lt=since)
            .oldest_first()
        )
        keep_revision(component, at=at, author=author, also={"history": _as_json(touched)})
        given = _Stretch(status=status, began_at=since, ended_at=until)
        new = _beneath_worse(given, touched) if keeps_worse else [given]
        component.intervals.filter(pk__in=[interval.pk for interval in touched]).delete()
        StatusInterval.objects.bulk_create(
            StatusInterval(
                component=component,
                status=stretch.status,
                began_at=stretch.began_at,
                ended_at=stretch.ended_at,
            )
            for stretch in _merged([*_outside(touched, since, until), *new])
        )
        component.history_version += 1
        component.updated_at = at
        component.save(update_fields=["history_version", "updated_at"])
        announce(None)
    return component


def refuse_stretch(
    component: Component, *, since: datetime, until: datetime, at: datetime
) -> datetime:
    """Refuse what cannot be rewritten; return when the stretch begins, as exactly as it can.

    Its start may be typed to the second, and be that of the history, which is kept more exactly.

    :raises OutOfTime: if it begins or ends in a year that cannot be meant
    :raises GroupHasNoStatus: if it is a group
    :raises StretchIsEmpty: if the stretch does not end after its start
    :raises StretchInTheFuture: if it ends after ``at``
    :raises StretchBeforeTheStart: if the component begins after it does
    """
    refuse_out_of_time(since, until)
    if component.is_group:
        raise GroupHasNoStatus
    if until <= since:
        raise StretchIsEmpty
    if until > at:
        raise StretchInTheFuture
    start = history_start(component)
    if start is None or since < start.replace(microsecond=0):
        raise StretchBeforeTheStart
    return max(since, start)


def history_start(component: Component) -> datetime | None:
    """Return from when on the history of a component can be told; None if it has none."""
    first = component.intervals.oldest_first().first()
    if first is None:
        return None
    return midnight(component.start_on) if component.start_on else first.began_at


def midnight(day: date) -> datetime:
    """Return when a day begins in the zone of the installation, which is UTC."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def _turn(component: Component, status: ComponentStatus, *, at: datetime) -> None:
    """End the open interval and open the next."""
    current = component.intervals.filter(ended_at=None).first()
    if current is None:
        component.intervals.create(status=status, began_at=at)
        return
    at = max(at, current.began_at)
    if current.began_at < at:
        current.ended_at = at
        current.save(update_fields=["ended_at"])
        component.intervals.create(status=status, began_at=at)
        return
    # It would be of no length. What was before it goes on, if that is what it turns to.
    before = component.intervals.filter(ended_at=at, status=status).first()
    if before is None:
        current.status = status
        current.save(update_fields=["status"])
    else:
        current.delete()
        before.ended_at = None
        before.save(update_fields=["ended_at"])


def _beneath_worse(given: _Stretch, intervals: Iterable[StatusInterval]) -> list[_Stretch]:
    """Return the stretch with what is on record as worse, inside it, as it is."""
    new = [given]
    for row in intervals:
        began_at = max(row.began_at, given.began_at)
        ended_at = min(filter(None, (row.ended_at, given.ended_at)))
        is_worse = ComponentStatus(row.status).rank > ComponentStatus(given.status).rank
        if is_worse and began_at < ended_at:
            worse = _Stretch(status=row.status, began_at=began_at, ended_at=ended_at)
            new = [*_outside(new, began_at, ended_at), worse]
    return new


def _outside(
    intervals: Iterable[StatusInterval | _Stretch], since: datetime, until: datetime
) -> Iterable[_Stretch]:
    """Return what is left of the intervals before and after the stretch."""
    for row in intervals:
        kept = _Stretch(status=row.status, began_at=row.began_at, ended_at=row.ended_at)
        if row.began_at < since:
            yield replace(kept, ended_at=min(row.ended_at or since, since))
        if row.ended_at is None or row.ended_at > until:
            yield replace(kept, began_at=max(row.began_at, until))


def _merged(stretches: Iterable[_Stretch]) -> list[_Stretch]:
    """Return the stretches in order, those of one status that meet as one."""
    merged: list[_Stretch] = []
    for stretch in sorted(stretches, key=lambda stretch: stretch.began_at):
        last = merged[-1] if merged else None
        if last and last.status == stretch.status and last.ended_at == stretch.began_at:
            merged[-1] = replace(last, ended_at=stretch.ended_at)
        else:
            merged.append(stretch)
    return merged


def _as_json(intervals: Iterable[StatusInterval]) -> list[list[str | None]]:
    return [
        [
            interval.status,
            interval.began_at.isoformat(),
            interval.ended_at.isoformat() if interval.ended_at else None,
        ]
        for interval in intervals
    ]
