"""What the tests of trackers share: an action item, sent, moved, and brought in step."""

from datetime import datetime, timedelta

from incidents import operations, syncing
from incidents.models import ActionItem, Incident, Tracker, TrackerIssue
from incidents.values import ActionState, Precision, When
from tests.factories import HOUR, NOON

MINUTE = timedelta(minutes=1)


def act(incident: Incident, text: str = "Rehearse restores\n\nEvery month.") -> ActionItem:
    return operations.add_action_item(
        incident_id=incident.pk,
        text=text,
        state=ActionState.PLANNED,
        check_by="A drill succeeds",
        due=When(at=NOON, precision=Precision.DAY, tz="UTC"),
        at=NOON - HOUR,
        author=None,
    )


def send(action: ActionItem, tracker: Tracker) -> TrackerIssue:
    return operations.send_action(action_id=action.pk, tracker_id=tracker.pk, at=NOON, author=None)


def sync(at: datetime = NOON) -> int:
    return syncing.advance(now=lambda: at)


def now_of(action: ActionItem) -> tuple[ActionItem, TrackerIssue]:
    action.refresh_from_db()
    return action, TrackerIssue.objects.select_related("tracker").get(action=action)


def move(action: ActionItem, state: ActionState, at: datetime, reason: str = "") -> None:
    operations.move_action_item(action_id=action.pk, state=state, at=at, author=None, reason=reason)
