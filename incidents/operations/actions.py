"""Deeds on action items."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from incidents.errors import Refused
from incidents.models import FINISHED, ActionItem, Incident, Revision, SeverityRule
from incidents.operations.record import announce, keep_revision, lock_incident, refuse_outdated
from incidents.operations.trackers import wants_sync
from incidents.times import refuse_out_of_time
from incidents.values import ActionState, Precision, Priority, Severity, When, zone

_EDITED = frozenset(
    {"text", "kind", "owner", "owner_label", "priority", "check_by", "tracker_url", "is_public"}
)
# What a move changes, and an undone move brings back.
_MOVED = ("state", "state_reason", "proof", *(f"done_{name}" for name in When.__slots__))


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
    proof: str = "",
    is_public: bool = False,
    import_line: int | None = None,
) -> ActionItem:
    """Write down what shall be done, with the ids of the causes that it addresses.

    Without a due time it falls due as staff have agreed on for the severity, if they have.

    :raises DoneNeedsADay: if it is added as done without a time
    :raises WontDoNeedsAReason: if it is added as refused without a reason
    :raises OutOfTime: if one of the times is in a year that cannot be meant
    """
    _refuse_bare_state(state, done=done, reason=state_reason)
    refuse_out_of_time(due, done)
    with transaction.atomic():
        incident = lock_incident(incident_id)
        if due is None and state not in FINISHED:
            due = _due_by_policy(incident, at)
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
            proof=proof,
            is_public=is_public,
            import_line=import_line,
            created_by=author,
            created_at=at,
            **(due or When.unknown()).fields("due_"),
            **(done or When.unknown()).fields("done_"),
        )
        action.save(force_insert=True)
        action.addresses.set(incident.causes.live().filter(pk__in=addresses))
        if is_public:
            announce(incident_id)
    return action


def move_action_item(
    *,
    action_id: int,
    state: ActionState,
    at: datetime,
    author: User | None,
    done: When | None = None,
    reason: str = "",
    proof: str = "",
    version: int | None = None,
) -> ActionItem:
    """Move an action item to another state. ``done`` is today's date unless told otherwise.

    ``proof``: by what it can be seen that it is done, in words or as a link.

    :raises WontDoNeedsAReason: if it is refused without a reason
    :raises OutOfTime: if it was done in a year that cannot be meant
    :raises EditedMeanwhile: if somebody else has changed it since ``version`` was read
    """
    if state == ActionState.DONE and done is None:
        done = When(at=at, precision=Precision.DAY)
    _refuse_bare_state(state, done=done, reason=reason)
    refuse_out_of_time(done)
    finished = done if state == ActionState.DONE else None
    changes = {
        "state": state,
        "state_reason": reason,
        "proof": proof if state == ActionState.DONE else "",
    } | (finished or When.unknown()).fields("done_")
    with transaction.atomic():
        action = _hold(action_id, version)
        _change(action, changes, at=at, author=author, reason=reason)
    return action


def undo_move(*, action_id: int, at: datetime, author: User | None, version: int) -> ActionItem:
    """Bring back the state that an action item had before its last change.

    :raises EditedMeanwhile: if it was changed since ``version`` was read
    """
    with transaction.atomic():
        action = _hold(action_id, version)
        kind = ContentType.objects.get_for_model(ActionItem)
        kept = Revision.objects.filter(content_type=kind, object_id=action_id)
        if last := kept.order_by("-number").first():
            columns = {field.name: field for field in ActionItem._meta.concrete_fields}
            said = {name: columns[name].to_python(last.data[name]) for name in _MOVED}
            _change(action, said, at=at, author=author, reason=gettext("The move was undone"))
    return action


def edit_action_item(
    *,
    action_id: int,
    at: datetime,
    author: User | None,
    due: When | None = None,
    addresses: Sequence[int] | None = None,
    version: int | None = None,
    **changes: Any,
) -> ActionItem:
    """Change an action item. What it said before is kept as a revision.

    ``changes``: any of text, kind, owner, owner_label, priority, check_by, tracker_url, is_public.
    ``addresses``: the ids of all causes that it addresses from now on.

    :raises OutOfTime: if it is due in a year that cannot be meant
    :raises EditedMeanwhile: if somebody else has changed it since ``version`` was read
    """
    if unknown := set(changes) - _EDITED:
        raise TypeError(f"An action item has no {', '.join(sorted(unknown))} to edit.")
    refuse_out_of_time(due)
    if due is not None:
        changes |= due.fields("due_") | {"due_ends_at": None}
    with transaction.atomic():
        action = _hold(action_id, version)
        _change(action, changes, at=at, author=author)
        if addresses is not None:
            # One that was taken off the record stays linked: it may come back.
            gone = action.addresses.filter(deleted_at__isnull=False)
            live = action.incident.causes.live().filter(pk__in=addresses)
            action.addresses.set([*gone, *live])
    return action


def _hold(action_id: int, version: int | None) -> ActionItem:
    action = ActionItem.objects.select_for_update().get(pk=action_id)
    refuse_outdated(action.version, version)
    return action


def _change(
    action: ActionItem,
    changes: dict[str, Any],
    *,
    at: datetime,
    author: User | None,
    reason: str = "",
) -> None:
    """Keep what it says, then let it say something else; tell the page if it shows it."""
    addresses = sorted(action.addresses.values_list("pk", flat=True))
    also = {"addresses": addresses}
    keep_revision(action, at=at, author=author, reason=reason, also=also)
    was_public = action.is_public
    for name, value in changes.items():
        setattr(action, name, value)
    action.edited_at = at
    action.version += 1
    action.save(update_fields=[*changes, "edited_at", "version"])
    wants_sync(action)
    if was_public or action.is_public:
        announce(action.incident_id)


def _due_by_policy(incident: Incident, at: datetime) -> When | None:
    """Return the last day that staff have agreed on; None where they have not."""
    days = SeverityRule.objects.in_force(Severity(incident.severity)).action_days
    if days is None:
        return None
    there = zone(incident.tz)
    day = at.astimezone(there).date() + timedelta(days=days)
    midnight = datetime.combine(day, time(), there).astimezone(UTC)
    return When(at=midnight, precision=Precision.DAY, tz=incident.tz, said=day.isoformat())


def _refuse_bare_state(state: ActionState, *, done: When | None, reason: str) -> None:
    if state == ActionState.DONE and (done is None or done.at is None):
        raise DoneNeedsADay
    if state == ActionState.WONT_DO and not reason:
        raise WontDoNeedsAReason
