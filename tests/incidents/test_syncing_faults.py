"""What is in the way of action items and their issues, and that there is one of each."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from incidents import operations, reminders, syncing
from incidents.issue_words import draft_of
from incidents.models import ActionItem, Incident, Tracker, TrackerIssue
from incidents.trackers import adapter
from incidents.values import ActionState, NoticeKind, SyncState
from notifications.models import Message
from tests.factories import HOUR, NOON
from tests.incidents.noticing import channel, told
from tests.incidents.synced import MINUTE, act, move, now_of, send, sync
from tests.incidents.trackers import (
    FakeJiraCloud,
    FakeTracker,
    Trouble,
    does_and_dies,
    open_tracker,
    says,
    talks_html,
)

pytestmark = pytest.mark.django_db


class TestExactlyOne:
    def test_an_issue_whose_creation_nobody_answered_is_found_not_doubled(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        link = send(action, connect(fake))
        fake.troubles = [does_and_dies]
        sync()

        action, link = now_of(action)
        assert (link.state, link.key, link.tries) == (SyncState.WAITING, "", 1)
        assert link.attempted_at == NOON
        # Too early for a search that may be behind: it is put off, and nothing is asked.
        asked = len(fake.calls)
        sync(NOON + 2 * MINUTE)
        assert len(fake.calls) == asked
        sync(NOON + HOUR)

        assert len(fake.issues) == 1
        link.refresh_from_db()
        assert (link.state, link.key) == (SyncState.IN_SYNC, fake.key_of(fake.issues[1]))

    def test_what_changed_meanwhile_is_sent_to_the_one_that_is_found(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        fake.troubles = [does_and_dies]
        sync()
        operations.edit_action_item(
            action_id=action.pk, text="Another text", at=NOON + MINUTE, author=None
        )
        sync(NOON + 2 * MINUTE)
        sync(NOON + HOUR)

        assert [issue.title for issue in fake.issues.values()] == ["Another text"]

    def test_one_that_was_not_created_is_created_after_a_search(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        fake.troubles = [says(502)]
        sync()
        assert fake.issues == {}
        sync(NOON + 2 * MINUTE)

        sync(NOON + HOUR)

        assert len(fake.issues) == 1
        assert now_of(action)[1].state == SyncState.IN_SYNC

    def test_a_worker_that_died_before_it_wrote_the_key_costs_no_second_issue(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        claimed = operations.claim_tracker_issue(at=NOON)
        assert claimed is not None
        # As far as the answer of the tracker, and not further.
        where = syncing._where(claimed.tracker)
        draft = draft_of(claimed.action, marker=claimed.marker, desk_url="https://x.test")
        syncing._create(adapter(fake.kind), where, claimed, draft, lambda: NOON)
        assert sync(NOON + MINUTE) == 0

        sync(NOON + 4 * MINUTE)
        sync(NOON + HOUR)

        assert len(fake.issues) == 1
        assert now_of(action)[1].state == SyncState.IN_SYNC

    def test_one_worker_at_a_time_speaks_with_a_tracker(
        self, github: FakeTracker, connect: Callable[..., Tracker], incident: Incident
    ) -> None:
        one, other = connect(github), connect(github, name="The store")
        links = [send(act(incident), tracker) for tracker in (one, one, other)]

        claimed = [operations.claim_tracker_issue(at=NOON) for _ in range(3)]

        assert [link and link.pk for link in claimed] == [links[0].pk, links[2].pk, None]
        # Who died lets go by itself.
        assert operations.claim_tracker_issue(at=NOON + operations.LEASE) is not None


class TestInTheWay:
    @pytest.mark.parametrize("trouble", [says(503), talks_html, says(200, {"no": "issue"})])
    def test_a_tracker_that_is_down_or_talks_nonsense_is_tried_again(
        self,
        fake: FakeTracker,
        connect: Callable[..., Tracker],
        action: ActionItem,
        trouble: Trouble,
    ) -> None:
        tracker = connect(fake)
        send(action, tracker)
        sync()
        operations.edit_action_item(
            action_id=action.pk, text="Another text", at=NOON + MINUTE, author=None
        )
        fake.troubles = [trouble]

        sync(NOON + MINUTE)

        _action, link = now_of(action)
        tracker.refresh_from_db()
        assert (link.state, link.tries) == (SyncState.WAITING, 1)
        assert link.last_words == tracker.last_error != ""
        assert link.next_at == tracker.rests_until == NOON + MINUTE + timedelta(seconds=30)
        sync(NOON + 2 * MINUTE)
        tracker.refresh_from_db()
        assert fake.issues[1].title == "Another text"
        assert (tracker.last_error, tracker.misses) == ("", 0)
        assert now_of(action)[1].last_words == ""

    def test_a_tracker_that_is_down_is_asked_once_however_much_waits(
        self, github: FakeTracker, connect: Callable[..., Tracker], incident: Incident
    ) -> None:
        tracker = connect(github)
        for _ in range(5):
            send(act(incident), tracker)
        github.troubles = [says(503) for _ in range(5)]

        assert sync() == 1
        assert len(github.calls) == 1

    def test_tries_grow_rare_and_never_end(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        link = send(action, connect(github))
        waits, at = [], NOON
        for _ in range(7):
            github.troubles = [says(503)]
            TrackerIssue.objects.filter(pk=link.pk).update(attempted_at=None)
            assert sync(at) == 1
            link.refresh_from_db()
            assert link.next_at
            waits.append(link.next_at - at)
            at = link.next_at

        assert waits == sorted(waits)
        assert waits[-1] == waits[-2] == HOUR

    def test_a_busy_tracker_is_left_alone_as_long_as_it_asks(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        fake.troubles = [says(429, {}, Retry_After="1800")]
        sync()

        _action, link = now_of(action)
        assert link.next_at == link.tracker.rests_until == NOON + 30 * MINUTE

    def test_a_token_that_is_denied_is_shown_and_asked_for_again(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker = connect(fake)
        send(action, tracker)
        fake.troubles = [says(401, {"message": "Bad credentials"})]
        sync()

        _action, link = now_of(action)
        assert link.state == SyncState.FAILED
        assert "denies access" in link.last_words
        # The team hears of it, once a day, while it lasts.
        channel(address="https://chat.example.org/hooks/team")
        told_of = [reminders.tell_what_is_overdue(at=NOON - 5 * HOUR + n * MINUTE) for n in (0, 10)]
        assert told_of == [1, 0]
        assert told(NoticeKind.TRACKER_STUCK) == ["https://chat.example.org/hooks/team"]
        assert "denies access" in Message.objects.latest("pk").body
        # The token is renewed where it is kept; nobody tells us.
        sync(NOON + 16 * MINUTE)
        assert now_of(action)[1].state == SyncState.IN_SYNC
        assert len(fake.issues) == 1
        assert not TrackerIssue.objects.stuck().exists()

    def test_a_renamed_project_waits_for_its_new_name(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        tracker = connect(github)
        send(action, tracker)
        sync()
        github.moved_to = "acme/store"
        operations.retry_sync(issue_id=now_of(action)[1].pk, at=NOON + MINUTE)

        sync(NOON + MINUTE)

        _action, link = now_of(action)
        assert link.state == SyncState.FAILED
        assert "moved" in link.last_words
        assert "moved" in link.tracker.last_error
        assert sync(NOON + 24 * HOUR) == 0
        github.moved_to, github.project = "", "acme/store"  # type: ignore[misc]
        operations.edit_tracker(tracker_id=tracker.pk, at=NOON + 25 * HOUR, project="acme/store")
        sync(NOON + 25 * HOUR)
        assert now_of(action)[1].state == SyncState.IN_SYNC

    def test_an_issue_that_is_gone_is_said_to_be(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.issues.clear()

        sync(NOON + HOUR)

        action, link = now_of(action)
        assert link.state == SyncState.GONE
        assert action.state == ActionState.PLANNED
        assert sync(NOON + 48 * HOUR) == 0

    def test_a_project_that_is_hidden_is_not_taken_for_an_issue_that_is_gone(
        self, github: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(github))
        sync()
        github.troubles = [says(404, {"message": "Not Found"})] * 2

        sync(NOON + HOUR)

        assert now_of(action)[1].state == SyncState.FAILED
        sync(NOON + 2 * HOUR)
        assert now_of(action)[1].state == SyncState.IN_SYNC

    def test_another_issue_under_the_number_is_never_touched(
        self, fake: FakeTracker, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        send(action, connect(fake))
        sync()
        fake.issues[1].title, fake.issues[1].body = "Somebody else's", "Hands off"
        move(action, ActionState.DONE, NOON + MINUTE)

        sync(NOON + MINUTE)

        issue = fake.issues[1]
        assert (issue.title, issue.body, issue.is_open) == ("Somebody else's", "Hands off", True)
        assert now_of(action)[1].state == SyncState.FAILED

    def test_a_token_that_is_not_where_it_should_be(
        self,
        github: FakeTracker,
        connect: Callable[..., Tracker],
        action: ActionItem,
        settings: Settings,
    ) -> None:
        send(action, connect(github))
        settings.CREDENTIALS = {}
        sync()

        assert "settings:tracker" in now_of(action)[1].last_words
        assert github.calls == []

    def test_a_workflow_without_a_way_there_says_so(
        self, connect: Callable[..., Tracker], action: ActionItem
    ) -> None:
        with open_tracker(FakeJiraCloud) as jira:
            send(action, connect(jira))
            sync()
            move(action, ActionState.DONE, NOON + MINUTE)
            jira.troubles = [None, says(200, {"transitions": []})]
            sync(NOON + MINUTE)

        _action, link = now_of(action)
        assert link.state == SyncState.FAILED
        assert "workflow" in link.last_words

    def test_a_fault_of_ours_holds_up_nobody(
        self,
        github: FakeTracker,
        connect: Callable[..., Tracker],
        incident: Incident,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        link = send(act(incident), connect(github))

        def broken(*_args: object, **_named: object) -> None:
            raise ZeroDivisionError("a token may stand here")

        monkeypatch.setattr(syncing, "draft_of", broken)
        sync()

        link.refresh_from_db()
        assert link.state == SyncState.WAITING
        assert "log" in link.last_words
