"""Who is on duty in an incident and for how long, and which roles stand empty that should not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from accounts.models import User
from incidents.duty import Duty, Period, duty
from incidents.models import DeskRules, Incident, RoleAssignment
from incidents.values import Role, Severity, Visibility

_GRAVE = (Severity.SEV1, Severity.SEV2)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDuty:
    """Somebody who holds a role now, or has held one, and for how long."""

    person: User
    held: Sequence[RoleAssignment]
    duty: Duty
    is_long: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Somebody who gave up their roles, and is not to be woken before then."""

    person: User
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LongDuty:
    """Somebody who has been on duty in an incident for longer than staff have agreed on."""

    incident: Incident
    person: User
    duty: Duty


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyRole:
    """A role that an open incident needs and nobody holds."""

    incident: Incident
    role: Role
    since: datetime


@dataclass(slots=True)
class _Known:
    person: User
    rows: list[RoleAssignment] = field(default_factory=list)


def assignments(incident_id: int) -> list[RoleAssignment]:
    """Return who held which role when, oldest first, with holders. One query."""
    rows = RoleAssignment.objects.filter(incident_id=incident_id).select_related("holder")
    return list(rows.order_by("from_at", "pk"))


def on_duty(rows: Iterable[RoleAssignment], *, at: datetime, limit: timedelta) -> list[OnDuty]:
    """Return everybody of one incident's periods: who is on duty first, the longest first.

    ``limit`` is how long somebody may be on duty before it is said. Asks nothing of the database.
    """
    known: dict[int, _Known] = {}
    for row in rows:
        known.setdefault(row.holder_id, _Known(row.holder)).rows.append(row)
    found = []
    for each in known.values():
        periods = [Period(since=row.from_at, until=row.until_at) for row in each.rows]
        spent = duty(periods, at=at)
        found.append(
            OnDuty(
                person=each.person,
                held=[row for row in each.rows if row.until_at is None],
                duty=spent,
                is_long=spent.stretch > limit,
            )
        )
    return sorted(found, key=lambda each: (not each.held, -each.duty.stretch, -each.duty.total))


def resting(rows: Iterable[RoleAssignment], *, at: datetime) -> list[Resting]:
    """Return who rests now and until when: nobody who holds a role again."""
    periods = list(rows)
    busy = {row.holder_id for row in periods if row.until_at is None}
    until: dict[int, Resting] = {}
    for row in periods:
        ends = row.resting_until_at
        if ends is None or ends <= at or row.holder_id in busy:
            continue
        if row.holder_id not in until or until[row.holder_id].until < ends:
            until[row.holder_id] = Resting(person=row.holder, until=ends)
    return sorted(until.values(), key=lambda each: each.until)


def long_on_duty(at: datetime) -> list[LongDuty]:
    """Return who has been on duty for longer than agreed, in the incidents that are open.

    Incidents of every kind and visibility: whoever tells of them minds who may know. Two queries.
    """
    limit = DeskRules.objects.in_force().duty_limit
    held = RoleAssignment.objects.filter(
        incident=OuterRef("incident"), holder=OuterRef("holder"), until_at=None
    )
    rows = RoleAssignment.objects.filter(
        Exists(held), incident__in=Incident.objects.open()
    ).select_related("holder", "incident")
    by_incident: dict[int, list[RoleAssignment]] = {}
    for row in rows.order_by("incident_id", "from_at", "pk"):
        by_incident.setdefault(row.incident_id, []).append(row)
    return [
        LongDuty(incident=periods[0].incident, person=each.person, duty=each.duty)
        for periods in by_incident.values()
        for each in on_duty(periods, at=at, limit=limit)
        if each.is_long
    ]


def empty_roles(at: datetime) -> list[EmptyRole]:
    """Return the roles that open incidents need and that have stood empty for too long.

    A commander is always needed, a communications lead where a grave one is public. Incidents of
    every kind and visibility: whoever tells of them minds who may know. Three queries.
    """
    patience = DeskRules.objects.in_force().empty_role_after
    every = Incident.objects.open()
    told = every.filter(severity__in=_GRAVE, visibility=Visibility.PUBLIC)
    found = []
    for needed, role in ((every, Role.COMMANDER), (told, Role.COMMUNICATIONS)):
        for incident in _without(needed, role):
            since: datetime = incident.left_at or incident.created_at  # type: ignore[attr-defined]
            if at - since > patience:
                found.append(EmptyRole(incident=incident, role=role, since=since))
    return found


def _without(incidents: QuerySet[Incident], role: Role) -> QuerySet[Incident]:
    held = RoleAssignment.objects.filter(incident=OuterRef("pk"), role=role, until_at=None)
    return (
        incidents.filter(~Exists(held))
        .annotate(left_at=Max("roles__until_at", filter=Q(roles__role=role)))
        .order_by("pk")
    )
