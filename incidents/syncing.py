"""Carries action items to their trackers and back: the only place of the record that makes calls.

Each call is made outside of a transaction, between two deeds of the record; whatever happens in
between, another round finds out.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from credentials import CredentialsMissing, password
from incidents import operations
from incidents.errors import Refused
from incidents.issue_words import Verdict, digest, draft_of, is_open, merged
from incidents.models import ActionItem, Tracker, TrackerIssue
from incidents.trackers import (
    Adapter,
    Draft,
    Fault,
    Remote,
    TrackerFault,
    Where,
    Wish,
    adapter,
    plain,
)
from incidents.values import ActionState

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]

# A worker goes on to something else after so many, and comes back by the next tick.
_A_ROUND = 50
# Two machines' clocks may differ by that much.
_CLOCKS_DIFFER = timedelta(minutes=10)


class NotAnIssueOfIts(Refused):
    code = "not-an-issue-of-the-tracker"
    message = "This is no address of an issue in this tracker's project. Copy it from the browser."


class TrackerSaysNo(Refused):
    code = "tracker-says-no"
    message = "The tracker does not show this issue. Look at the tracker's page."


def advance(*, now: Clock = timezone.now, most: int = _A_ROUND) -> int:
    """Bring what is due in step, one issue after another, and return how many were looked at.

    Any number of workers may do so at once.
    """
    done = 0
    while done < most and (link := operations.claim_tracker_issue(at=now())) is not None:
        _carry(link, now)
        done += 1
    return done


def look(*, tracker_id: int, at: datetime) -> tuple[bool, str]:
    """Try a tracker out, keep what that came to, and return whether it works, with a sentence."""
    tracker = Tracker.objects.get(pk=tracker_id)
    try:
        words = plain(adapter(tracker.kind).look(_where(tracker)))
    except TrackerFault as fault:
        operations.note_trial(tracker_id=tracker_id, words=str(fault), at=at)
        return False, str(fault)
    operations.note_trial(tracker_id=tracker_id, words="", at=at)
    return True, words


def read_by_address(*, tracker_id: int, url: str) -> Remote:
    """Read the issue at an address that somebody copied from a browser.

    :raises NotAnIssueOfIts: if it is none of the tracker's project
    :raises TrackerSaysNo: if the tracker does not show it
    """
    tracker = Tracker.objects.get(pk=tracker_id)
    try:
        speaks, where = adapter(tracker.kind), _where(tracker)
        key = speaks.key_of(where, url.strip())
        if not key:
            raise NotAnIssueOfIts
        return speaks.read(where, key)
    except TrackerFault as fault:
        raise TrackerSaysNo(str(fault)) from fault
    except ValueError as fault:
        raise NotAnIssueOfIts from fault


def _carry(link: TrackerIssue, now: Clock) -> None:
    try:
        _bring_in_step(link, now)
    except TrackerFault as fault:
        logger.warning("issue %s of %s: %s", link.pk, link.tracker_id, fault.kind.value)
        operations.note_tracker_fault(issue_id=link.pk, claim=link.claim, fault=fault, at=now())
    except Exception as fault:  # noqa: BLE001 - one issue must not hold up all behind it
        # By its kind alone: the words of a fault may hold a token.
        logger.error("issue %s: %s", link.pk, type(fault).__qualname__)  # noqa: TRY400
        ours = TrackerFault(Fault.NONSENSE, "A fault of Highwater's own; see its log.")
        operations.note_tracker_fault(issue_id=link.pk, claim=link.claim, fault=ours, at=now())


def _bring_in_step(link: TrackerIssue, now: Clock) -> None:
    """Read the issue or create it, judge whose state holds, tell it what it does not say."""
    if link.action.incident.is_private:
        raise TrackerFault(Fault.INVALID, str(operations.PrivateStaysHere()))
    speaks, where = adapter(link.tracker.kind), _where(link.tracker)
    draft = draft_of(link.action, marker=link.marker, desk_url=settings.DESK_URL)
    if link.key:
        remote, sent = _read(speaks, where, link), link.sent_digest
    else:
        found = _begin(speaks, where, link, draft, now)
        if found is None:
            return
        remote, sent = found
    settled = operations.settle_state(issue_id=link.pk, claim=link.claim, remote=remote, at=now())
    if settled is None:
        return
    verdict, action = settled
    if verdict == Verdict.CONFLICT:
        words = _differing(action, remote)
        operations.keep_conflict(issue_id=link.pk, claim=link.claim, words=words, at=now())
        return
    says_it = link.is_followed or sent == digest(draft)
    pushed = action if verdict == Verdict.PUSH else None
    if pushed or not says_it:
        remote = _tell(speaks, where, remote, draft=None if says_it else draft, pushed=pushed)
    operations.keep_synced(
        issue_id=link.pk,
        claim=link.claim,
        wants=link.wants,
        remote=remote,
        sent_digest="" if link.is_followed else digest(draft),
        at=now(),
    )


def _begin(
    speaks: Adapter, where: Where, link: TrackerIssue, draft: Draft, now: Clock
) -> tuple[Remote, str] | None:
    """Return the new issue and what it says, by its digest; None if there is none yet."""
    found = _create(speaks, where, link, draft, now)
    if found is None:
        return None
    remote, is_fresh = found
    sent = digest(draft) if is_fresh else ""
    kept = operations.keep_created(
        issue_id=link.pk, claim=link.claim, remote=remote, sent_digest=sent
    )
    if not kept:
        logger.error("issue %s was created as %s, and nobody waits for it", link.pk, remote.key)
        return None
    return remote, sent


def _read(speaks: Adapter, where: Where, link: TrackerIssue) -> Remote:
    try:
        remote = speaks.read(where, link.key)
    except TrackerFault as fault:
        if fault.kind == Fault.MISSING:
            _refuse_closed_door(speaks, where)
        raise
    if not link.is_followed and link.marker not in remote.body:
        raise TrackerFault(
            Fault.INVALID,
            f"{link.key} does not hold the line with {link.marker} any more: it may be another "
            "issue. Put the line back, or unlink the issue and follow it by its address.",
        )
    return remote


def _refuse_closed_door(speaks: Adapter, where: Where) -> None:
    """Tell an issue that is gone from a project that is hidden from us, which says the same."""
    try:
        speaks.look(where)
    except TrackerFault as fault:
        if fault.passes:
            raise
        raise TrackerFault(Fault.DENIED, str(fault)) from None


def _create(
    speaks: Adapter, where: Where, link: TrackerIssue, draft: Draft, now: Clock
) -> tuple[Remote, bool] | None:
    """Create the issue, or find the one that an earlier round may have created: True, False.

    None: that cannot be told yet, or another worker is at it.
    """
    if link.attempted_at is not None:
        ready_at = link.attempted_at + max(speaks.settles_in, operations.LEASE)
        if now() < ready_at:
            operations.wait_for_search(issue_id=link.pk, claim=link.claim, until=ready_at)
            return None
        since = link.attempted_at - _CLOCKS_DIFFER
        if (found := speaks.find(where, link.marker, since=since)) is not None:
            return found, False
    if not operations.begin_creation(issue_id=link.pk, claim=link.claim, at=now()):
        return None
    try:
        return speaks.create(where, draft), True
    except TrackerFault as fault:
        if not fault.passes:
            operations.end_creation(issue_id=link.pk, claim=link.claim)
        raise


def _tell(
    speaks: Adapter,
    where: Where,
    remote: Remote,
    *,
    draft: Draft | None,
    pushed: ActionItem | None,
) -> Remote:
    """Let the issue say what the action item says, and be open or closed as that is."""
    wish = Wish(
        title=draft.title if draft else None,
        body=merged(draft, remote.body) if draft else None,
        due=draft.due if draft else None,
        is_open=is_open(pushed) if pushed else None,
        is_dropped=bool(pushed and pushed.state == ActionState.WONT_DO),
    )
    told = speaks.update(where, remote, wish)
    if pushed and told.is_open != is_open(pushed):
        raise TrackerFault(
            Fault.INVALID, "It took the new state and kept the old one. Move it there by hand."
        )
    return told


def _differing(action: ActionItem, remote: Remote) -> str:
    theirs = "open" if remote.is_open else "closed"
    return (
        f"The issue is {theirs}, and the action item was moved to “{action.get_state_display()}” "
        "after that. Say which holds."
    )


def _where(tracker: Tracker) -> Where:
    try:
        secret = password(tracker.secret)
    except CredentialsMissing as fault:
        raise TrackerFault(
            Fault.DENIED, f"Its token is not where it should be ({tracker.secret}): {fault}."
        ) from None
    return Where(
        address=tracker.address,
        project=tracker.project,
        labels=tuple(tracker.labels),
        issue_type=tracker.issue_type,
        secret=secret,
    )
