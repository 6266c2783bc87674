"""Action items and their issues: sent, followed, told of, and brought back."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from incidents import operations, syncing
from incidents.models import ActionItem, Incident, Tracker
from incidents.values import ActionState, Precision, SyncState, When
from tests.factories import HOUR, NOON
from tests.incidents.synced import MINUTE, act, move, now_of, send, sync
from tests.incidents.trackers import (
    FakeTracker,
)

pytestmark = pytest.mark.django_db


class TestThere:
    def test_an_action_item_becomes_an_issue(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))

        sync()

        (issue,) = fake.issues.values()
        action, link = now_of(action)
        assert issue.title == "Rehearse restores"
        for part in ("Every month.", "Due: 20", "A drill succeeds", action.incident.ref):
            assert part in issue.body
        assert link.marker in issue.body.splitlines()[-1]
        assert issue.labels == ["incident"]
        assert (link.state, link.key) == (SyncState.IN_SYNC, fake.key_of(issue))
        assert link.url == action.tracker_url == fake.url_of(issue)

    def test_each_change_follows(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.issues[1].body += "\nOurs: talk to Mira first."

        operations.edit_action_item(
            action_id=action.pk,
            text="Rehearse restores of all",
            due=When(at=NOON + 40 * 24 * HOUR, precision=Precision.DAY, tz="UTC"),
            at=NOON + MINUTE,
            author=None,
        )
        sync(NOON + MINUTE)

        issue = fake.issues[1]
        assert issue.title == "Rehearse restores of all"
        # What people wrote below our line is theirs.
        assert issue.body.endswith("Ours: talk to Mira first.")
        assert issue.body.count("Highwater reference") == 1

        move(action, ActionState.DONE, NOON + 2 * MINUTE)
        sync(NOON + 2 * MINUTE)
        assert fake.issues[1].is_open is False
        move(action, ActionState.IN_PROGRESS, NOON + 3 * MINUTE)
        sync(NOON + 3 * MINUTE)
        assert fake.issues[1].is_open is True

    def test_nothing_is_sent_twice(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        asked = len(fake.calls)

        assert sync(NOON + MINUTE) == 0
        assert len(fake.calls) == asked
        # A poll reads, and changes nothing.
        assert sync(NOON + HOUR) == 1
        assert {call.method for call in fake.calls[asked:]} == {"GET"}

    def test_what_is_changed_on_the_way_is_sent_after(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        link = send(action, connect(fake))
        claimed = operations.claim_tracker_issue(at=NOON)
        assert claimed is not None
        operations.edit_action_item(action_id=action.pk, text="Another text", at=NOON, author=None)
        syncing._carry(claimed, lambda: NOON)

        assert fake.issues[1].title == "Rehearse restores"
        link.refresh_from_db()
        assert link.state == SyncState.WAITING
        sync(NOON + MINUTE)
        assert fake.issues[1].title == "Another text"


class TestBack:
    def test_a_closed_issue_ends_its_action_item_with_day_and_proof(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.close(fake.issues[1], NOON + 5 * MINUTE)

        sync(NOON + HOUR)

        action, link = now_of(action)
        assert action.state == ActionState.DONE
        assert action.done_at == NOON + 5 * MINUTE
        assert action.done_precision == Precision.DAY
        assert action.proof == fake.url_of(fake.issues[1])
        assert "Closed in The shop" in action.state_reason
        assert (link.state, link.remote_open) == (SyncState.IN_SYNC, False)

    def test_one_that_is_opened_again_goes_back_to_what_it_was(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.close(fake.issues[1], NOON + MINUTE)
        sync(NOON + HOUR)
        fake.reopen(fake.issues[1], NOON + 2 * HOUR)

        sync(NOON + 30 * HOUR)

        action, _link = now_of(action)
        assert action.state == ActionState.PLANNED
        assert "Opened again" in action.state_reason

    def test_one_that_is_closed_undone_will_not_be_done(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.close(fake.issues[1], NOON + MINUTE, is_dropped=True)

        sync(NOON + HOUR)

        # GitLab does not say why.
        expected = ActionState.DONE if fake.kind == "gitlab" else ActionState.WONT_DO
        assert now_of(action)[0].state == expected

    def test_a_newer_decision_is_not_overwritten_but_asked_about(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.close(fake.issues[1], NOON + MINUTE)
        # Before anybody heard of it, somebody says that it is under way.
        move(action, ActionState.IN_PROGRESS, NOON + 5 * MINUTE)

        sync(NOON + 5 * MINUTE)

        action, link = now_of(action)
        assert action.state == ActionState.IN_PROGRESS
        assert fake.issues[1].is_open is False
        assert link.state == SyncState.CONFLICT
        assert "closed" in link.last_words
        assert "In progress" in link.last_words

    @pytest.mark.parametrize("takes_theirs", [True, False])
    def test_a_person_decides_which_holds(
        self,
        fake: FakeTracker,
        connect: Callable[..., Tracker],
        action: ActionItem,
        responder: User,
        *,
        takes_theirs: bool,
    ) -> None:
        self.test_a_newer_decision_is_not_overwritten_but_asked_about(fake, connect, action)

        operations.decide_conflict(
            issue_id=now_of(action)[1].pk,
            takes_theirs=takes_theirs,
            at=NOON + HOUR,
            author=responder,
        )
        sync(NOON + HOUR)

        action, link = now_of(action)
        assert link.state == SyncState.IN_SYNC
        assert fake.issues[1].is_open is not takes_theirs
        assert (action.state == ActionState.DONE) is takes_theirs

    def test_an_older_decision_gives_way(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        move(action, ActionState.IN_PROGRESS, NOON + MINUTE)
        fake.close(fake.issues[1], NOON + 5 * MINUTE)

        sync(NOON + 6 * MINUTE)

        assert now_of(action)[0].state == ActionState.DONE


class TestFollowed:
    def test_an_issue_that_was_there_gives_and_takes_its_state_alone(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker, issue = connect(fake), fake.add("Ours since long", "Words of ours")
        remote = syncing.read_by_address(tracker_id=tracker.pk, url=fake.url_of(issue))
        operations.follow_issue(
            action_id=action.pk, tracker_id=tracker.pk, remote=remote, at=NOON, author=None
        )
        sync()
        move(action, ActionState.DONE, NOON + MINUTE)
        sync(NOON + MINUTE)

        assert (issue.title, issue.body) == ("Ours since long", "Words of ours")
        assert issue.is_open is False

    def test_one_issue_belongs_to_one_action_item(
        self, github: FakeTracker, connect: Callable[..., Tracker], incident: Incident
    ) -> None:
        tracker, issue = connect(github), github.add("Ours")
        remote = syncing.read_by_address(tracker_id=tracker.pk, url=github.url_of(issue))
        one, two = act(incident), act(incident)
        named: dict[str, Any] = {
            "tracker_id": tracker.pk,
            "remote": remote,
            "at": NOON,
            "author": None,
        }
        operations.follow_issue(action_id=one.pk, **named)

        with pytest.raises(operations.IssueOfAnother):
            operations.follow_issue(action_id=two.pk, **named)
        with pytest.raises(operations.IssueThere):
            send(one, tracker)

    def test_an_address_of_something_else_is_refused(
        self, github: FakeTracker, connect: Callable[..., Tracker]
    ) -> None:
        tracker = connect(github)

        with pytest.raises(syncing.NotAnIssueOfIts):
            syncing.read_by_address(tracker_id=tracker.pk, url="https://example.org/x/issues/1")
        with pytest.raises(syncing.TrackerSaysNo, match="no such thing"):
            syncing.read_by_address(tracker_id=tracker.pk, url=f"{github.site}/acme/shop/issues/77")

    def test_its_project_stays_the_same(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker, issue = connect(github), github.add("Ours")
        remote = syncing.read_by_address(tracker_id=tracker.pk, url=github.url_of(issue))
        operations.follow_issue(
            action_id=action.pk, tracker_id=tracker.pk, remote=remote, at=NOON, author=None
        )

        with pytest.raises(operations.TrackerHasFollowed):
            operations.edit_tracker(tracker_id=tracker.pk, at=NOON, project="acme/other")
