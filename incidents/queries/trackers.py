"""Questions about trackers, and the issues of action items in them."""

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from credentials import CredentialsMissing, password
from incidents.inbound import digest
from incidents.models import Incident, Tracker, TrackerIssue
from incidents.values import SyncState

_STUCK = [SyncState.FAILED, SyncState.CONFLICT, SyncState.GONE]


def tracker_of(token: str) -> Tracker | None:
    """Return the tracker whose webhooks come with this token; None for an empty one."""
    return Tracker.objects.filter(token_digest=digest(token)).first() if token else None


def webhook_secret(tracker: Tracker) -> str:
    """Return with what the webhooks of a tracker are signed; empty where there is nothing."""
    if not tracker.webhook_secret:
        return ""
    try:
        return password(tracker.webhook_secret)
    except CredentialsMissing:
        return ""


def trackers() -> QuerySet[Tracker]:
    """Return every tracker by its name, with how many issues it has, wait, and are stuck."""
    return Tracker.objects.annotate(
        linked=Count("issues"),
        waiting=Count("issues", filter=Q(issues__state=SyncState.WAITING)),
        stuck=Count("issues", filter=Q(issues__state__in=_STUCK)),
    ).order_by("name")


def usable_trackers() -> QuerySet[Tracker]:
    """Return the trackers to which something can be sent now, by their names."""
    return Tracker.objects.filter(is_enabled=True).order_by("name")


def issues_in(tracker: Tracker, user: User) -> QuerySet[TrackerIssue]:
    """Return the issues of a tracker that somebody may know of, those that need somebody first."""
    seen = Incident.objects.seen_by(user).values("pk")
    return (
        TrackerIssue.objects.filter(tracker=tracker, action__incident__in=seen)
        .select_related("action__incident")
        .annotate(is_well=Q(state=SyncState.IN_SYNC))
        .order_by("is_well", "-pk")
    )


def issue_of(action_id: int) -> TrackerIssue | None:
    """Return the issue of an action item, with its tracker; None if it has none."""
    return TrackerIssue.objects.select_related("tracker").filter(action_id=action_id).first()
