"""Deeds on trackers and on the issues of action items in them. None of them waits for a tracker."""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.models import User
from incidents.errors import Refused
from incidents.inbound import digest, new_token
from incidents.models import ActionItem, Tracker, TrackerIssue
from incidents.trackers import Remote
from incidents.values import SyncState
from notifications import guarded
from notifications.errors import Undelivered

_PROJECT = re.compile(r"[A-Za-z0-9_.~-]+(/[A-Za-z0-9_.~-]+)*")
# What the row of an action item holds, too.
_LONGEST_LINK = 500
_PLACE = ("kind", "address", "project")


class TrackerNameTaken(Refused):
    code = "tracker-name-taken"
    message = "Another tracker has this name. Take a different one."


class TrackerAddressUnfit(Refused):
    code = "tracker-address-unfit"
    message = "Nothing can be asked at this address. Enter that of its API."


class TrackerProjectUnfit(Refused):
    code = "tracker-project-unfit"
    message = "This names no project. Write it as in its address: acme/shop, or SHOP."


class TrackerHasFollowed(Refused):
    code = "tracker-has-followed-issues"
    message = (
        "Issues that were there before are followed in this project, and another one may have "
        "others under their numbers. Unlink these first."
    )


class TrackerPaused(Refused):
    code = "tracker-paused"
    message = "This tracker is paused. Switch it on first."


class PrivateStaysHere(Refused):
    code = "private-action-stays-here"
    message = "The incident is private, and a tracker has other readers. Its actions stay here."


class IssueThere(Refused):
    code = "action-has-an-issue"
    message = "The action item has an issue already. Unlink that one first."


class IssueOfAnother(Refused):
    code = "issue-of-another-action"
    message = "Another action item has this issue. Unlink it there first."


class IssueBeingCreated(Refused):
    code = "issue-being-created"
    message = "Its issue is being created at this moment. Try again in some minutes."


class NoConflict(Refused):
    code = "tracker-no-conflict"
    message = "Nothing is left to decide here: both say the same by now."


def connect_tracker(*, at: datetime, author: User | None, **said: Any) -> tuple[Tracker, str]:
    """Write a tracker down, and return it with the token of its webhooks' address.

    ``said``: name, kind, address, project, labels, issue_type, secret, webhook_secret. Nothing
    else ever tells the token.

    :raises TrackerNameTaken: if another one has the name
    :raises TrackerAddressUnfit: if nothing may be asked at this address
    :raises TrackerProjectUnfit: if that is no name of a project
    """
    token = new_token()
    tracker = Tracker(token_digest=digest(token), created_by=author, created_at=at)
    _write(tracker, said)
    return tracker, token


def edit_tracker(*, tracker_id: int, at: datetime, **said: Any) -> Tracker:
    """Say anew where a tracker is and what opens it; what had failed there is tried again.

    :raises TrackerHasFollowed: if it names another project while issues of this one are followed
    :raises TrackerNameTaken: if another one has the name
    :raises TrackerAddressUnfit: if nothing may be asked at this address
    :raises TrackerProjectUnfit: if that is no name of a project
    """
    with transaction.atomic():
        tracker = Tracker.objects.select_for_update().get(pk=tracker_id)
        moves = any(said[name] != getattr(tracker, name) for name in _PLACE if name in said)
        if moves and tracker.issues.filter(is_followed=True).exists():
            raise TrackerHasFollowed
        _write(tracker, said)
        _wake(tracker, at=at)
    return tracker


def switch_tracker(*, tracker_id: int, is_enabled: bool, at: datetime) -> Tracker:
    """Pause a tracker, or go on. While it rests nothing is sent or read; changes are kept."""
    with transaction.atomic():
        tracker = Tracker.objects.select_for_update().get(pk=tracker_id)
        tracker.is_enabled = is_enabled
        tracker.save(update_fields=["is_enabled"])
        if is_enabled:
            _wake(tracker, at=at)
    return tracker


def renew_tracker_token(*, tracker_id: int) -> tuple[Tracker, str]:
    """Give the webhooks of a tracker another address. The one before leads nowhere from now on."""
    token = new_token()
    with transaction.atomic():
        tracker = Tracker.objects.select_for_update().get(pk=tracker_id)
        tracker.token_digest = digest(token)
        tracker.save(update_fields=["token_digest"])
    return tracker, token


def remove_tracker(*, tracker_id: int) -> None:
    """Let a tracker go. Its issues stay where they are; the action items know them no more."""
    with transaction.atomic():
        Tracker.objects.select_for_update().filter(pk=tracker_id).delete()


def note_trial(*, tracker_id: int, words: str, at: datetime) -> Tracker:
    """Keep what a look at a tracker came to: empty if all is well, and it is tried again."""
    with transaction.atomic():
        tracker = Tracker.objects.select_for_update().get(pk=tracker_id)
        if words:
            tracker.last_error, tracker.last_error_at = words[:500], at
            tracker.save(update_fields=["last_error", "last_error_at"])
        else:
            _wake(tracker, at=at)
    return tracker


def send_action(
    *, action_id: int, tracker_id: int, at: datetime, author: User | None
) -> TrackerIssue:
    """Queue an action item for a tracker, in which an issue is created for it.

    :raises IssueThere: if it has one already
    :raises TrackerPaused: if the tracker takes nothing now
    :raises PrivateStaysHere: if it belongs to a private incident
    """
    with transaction.atomic():
        return _link(action_id, tracker_id, at=at, author=author)


def follow_issue(
    *, action_id: int, tracker_id: int, remote: Remote, at: datetime, author: User | None
) -> TrackerIssue:
    """Tie an action item to an issue that is there: its state comes here, and ours goes there.

    :raises IssueThere: if the action item has one already
    :raises IssueOfAnother: if the issue belongs to another action item
    :raises TrackerPaused: if the tracker takes nothing now
    :raises PrivateStaysHere: if it belongs to a private incident
    """
    with transaction.atomic():
        if TrackerIssue.objects.filter(tracker_id=tracker_id, key=remote.key).exists():
            raise IssueOfAnother
        return _link(
            action_id,
            tracker_id,
            at=at,
            author=author,
            key=remote.key,
            url=shown_address(remote),
            is_followed=True,
        )


def unlink_action(*, issue_id: int, at: datetime) -> None:
    """Untie an action item from its issue. Nothing changes in the tracker.

    :raises IssueBeingCreated: if a worker may be creating it now
    """
    with transaction.atomic():
        link = TrackerIssue.objects.select_for_update().filter(pk=issue_id).first()
        if link is None:
            return
        if not link.key and link.claimed_until and link.claimed_until > at:
            raise IssueBeingCreated
        link.delete()


def retry_sync(*, issue_id: int, at: datetime) -> TrackerIssue:
    """Let an issue be looked at now, whatever became of it, and its tracker rest no longer."""
    with transaction.atomic():
        # The tracker first, as everybody who changes both does it.
        Tracker.objects.filter(issues=issue_id).update(rests_until=None)
        link = TrackerIssue.objects.select_for_update().get(pk=issue_id)
        _queue(link, at=at)
    return link


def wants_sync(action: ActionItem) -> None:
    """Queue what an action item says now for its issue, in the transaction that changes it.

    One that is in no tracker costs a look. A person's change of the state is kept with its time.
    """
    link = TrackerIssue.objects.select_for_update().filter(action_id=action.pk).first()
    if link is None:
        return
    at = action.edited_at or action.created_at
    if link.known_state != action.state:
        link.known_state, link.decided_at = action.state, at
        link.save(update_fields=["known_state", "decided_at"])
    if link.state == SyncState.GONE:
        return
    _queue(link, at=at)


def ring(*, tracker_id: int, key: str, at: datetime) -> bool:
    """Let an issue be looked at now, because its tracker says that it changed. False: not ours."""
    with transaction.atomic():
        Tracker.objects.filter(pk=tracker_id).update(last_heard_at=at)
        rung = TrackerIssue.objects.filter(tracker_id=tracker_id, key=key).exclude(key="")
        return bool(rung.update(next_at=at, wants=F("wants") + 1))


def shown_address(remote: Remote) -> str:
    """Return the address of an issue as a page may link it: whatever a tracker says is typed in."""
    is_web = remote.url.startswith(("https://", "http://"))
    is_plain = remote.url.isascii() and remote.url.isprintable()
    return remote.url if is_web and is_plain and len(remote.url) <= _LONGEST_LINK else ""


def _link(
    action_id: int, tracker_id: int, *, at: datetime, author: User | None, **fields: Any
) -> TrackerIssue:
    action = ActionItem.objects.select_for_update(of=["self"]).get(pk=action_id)
    tracker = Tracker.objects.select_for_update().get(pk=tracker_id)
    if action.incident.is_private:
        raise PrivateStaysHere
    if not tracker.is_enabled:
        raise TrackerPaused
    if TrackerIssue.objects.filter(action=action).exists():
        raise IssueThere
    link = TrackerIssue(
        action=action,
        tracker=tracker,
        # One word of letters and digits, as a search takes it.
        marker=f"hw{secrets.token_hex(12)}",
        known_state=action.state,
        next_at=at,
        created_by=author,
        created_at=at,
        **fields,
    )
    link.save(force_insert=True)
    return link


def _queue(link: TrackerIssue, *, at: datetime) -> None:
    link.state, link.next_at, link.tries = SyncState.WAITING, at, 0
    link.wants += 1
    link.save(update_fields=["state", "next_at", "tries", "wants"])


def _wake(tracker: Tracker, *, at: datetime) -> None:
    """Forget what was wrong with a tracker, and try again what had failed there."""
    tracker.last_error, tracker.misses, tracker.rests_until = "", 0, None
    tracker.save(update_fields=["last_error", "misses", "rests_until"])
    tracker.issues.filter(state=SyncState.FAILED).update(
        state=SyncState.WAITING, next_at=at, tries=0
    )


def _write(tracker: Tracker, said: dict[str, Any]) -> None:
    labels: Sequence[str] = said.pop("labels", tracker.labels)
    for name, value in said.items():
        setattr(tracker, name, value.strip())
    tracker.labels = list(labels)
    tracker.address = tracker.address.rstrip("/")
    if not _PROJECT.fullmatch(tracker.project) or set(tracker.project.split("/")) & {".", ".."}:
        raise TrackerProjectUnfit
    try:
        guarded.refuse_unfit(tracker.address)
    except Undelivered as fault:
        raise TrackerAddressUnfit(str(fault)) from fault
    try:
        with transaction.atomic():
            tracker.save()
    except IntegrityError as fault:
        if "name" not in str(fault) or "names" in str(fault):
            raise
        raise TrackerNameTaken from fault
