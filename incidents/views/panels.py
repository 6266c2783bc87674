"""Parts of the incident page on people and on other incidents; each is one query or two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from incidents import queries
from incidents.models import DeskRules, Incident, RoleAssignment
from incidents.operations.role_mistakes import UNDO_WITHIN
from incidents.queries import OnDuty
from incidents.values import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A role, who holds it, and what the reader may do about it."""

    role: Role
    held: RoleAssignment | None
    duty: OnDuty | None
    is_own: bool
    can_undo: bool


def people(incident: Incident, reader: User, *, now: datetime) -> dict[str, Any]:
    """Return who holds what, who is on duty for how long, and who may know."""
    rows = queries.assignments(incident.pk)
    limit = DeskRules.objects.in_force().duty_limit
    until = min(now, incident.resolved_at or now)
    on_duty = queries.on_duty(rows, at=until, limit=limit)
    by_person = {each.person.pk: each for each in on_duty}
    seats = [_seat(role, rows, by_person, reader, now=now) for role in Role]
    has_commander = any(seat.held for seat in seats if seat.role == Role.COMMANDER)
    return {
        # Whether something is to be done about them now.
        "is_pressing": not incident.is_resolved
        and (not has_commander or any(each.is_long for each in on_duty)),
        "seats": seats,
        "past_roles": [row for row in reversed(rows) if row.until_at is not None],
        "on_duty": on_duty,
        "resting": queries.resting(rows, at=now),
        "duty_limit": limit,
        "members": incident.members.order_by("username") if incident.is_private else [],
    }


def _seat(
    role: Role,
    rows: Sequence[RoleAssignment],
    by_person: dict[int, OnDuty],
    reader: User,
    *,
    now: datetime,
) -> Seat:
    held = next((row for row in rows if row.role == role and row.until_at is None), None)
    return Seat(
        role=role,
        held=held,
        duty=by_person[held.holder_id] if held else None,
        is_own=held is not None and held.holder_id == reader.pk,
        can_undo=held is not None and now - held.from_at <= UNDO_WITHIN,
    )


def relations(incident: Incident, reader: User) -> dict[str, Any]:
    """Return of what it is a part or a duplicate, and the reverse: what the reader may know of."""
    named = [pk for pk in (incident.parent_id, incident.duplicate_of_id) if pk is not None]
    around = Q(parent=incident.pk) | Q(duplicate_of=incident.pk) | Q(pk__in=named)
    found = list(Incident.objects.seen_by(reader).filter(around).order_by("pk"))
    return {
        "whole": next((row for row in found if row.pk == incident.parent_id), None),
        "original": next((row for row in found if row.pk == incident.duplicate_of_id), None),
        "parts": [row for row in found if row.parent_id == incident.pk],
        "duplicates": [row for row in found if row.duplicate_of_id == incident.pk],
    }
