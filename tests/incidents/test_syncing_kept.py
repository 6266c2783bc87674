"""What of action items stays at the desk, and how trackers are written down."""

from collections.abc import Callable

import pytest

from incidents import operations, syncing
from incidents.models import ActionItem, Incident, Tracker, TrackerIssue
from incidents.values import ActionState, SyncState, Visibility
from tests.factories import HOUR, NOON
from tests.incidents.synced import MINUTE, act, move, now_of, send, sync
from tests.incidents.trackers import (
    FakeTracker,
    says,
)

pytestmark = pytest.mark.django_db


class TestWhatStaysHere:
    def test_the_actions_of_private_incidents(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker = connect(github)
        link = send(action, tracker)
        Incident.objects.update(visibility=Visibility.PRIVATE)

        sync()

        link.refresh_from_db()
        assert link.state == SyncState.FAILED
        assert github.calls == []
        TrackerIssue.objects.all().delete()
        with pytest.raises(operations.PrivateStaysHere):
            send(action, tracker)

    def test_all_while_a_tracker_is_paused(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker = connect(github)
        send(action, tracker)
        operations.switch_tracker(tracker_id=tracker.pk, is_enabled=False, at=NOON)

        assert sync() == 0
        with pytest.raises(operations.TrackerPaused):
            send(act(action.incident), tracker)
        operations.switch_tracker(tracker_id=tracker.pk, is_enabled=True, at=NOON)
        assert sync() == 1

    def test_what_is_unlinked(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        link = send(action, connect(github))
        sync()
        operations.unlink_action(issue_id=link.pk, at=NOON)
        move(action, ActionState.DONE, NOON + MINUTE)

        assert sync(NOON + HOUR) == 0
        assert github.issues[1].is_open is True

    def test_what_is_being_created_is_not_unlinked(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        link = send(action, connect(github))
        operations.claim_tracker_issue(at=NOON)

        with pytest.raises(operations.IssueBeingCreated):
            operations.unlink_action(issue_id=link.pk, at=NOON)


class TestTrackers:
    def test_a_trial_says_what_is_wrong_and_wakes_what_had_failed(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker = connect(fake)
        link = send(action, tracker)
        fake.troubles = [says(422, {"message": "No"}), says(401, {"message": "Bad credentials"})]
        sync()
        works, words = syncing.look(tracker_id=tracker.pk, at=NOON)
        assert (works, "denies access" in words) == (False, True)
        tracker.refresh_from_db()
        assert tracker.last_error == words

        works, words = syncing.look(tracker_id=tracker.pk, at=NOON)

        assert (works, "is there" in words) == (True, True)
        link.refresh_from_db()
        assert link.state == SyncState.WAITING
        sync()
        assert len(fake.issues) == 1

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"project": "acme/../../user"}, operations.TrackerProjectUnfit),
            ({"project": "acme/shop?x=1"}, operations.TrackerProjectUnfit),
            ({"address": "ftp://example.org"}, operations.TrackerAddressUnfit),
            ({"address": "https://user:pass@example.org"}, operations.TrackerAddressUnfit),
            ({"address": "https://169.254.169.254"}, operations.TrackerAddressUnfit),
        ],
    )
    def test_what_names_no_tracker_is_refused(
        self,
        github: FakeTracker,
        connect: Callable[..., Tracker],
        changes: dict[str, str],
        refusal: type[Exception],
    ) -> None:
        with pytest.raises(refusal):
            connect(github, **changes)

    def test_two_have_two_names(self, github: FakeTracker, connect: Callable[..., Tracker]) -> None:
        connect(github)

        with pytest.raises(operations.TrackerNameTaken):
            connect(github)

    def test_a_link_that_is_no_address_is_not_kept(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(github))
        made = {"number": 1, "title": "x", "body": "", "state": "open"}
        github.troubles = [says(201, made | {"html_url": "javascript:alert(1)"})]
        sync()

        action, link = now_of(action)
        assert (link.key, link.url, action.tracker_url) == ("1", "", "")
