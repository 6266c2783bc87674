"""Deeds on action items."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import ActionItem
from incidents.operations.record import keep_revision, lock_incident
from incidents.values import ActionState, Precision, Priority, When


class WontDoNeedsAReason(Refused):
    code = "wont-do-needs-a-reason"
    message = _("Say why it will not be done.")


class DoneNeedsADay(Refused):
    code = "done-needs-a-day"
    message = _("Say on which day, or in which days, it was done.")


def add_action_item(
    *,
    incident_id: int,
    text: str,
    at: datetime,
    author: User | None,
    kind: str = "",
    state: ActionState = ActionState.PROPOSED,
    state_reason: str = "",
    owner: User | None = None,
    owner_label: str = "",
    priority: Priority = Priority.MEDIUM,
    due: When | None = None,
    done: When | None = None,
    addresses: Sequence[int] = (),
    check_by: str = "",
    is_public: bool = False,
    import_line: int | None = None,
) -> ActionItem:
    """Write down what shall be done, with the ids of the causes that it addresses.

    :raises DoneNeedsADay: if it is added as done without a time
    :raises WontDoNeedsAReason: if it is added as refused without a reason
    """
    _refuse_bare_state(state, done=done, reason=state_reason)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        action = ActionItem(
            incident=incident,
            text=text,
            kind=kind,
            state=state,
            state_reason=state_reason,
            owner=owner,
            owner_label=owner_label,
            priority=priority,
            check_by=check_by,
            is_public=is_public,
            import_line=import_line,
            created_by=author,
            created_at=at,
            **(due or When.unknown()).fields("due_"),
            **(done or When.unknown()).fields("done_"),
        )
        action.save(force_insert=True)
        action.addresses.set(incident.causes.filter(pk__in=addresses))
    return action


def move_action_item(
    *,
    action_id: int,
    state: ActionState,
    at: datetime,
    author: User | None,
    done: When | None = None,
    reason: str = "",
) -> ActionItem:
    """Move an action item to another state. ``done`` is today's date unless told otherwise.

    :raises WontDoNeedsAReason: if it is refused without a reason
    """
    if state == ActionState.DONE and done is None:
        done = When(at=at, precision=Precision.DAY)
    _refuse_bare_state(state, done=done, reason=reason)
    with transaction.atomic():
        action = ActionItem.objects.select_for_update().get(pk=action_id)
        keep_revision(action, at=at, author=author, reason=reason)
        finished = done if state == ActionState.DONE else None
        changes = {"state": state, "state_reason": reason, "edited_at": at} | (
            finished or When.unknown()
        ).fields("done_")
        _apply(action, changes)
    return action


def edit_action_item(
    *,
    action_id: int,
    at: datetime,
    author: User | None,
    due: When | None = None,
    **changes: Any,
) -> ActionItem:
    """Change an action item. What it said before is kept as a revision.

    ``changes``: any of text, kind, owner, owner_label, priority, check_by, tracker_url, is_public.
    """
    unknown = set(changes) - {
        "text", "kind", "owner", "owner_label", "priority", "check_by", "tracker_url", "is_public",
    }  # fmt: skip
    if unknown:
        raise TypeError(f"An action item has no {', '.join(sorted(unknown))} to edit.")
    with transaction.atomic():
        action = ActionItem.objects.select_for_update().get(pk=action_id)
        keep_revision(action, at=at, author=author)
        if due is not None:
            changes |= due.fields("due_")
        _apply(action, changes | {"edited_at": at})
    return action


def _apply(action: ActionItem, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        setattr(action, name, value)
    action.save(update_fields=list(changes))


def _refuse_bare_state(state: ActionState, *, done: When | None, reason: str) -> None:
    if state == ActionState.DONE and (done is None or done.at is None):
        raise DoneNeedsADay
    if state == ActionState.WONT_DO and not reason:
        raise WontDoNeedsAReason
