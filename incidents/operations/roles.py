"""Deeds on roles: who holds which, from when until when, and what they leave for the next."""

from collections.abc import Collection
from datetime import datetime
from typing import Literal

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import Incident, RoleAssignment
from incidents.operations.figures import keep_figures
from incidents.operations.record import lock_incident, note
from incidents.times import refuse_out_of_time
from incidents.values import EntryKind, Role, RoleReason, zone

Reason = RoleReason | Literal[""]


class RoleMoved(Refused):
    code = "role-moved"
    message = _("The role has changed hands meanwhile. Look who holds it now, and try again.")


class NoRoleChosen(Refused):
    code = "no-role-chosen"
    message = _("Choose at least one role to hand over.")


class HeldAlready(Refused):
    code = "held-already"
    message = _("They hold this already. Choose somebody else.")


class RestIsOver(Refused):
    code = "rest-is-over"
    message = _("That rest would be over already. Give a later time, or leave it empty.")


def assign_role(
    *,
    incident_id: int,
    role: Role,
    holder: User,
    at: datetime,
    author: User | None,
    reason: Reason = "",
    handover: str = "",
    resting_until_at: datetime | None = None,
) -> RoleAssignment:
    """Give a role to somebody, from now on. Whoever held it hands over.

    Somebody who holds it already goes on holding it: nothing is written down. ``handover`` and
    ``resting_until_at`` are of the one who held it.

    :raises RestIsOver: if the rest ends before it begins
    """
    _refuse_rest(resting_until_at, at=at)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        previous = _held(incident, role)
        if previous is not None and previous.holder_id == holder.pk:
            return previous
        if previous is not None:
            at = _end(previous, at=at, handover=handover, resting_until_at=resting_until_at)
        assignment = _begin(incident, role, holder, at=at, reason=reason, previous=previous)
        note_role(
            incident,
            gettext("%(role)s: %(name)s") % {"role": role.label, "name": holder.label()},
            ended=[previous] if previous is not None else [],
            reason=reason,
            at=at,
            author=author,
        )
    return assignment


def take_role(
    *,
    incident_id: int,
    role: Role,
    seen_id: int | None,
    at: datetime,
    author: User,
    reason: Reason = "",
) -> RoleAssignment:
    """Take a role oneself: an empty one, or one from whoever was seen to hold it.

    ``seen_id`` is the period that was seen, None if the role was seen empty.

    :raises RoleMoved: if somebody else has taken it since
    """
    with transaction.atomic():
        incident = lock_incident(incident_id)
        held = _held(incident, role)
        is_own = held is not None and held.holder_id == author.pk
        if not is_own and (held.pk if held else None) != seen_id:
            raise RoleMoved
        return assign_role(
            incident_id=incident_id, role=role, holder=author, at=at, author=author, reason=reason
        )


def hand_over(
    *,
    incident_id: int,
    assignment_ids: Collection[int],
    holder: User,
    at: datetime,
    author: User | None,
    reason: Reason = "",
    handover: str = "",
    resting_until_at: datetime | None = None,
) -> list[RoleAssignment]:
    """Give several roles to somebody at once: one deed, one entry with the note.

    ``assignment_ids`` are the periods that were seen to last. Those that ``holder`` has already
    stay as they are.

    :raises NoRoleChosen: if there are none
    :raises RoleMoved: if one of them has ended since
    :raises HeldAlready: if ``holder`` has them all already
    :raises RestIsOver: if the rest ends before it begins
    """
    _refuse_rest(resting_until_at, at=at)
    if not assignment_ids:
        raise NoRoleChosen
    with transaction.atomic():
        incident = lock_incident(incident_id)
        held = incident.roles.filter(pk__in=assignment_ids, until_at=None)
        rows = list(held.select_related("holder").order_by("pk"))
        if len(rows) != len(set(assignment_ids)):
            raise RoleMoved
        moving = [row for row in rows if row.holder_id != holder.pk]
        if not moving:
            raise HeldAlready
        taken = []
        for row in moving:
            begins = _end(row, at=at, handover=handover, resting_until_at=resting_until_at)
            taken.append(
                _begin(incident, Role(row.role), holder, at=begins, reason=reason, previous=row)
            )
        note_role(
            incident,
            gettext("Handed over to %(name)s: %(roles)s")
            % {
                "name": holder.label(),
                "roles": ", ".join(row.get_role_display() for row in moving),
            },
            ended=moving,
            reason=reason,
            at=max(row.from_at for row in taken),
            author=author,
        )
    return taken


def leave_role(
    *,
    assignment_id: int,
    at: datetime,
    author: User | None,
    reason: Reason = "",
    handover: str = "",
    resting_until_at: datetime | None = None,
) -> RoleAssignment:
    """Give a role up with nobody to take it: it stands empty from now on.

    :raises RoleMoved: if it has ended already
    :raises RestIsOver: if the rest ends before it begins
    """
    _refuse_rest(resting_until_at, at=at)
    with transaction.atomic():
        row = locked_period(assignment_id)
        if row.until_at is not None:
            raise RoleMoved
        at = _end(row, at=at, handover=handover, resting_until_at=resting_until_at)
        note_role(
            row.incident,
            gettext("%s: empty now") % row.get_role_display(),
            ended=[row],
            reason=reason,
            at=at,
            author=author,
        )
    return row


def restart_roles(incident: Incident, *, ended_at: datetime, at: datetime) -> None:
    """Let roles rest while a locked incident was over: nobody was on duty in between."""
    for row in list(incident.roles.filter(until_at=None).select_related("holder")):
        row.until_at = max(ended_at, row.from_at)
        row.save(update_fields=["until_at"])
        _begin(
            incident,
            Role(row.role),
            row.holder,
            at=max(at, row.until_at),
            reason=row.reason,
            previous=row,
        )


def _held(incident: Incident, role: str) -> RoleAssignment | None:
    held: RoleAssignment | None = (
        incident.roles.filter(role=role, until_at=None).select_related("holder").first()
    )
    return held


def locked_period(assignment_id: int) -> RoleAssignment:
    """Return the period, with its incident locked: the incident first, as everywhere.

    :raises RoleMoved: if it was undone meanwhile
    """
    known = RoleAssignment.objects.filter(pk=assignment_id).values_list("incident_id", flat=True)
    incident_id = known.first()
    if incident_id is None:
        raise RoleMoved
    incident = lock_incident(incident_id)
    row = (
        incident.roles.filter(pk=assignment_id).select_related("holder", "previous__holder").first()
    )
    if row is None:
        raise RoleMoved
    row.incident = incident
    return row


def _begin(
    incident: Incident,
    role: Role,
    holder: User,
    *,
    at: datetime,
    reason: str,
    previous: RoleAssignment | None,
) -> RoleAssignment:
    if incident.is_private:
        # Whoever has work to do in it may know of it.
        incident.members.add(holder)
    assignment: RoleAssignment = incident.roles.create(
        role=role, holder=holder, from_at=at, reason=reason, previous=previous
    )
    return assignment


def _end(
    row: RoleAssignment, *, at: datetime, handover: str, resting_until_at: datetime | None
) -> datetime:
    """End a period; return when. Two who took the time before either had the lock stay in order."""
    row.until_at = max(at, row.from_at)
    row.handover, row.resting_until_at = handover.strip(), resting_until_at
    row.save(update_fields=["until_at", "handover", "resting_until_at"])
    return row.until_at


def _refuse_rest(resting_until_at: datetime | None, *, at: datetime) -> None:
    refuse_out_of_time(resting_until_at)
    if resting_until_at is not None and resting_until_at <= at:
        raise RestIsOver


def clock(at: datetime, incident: Incident) -> str:
    return f"{at.astimezone(zone(incident.tz)):%Y-%m-%d %H:%M %Z}"


def note_role(
    incident: Incident,
    words: str,
    *,
    ended: Collection[RoleAssignment],
    reason: str,
    at: datetime,
    author: User | None,
) -> None:
    """Write down who took over from whom and why, who rests until when, and what was left."""
    lines = [words]
    if before := sorted({row.holder.label() for row in ended}):
        lines[0] += " " + gettext("(until now %s)") % ", ".join(before)
    if reason:
        lines[0] += f". {RoleReason(reason).label}"
    rests = {row.holder.label(): row.resting_until_at for row in ended}
    lines += [
        gettext("%(name)s rests until %(until)s") % {"name": name, "until": clock(until, incident)}
        for name, until in rests.items()
        if until is not None
    ]
    lines += sorted({row.handover for row in ended if row.handover})
    note(
        incident,
        "\n".join(lines),
        at=at,
        author=author,
        kind=EntryKind.ROLE,
        tags=["handover"] if ended else [],
    )
    # Who held the first role, and since when, says when it was acknowledged.
    keep_figures(incident.pk)
