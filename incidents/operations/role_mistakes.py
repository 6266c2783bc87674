"""Mistakes with roles: taken back within minutes, or their times corrected later."""

import itertools
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import RoleAssignment
from incidents.operations.figures import keep_figures
from incidents.operations.record import keep_revision, note
from incidents.operations.roles import RoleMoved, clock, locked_period, note_role
from incidents.operations.timeline import EndsBeforeStart
from incidents.times import refuse_out_of_time
from incidents.values import EntryKind

# A role that was given by mistake can be taken back for so long, as if it had not been.
UNDO_WITHIN = timedelta(minutes=15)


class TooLateToUndo(Refused):
    code = "too-late-to-undo"
    message = _(
        "It has been so for more than 15 minutes. Hand the role over, or correct its times."
    )


class RoleOverlaps(Refused):
    code = "role-overlaps"
    message = _("Somebody else held the role during that time. Correct that period first.")


class RoleStillToCome(Refused):
    code = "role-still-to-come"
    message = _("This is still to come. Give a time that has passed.")


class EndsByHandover(Refused):
    code = "ends-by-handover"
    message = _("Times do not end or reopen a role. Hand it over, leave it, or take it.")


def undo_role(*, assignment_id: int, at: datetime, author: User | None) -> RoleAssignment | None:
    """Take back what was a mistake, as if it had not been; return who holds the role again.

    None if it stood empty before. What the period said is kept as a revision.

    :raises RoleMoved: if it has ended already
    :raises TooLateToUndo: if it is older than ``UNDO_WITHIN``
    """
    with transaction.atomic():
        row = locked_period(assignment_id)
        if row.until_at is not None:
            raise RoleMoved
        if at - row.from_at > UNDO_WITHIN:
            raise TooLateToUndo
        before = row.previous
        if before is not None and before.until_at != row.from_at:
            before = None
        keep_revision(row, at=at, author=author, reason="undone")
        row.delete()
        if before is not None:
            keep_revision(before, at=at, author=author, reason="undone")
            before.until_at, before.handover, before.resting_until_at = None, "", None
            before.save(update_fields=["until_at", "handover", "resting_until_at"])
        words = gettext("Undone. %(role)s: %(name)s")
        note_role(
            row.incident,
            words
            % {
                "role": row.get_role_display(),
                "name": before.holder.label() if before else gettext("empty"),
            },
            ended=[],
            reason="",
            at=at,
            author=author,
        )
    return before


def correct_role(
    *,
    assignment_id: int,
    from_at: datetime,
    until_at: datetime | None,
    at: datetime,
    author: User | None,
    reason: str = "",
) -> RoleAssignment:
    """Correct from when until when somebody held a role. What it said before is kept.

    Where one period ended as the next began, both times are moved together. ``until_at`` is None
    for a role that is held, and only then.

    :raises OutOfTime: if it is in a year that cannot be meant
    :raises RoleStillToCome: if it lies in the future
    :raises EndsByHandover: if it would end a role that is held, or reopen one that is not
    :raises EndsBeforeStart: if a period, or the one beside it, would run backwards
    :raises RoleOverlaps: if somebody else held the role then
    """
    refuse_out_of_time(from_at, until_at)
    if max(from_at, until_at or from_at) > at:
        raise RoleStillToCome
    with transaction.atomic():
        row = locked_period(assignment_id)
        if (row.until_at is None) != (until_at is None):
            raise EndsByHandover
        was = _stretch(row)
        periods = list(row.incident.roles.filter(role=row.role).select_related("holder"))
        changed = _shifted(periods, row, from_at, until_at)
        _refuse_disorder(periods)
        for each in changed:
            keep_revision(each, at=at, author=author, reason=reason)
            each.save(update_fields=["from_at", "until_at"])
        row = next(each for each in periods if each.pk == assignment_id)
        words = gettext("Corrected. %(role)s: %(name)s, %(stretch)s; it said %(was)s")
        note(
            row.incident,
            words
            % {
                "role": row.get_role_display(),
                "name": row.holder.label(),
                "stretch": _stretch(row),
                "was": was,
            },
            at=at,
            author=author,
            kind=EntryKind.ROLE,
        )
        keep_figures(row.incident_id)
    return row


def _shifted(
    periods: list[RoleAssignment], row: RoleAssignment, from_at: datetime, until_at: datetime | None
) -> list[RoleAssignment]:
    """Set the new times among ``periods``; return the rows that change."""
    changed = []
    for each in periods:
        if each.pk == row.pk:
            each.from_at, each.until_at = from_at, until_at
        elif each.until_at == row.from_at:
            each.until_at = from_at
        elif row.until_at is not None and each.from_at == row.until_at and until_at is not None:
            each.from_at = until_at
        else:
            continue
        changed.append(each)
    return changed


def _refuse_disorder(periods: list[RoleAssignment]) -> None:
    """Refuse periods of one role that run backwards or share time."""
    if any(row.until_at is not None and row.until_at < row.from_at for row in periods):
        raise EndsBeforeStart
    # One that lasts no time stands before what begins with it.
    ordered = sorted(periods, key=lambda row: (row.from_at, row.until_at != row.from_at, row.pk))
    for earlier, later in itertools.pairwise(ordered):
        if earlier.until_at is None or earlier.until_at > later.from_at:
            raise RoleOverlaps


def _stretch(row: RoleAssignment) -> str:
    start = clock(row.from_at, row.incident)
    if row.until_at is None:
        return gettext("since %s") % start
    return f"{start} – {clock(row.until_at, row.incident)}"
