"""One round of an issue: claimed by one worker, settled by rows, and let go.

Whoever makes the calls stands above (incidents.syncing); between two of these deeds a worker may
die at any place.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery

from accounts.models import User
from incidents.issue_words import Verdict, is_open, judge
from incidents.models import ActionItem, Tracker, TrackerIssue
from incidents.operations.actions import move_action_item
from incidents.operations.trackers import NoConflict, shown_address
from incidents.trackers import Fault, Remote, TrackerFault
from incidents.values import ActionState, Precision, SyncState, When

# A round makes six calls at most, of twenty seconds each.
LEASE = timedelta(minutes=3)
# How long after each miss in turn the next try comes; the last one for ever.
_BACKOFF = [
    timedelta(seconds=30),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
]
# What waits for a key that somebody may renew without telling us.
_DENIED_REST = timedelta(minutes=15)
# What no webhook tells of is found so soon: of what is still open, and of what is over.
_OPEN_POLL = timedelta(minutes=30)
_OVER_POLL = timedelta(days=1)


def claim_tracker_issue(*, at: datetime) -> TrackerIssue | None:
    """Take the issue that is due the longest for this worker; None if there is none.

    Of one tracker a single issue is in hands at a time: they ask not to be called twice at once.
    """
    due = TrackerIssue.objects.due(at=at)
    oldest = due.filter(tracker=OuterRef("pk")).order_by("next_at").values("next_at")[:1]
    held = TrackerIssue.objects.filter(claimed_until__gt=at)
    with transaction.atomic():
        tracker = (
            Tracker.objects.annotate(oldest=Subquery(oldest))
            .filter(~Q(pk__in=held.values("tracker")), oldest__isnull=False)
            .order_by("oldest", "pk")
            .select_for_update(of=["self"], skip_locked=True, no_key=True)
            .first()
        )
        # Looked at again under the lock: another worker may have been quicker.
        if tracker is None or held.filter(tracker=tracker).exists():
            return None
        first = due.filter(tracker=tracker).order_by("next_at", "pk")
        link = first.select_for_update(of=["self"], skip_locked=True).first()
        if link is None:
            return None
        claim = secrets.token_hex(16)
        TrackerIssue.objects.filter(pk=link.pk).update(claim=claim, claimed_until=at + LEASE)
    return TrackerIssue.objects.select_related("tracker", "action__incident").get(pk=link.pk)


def begin_creation(*, issue_id: int, claim: str, at: datetime) -> bool:
    """Note that an issue is about to be created. False: another worker is at it by now."""
    held = TrackerIssue.objects.filter(pk=issue_id, claim=claim, claimed_until__gt=at)
    return bool(held.update(attempted_at=at))


def end_creation(*, issue_id: int, claim: str) -> None:
    """Note that nothing was created: the tracker says so."""
    TrackerIssue.objects.filter(pk=issue_id, claim=claim).update(attempted_at=None)


def keep_created(*, issue_id: int, claim: str, remote: Remote, sent_digest: str) -> bool:
    """Write down which issue was created. False: the link was untied meanwhile."""
    with transaction.atomic():
        held = TrackerIssue.objects.filter(pk=issue_id, claim=claim)
        kept = held.update(
            key=remote.key,
            url=shown_address(remote),
            sent_digest=sent_digest,
            attempted_at=None,
        )
        if kept:
            ActionItem.objects.filter(tracker_issue=issue_id, tracker_url="").update(
                tracker_url=shown_address(remote)
            )
    return bool(kept)


def wait_for_search(*, issue_id: int, claim: str, until: datetime) -> None:
    """Put an issue off whose creation nobody knows of, until a search certainly finds it."""
    TrackerIssue.objects.filter(pk=issue_id, claim=claim).update(
        next_at=until,
        last_words="It is not known yet whether the issue was created; it is looked for first.",
        **_released(),
    )


def settle_state(
    *, issue_id: int, claim: str, remote: Remote, at: datetime
) -> tuple[Verdict, ActionItem] | None:
    """Compare both states, take the tracker's over where that is due, and say what is left to do.

    None: the claim is another's by now.
    """
    with transaction.atomic():
        action = _locked_action(issue_id)
        link = _held(issue_id, claim)
        if action is None or link is None:
            return None
        verdict = judge(
            ours=is_open(action),
            theirs=remote.is_open,
            agreed=link.agreed_open,
            decided_at=link.decided_at,
            changed_at=remote.changed_at,
        )
        seen: dict[str, Any] = {
            "remote_open": remote.is_open,
            "remote_dropped": remote.is_dropped,
            "remote_changed_at": remote.changed_at,
        }
        if verdict == Verdict.TAKE:
            action = _take(link, action, remote, at=at, author=None)
            seen |= {"decided_at": None, "wants": link.wants, "agreed_open": remote.is_open}
        TrackerIssue.objects.filter(pk=issue_id).update(**seen, looked_at=at)
    return verdict, action


def keep_synced(
    *, issue_id: int, claim: str, wants: int, remote: Remote, sent_digest: str, at: datetime
) -> None:
    """Write down that both sides agree, unless something changed while the round went on."""
    with transaction.atomic():
        link = _held(issue_id, claim)
        if link is None:
            return
        fields: dict[str, Any] = {
            "key": remote.key,
            "url": shown_address(remote) or link.url,
            "remote_open": remote.is_open,
            "agreed_open": remote.is_open,
            "sent_digest": sent_digest,
            "tries": 0,
            "last_words": "",
            **_released(),
        }
        if link.wants == wants:
            poll = _OPEN_POLL if remote.is_open else _OVER_POLL
            fields |= {"state": SyncState.IN_SYNC, "next_at": at + poll, "decided_at": None}
        else:
            fields |= {"state": SyncState.WAITING, "next_at": at}
        TrackerIssue.objects.filter(pk=issue_id).update(**fields)
    _well(link.tracker_id)


def keep_conflict(*, issue_id: int, claim: str, words: str, at: datetime) -> None:
    """Write down that a person has to decide which state holds."""
    held = TrackerIssue.objects.filter(pk=issue_id, claim=claim)
    held.update(state=SyncState.CONFLICT, next_at=at + _OPEN_POLL, last_words=words, **_released())


def decide_conflict(
    *, issue_id: int, takes_theirs: bool, at: datetime, author: User | None
) -> TrackerIssue:
    """Say which state holds where an action item and its issue differ: the tracker's, or ours.

    :raises NoConflict: if they do not differ any more
    """
    with transaction.atomic():
        action = _locked_action(issue_id)
        link = TrackerIssue.objects.select_for_update().get(pk=issue_id)
        if action is None or link.state != SyncState.CONFLICT or link.remote_open is None:
            raise NoConflict
        if takes_theirs:
            remote = _as_seen(link)
            _take(link, action, remote, at=at, author=author)
        TrackerIssue.objects.filter(pk=issue_id).update(
            state=SyncState.WAITING,
            next_at=at,
            agreed_open=link.remote_open,
            decided_at=None,
            wants=link.wants + 1,
            last_words="",
        )
    return TrackerIssue.objects.get(pk=issue_id)


def note_tracker_fault(*, issue_id: int, claim: str, fault: TrackerFault, at: datetime) -> None:
    """Write down what is in the way, and when it is tried again; None waits for a person."""
    with transaction.atomic():
        tracker = Tracker.objects.select_for_update(of=["self"]).filter(issues=issue_id).first()
        link = _held(issue_id, claim)
        if tracker is None or link is None:
            return
        link.tries += 1
        link.last_words = str(fault)[:500]
        link.state, rest = _outcome(link, tracker, fault)
        link.next_at = at + rest if rest is not None else None
        link.claim, link.claimed_until = "", None
        link.save(
            update_fields=["tries", "last_words", "state", "next_at", "claim", "claimed_until"]
        )
        if link.state != SyncState.GONE and fault.kind != Fault.INVALID:
            _rest(tracker, fault, at=at)


def _outcome(
    link: TrackerIssue, tracker: Tracker, fault: TrackerFault
) -> tuple[SyncState, timedelta | None]:
    """Return how the issue stands after a fault, and how long it rests."""
    if fault.passes:
        asked = fault.after or timedelta()
        return SyncState.WAITING, max(_pause(max(link.tries, tracker.misses + 1)), asked)
    if fault.kind == Fault.DENIED:
        return SyncState.FAILED, _DENIED_REST
    gone = fault.kind == Fault.MISSING and link.key
    return (SyncState.GONE if gone else SyncState.FAILED), None


def _rest(tracker: Tracker, fault: TrackerFault, *, at: datetime) -> None:
    """Leave a tracker alone that does not answer or denies: the rest waits, and is not lost."""
    tracker.last_error, tracker.last_error_at = str(fault)[:500], at
    if fault.passes:
        tracker.misses += 1
        tracker.rests_until = at + max(_pause(tracker.misses), fault.after or timedelta())
    elif fault.kind == Fault.DENIED:
        tracker.rests_until = at + _DENIED_REST
    tracker.save(update_fields=["last_error", "last_error_at", "misses", "rests_until"])


def _pause(misses: int) -> timedelta:
    return _BACKOFF[min(misses, len(_BACKOFF)) - 1]


def _well(tracker_id: int) -> None:
    ailing = Tracker.objects.filter(pk=tracker_id).exclude(
        Q(last_error="") & Q(misses=0) & Q(rests_until__isnull=True)
    )
    ailing.update(last_error="", misses=0, rests_until=None)


def _locked_action(issue_id: int) -> ActionItem | None:
    """Return the action item, locked before its link, as everybody who changes both does it."""
    actions = ActionItem.objects.select_for_update(of=["self"]).filter(tracker_issue=issue_id)
    return actions.first()


def _held(issue_id: int, claim: str) -> TrackerIssue | None:
    return TrackerIssue.objects.select_for_update().filter(pk=issue_id, claim=claim).first()


def _released() -> Mapping[str, Any]:
    return {"claim": "", "claimed_until": None}


def _as_seen(link: TrackerIssue) -> Remote:
    """Return the issue as the last look found it."""
    return Remote(
        key=link.key,
        url=link.url,
        title="",
        body="",
        is_open=bool(link.remote_open),
        is_dropped=link.remote_dropped,
        changed_at=link.remote_changed_at,
    )


def _take(
    link: TrackerIssue, action: ActionItem, remote: Remote, *, at: datetime, author: User | None
) -> ActionItem:
    """Give the action item the state of its issue."""
    name = f"{link.tracker.project} {remote.key}"
    before = link.state_before or ActionState.IN_PROGRESS
    if remote.is_open:
        state, reason = ActionState(before), f"Opened again in {link.tracker.name}: {name}"
    elif remote.is_dropped:
        state, reason = ActionState.WONT_DO, f"Closed undone in {link.tracker.name}: {name}"
    else:
        state, reason = ActionState.DONE, f"Closed in {link.tracker.name}: {name}"
    # No tracker's clock puts it before the action item was thought of, or after now.
    changed_at = min(max(remote.changed_at or at, action.created_at), at)
    if not remote.is_open:
        TrackerIssue.objects.filter(pk=link.pk).update(state_before=action.state)
    done = When(at=changed_at, precision=Precision.DAY, tz=action.incident.tz)
    return move_action_item(
        action_id=action.pk,
        state=state,
        at=at,
        author=author,
        done=done if state == ActionState.DONE else None,
        reason=reason[:300],
        proof=shown_address(remote),
    )
