"""The desk's pages on trackers, and the door at which trackers speak."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from incidents import operations, syncing
from incidents.models import ActionItem, Incident, Tracker, TrackerIssue
from incidents.values import ActionState, SyncState, Visibility
from tests.incidents.noticing import person
from tests.incidents.trackers import (
    FAKES,
    FakeGitHub,
    FakeTracker,
    does_and_dies,
    open_tracker,
    says,
)

pytestmark = pytest.mark.django_db

INVALID = 422
LIST = "/desk/trackers/"
SIGNING = "what-webhooks-are-signed-with"


@pytest.fixture
def fake(settings: Settings) -> Iterator[FakeTracker]:
    with open_tracker(FakeGitHub) as tracker:
        _keys(settings, tracker)
        yield tracker


@pytest.fixture
def action(incident: Incident) -> ActionItem:
    return operations.add_action_item(
        incident_id=incident.pk, text="Rehearse restores", at=timezone.now(), author=None
    )


def _keys(settings: Settings, fake: FakeTracker) -> None:
    settings.CREDENTIALS = {
        "tracker": {"password": fake.secret},
        "hook": {"password": SIGNING},
    }


def _typed(fake: FakeTracker, **changes: str) -> dict[str, str]:
    return {
        "name": "The shop",
        "kind": fake.kind,
        "address": fake.address,
        "project": fake.project,
        "labels": "incident, reliability",
        "secret": "settings:tracker",
        "webhook_secret": "settings:hook",
    } | changes


def _connect(fake: FakeTracker, **changes: str) -> tuple[Tracker, str]:
    said: dict[str, Any] = _typed(fake, **changes) | {"labels": [], "issue_type": "Task"}
    return operations.connect_tracker(at=timezone.now(), author=None, **said)


def _issue_page(action: ActionItem, deed: str = "") -> str:
    name = f"action-tracker-{deed}" if deed else "action-tracker"
    return reverse(f"incidents:{name}", args=[action.pk])


def _sync(later: timedelta = timedelta()) -> None:
    syncing.advance(now=lambda: timezone.now() + later)


def _text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


class TestTheTrackers:
    def test_the_list_says_what_to_do_while_it_is_empty(self, desk: Client) -> None:
        page = _text(desk, LIST)

        assert "No tracker yet" in page
        assert LIST + "add/" in page

    def test_one_is_added_and_its_address_shown_once(self, desk: Client, fake: FakeTracker) -> None:
        answer = desk.post(LIST + "add/", _typed(fake), follow=True)

        tracker = Tracker.objects.get()
        assert tracker.labels == ["incident", "reliability"]
        page = answer.content.decode()
        assert "/api/trackers/" in page
        assert answer.headers["Cache-Control"] == "no-store"
        assert "shown this once" not in _text(desk, tracker.get_absolute_url())
        assert "0 linked" in _text(desk, LIST)

    def test_what_is_usual_is_filled_in(self, desk: Client, fake: FakeTracker) -> None:
        desk.post(LIST + "add/", _typed(fake, address="", name="One"))
        desk.post(
            LIST + "add/",
            _typed(fake, kind="jira", project="SHOP", name="Two"),
        )

        assert Tracker.objects.get(name="One").address == "https://api.github.com"
        assert Tracker.objects.get(name="Two").issue_type == "Task"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"secret": "ghp_thetokenitself"}, "Name the place"),
            ({"webhook_secret": "thesecretitself"}, "Name the place"),
            ({"kind": "jira", "address": ""}, "Enter the address"),
            ({"kind": "jira", "labels": "two words"}, "no spaces"),
            ({"project": "../../user"}, "names no project"),
            ({"address": "https://169.254.169.254"}, "not the world outside"),
        ],
    )
    def test_what_cannot_be_meant_is_said(
        self, desk: Client, fake: FakeTracker, changes: dict[str, str], words: str
    ) -> None:
        answer = desk.post(LIST + "add/", _typed(fake, **changes))

        assert answer.status_code == INVALID
        assert words in answer.content.decode()
        assert not Tracker.objects.exists()

    def test_a_trial_says_in_words_how_it_is(self, desk: Client, fake: FakeTracker) -> None:
        tracker, _token = _connect(fake)
        page = tracker.get_absolute_url()
        fake.troubles = [says(401, {"message": "Bad credentials"})]

        answer = desk.post(page + "try/", follow=True)
        assert "denies access (401: Bad credentials)" in answer.content.decode()

        answer = desk.post(page + "try/", follow=True)
        assert "acme/shop is there" in answer.content.decode()
        assert "denies access" not in _text(desk, page)

    def test_one_is_edited_paused_renewed_and_removed(
        self, desk: Client, fake: FakeTracker, action: ActionItem
    ) -> None:
        tracker, token = _connect(fake)
        page = tracker.get_absolute_url()
        operations.send_action(
            action_id=action.pk, tracker_id=tracker.pk, at=timezone.now(), author=None
        )

        assert "The shop" in _text(desk, page + "edit/")
        desk.post(page + "edit/", _typed(fake, name="The store"))
        desk.post(page + "switch/", {"off": "1"})
        assert "It is paused" in _text(desk, page)
        desk.post(page + "switch/", {"on": "1"})
        assert "stops to work at once" in _text(desk, page + "renew/")
        desk.post(page + "renew/")
        tracker.refresh_from_db()
        assert (tracker.name, tracker.is_enabled) == ("The store", True)
        assert desk.post(f"/api/trackers/{token}/", {}).status_code == 404
        assert "1 action item is linked" in _text(desk, page + "remove/")
        desk.post(page + "remove/")
        assert not Tracker.objects.exists()
        assert ActionItem.objects.exists()

    def test_no_secret_is_on_any_page(self, desk: Client, fake: FakeTracker) -> None:
        tracker, _token = _connect(fake)
        page = tracker.get_absolute_url()

        for url in (LIST, page, page + "edit/"):
            assert fake.secret not in _text(desk, url)
            assert SIGNING not in _text(desk, url)

    def test_a_page_costs_the_same_for_one_or_ten(
        self, desk: Client, fake: FakeTracker, incident: Incident
    ) -> None:
        tracker, _token = _connect(fake)

        def cost(number: int) -> int:
            for _ in range(number):
                action = operations.add_action_item(
                    incident_id=incident.pk, text="x", at=timezone.now(), author=None
                )
                operations.send_action(
                    action_id=action.pk, tracker_id=tracker.pk, at=timezone.now(), author=None
                )
            with CaptureQueriesContext(
                connection,
            ) as queries:
                desk.get(tracker.get_absolute_url())
            return len(queries)

        assert cost(1) == cost(9)

    def test_strangers_see_none(self, client: Client, fake: FakeTracker) -> None:
        tracker, _token = _connect(fake)

        for url in (LIST, tracker.get_absolute_url()):
            assert client.get(url).status_code == 302


class TestAnActionItem:
    def test_is_sent_and_shown(self, desk: Client, fake: FakeTracker, action: ActionItem) -> None:
        tracker, _token = _connect(fake)
        assert "Whoever reads that project" in _text(desk, _issue_page(action))

        desk.post(_issue_page(action), {"tracker": tracker.pk, "url": ""})
        assert "Waiting" in _text(desk, _issue_page(action))
        _sync()

        page = _text(desk, _issue_page(action))
        assert "In sync" in page
        assert fake.url_of(fake.issues[1]) in page
        assert "Rehearse restores" in _text(desk, tracker.get_absolute_url())

    def test_follows_an_issue_by_its_address(
        self, desk: Client, fake: FakeTracker, action: ActionItem
    ) -> None:
        tracker, _token = _connect(fake)
        issue = fake.add("Ours since long")

        said = {"tracker": tracker.pk, "url": "https://example.org/acme/shop/issues/1"}
        assert desk.post(_issue_page(action), said).status_code == INVALID
        desk.post(_issue_page(action), said | {"url": fake.url_of(issue)})

        assert TrackerIssue.objects.get().is_followed
        assert "was there before" in _text(desk, _issue_page(action))

    def test_says_what_went_wrong_and_is_tried_again(
        self, desk: Client, fake: FakeTracker, action: ActionItem
    ) -> None:
        tracker, _token = _connect(fake)
        desk.post(_issue_page(action), {"tracker": tracker.pk})
        fake.troubles = [says(422, {"message": "Validation Failed"})]
        _sync()
        page = _text(desk, _issue_page(action))
        assert "422: Validation Failed" in page
        assert "when you retry" in page
        for shown in (action.incident.get_absolute_url(), reverse("incidents:action-list")):
            assert "422: Validation Failed" in _text(desk, shown)
        assert "1 stuck" in _text(desk, LIST)

        desk.post(_issue_page(action, "retry"))
        _sync()

        assert "In sync" in _text(desk, _issue_page(action))

    def test_shows_that_nobody_knows_yet(
        self, desk: Client, fake: FakeTracker, action: ActionItem
    ) -> None:
        tracker, _token = _connect(fake)
        desk.post(_issue_page(action), {"tracker": tracker.pk})
        fake.troubles = [does_and_dies]
        _sync()

        assert "broke the connection off" in _text(desk, _issue_page(action))
        assert "1 waiting" in _text(desk, LIST)

    @pytest.mark.parametrize("side", ["ours", "theirs"])
    def test_asks_which_holds_where_both_were_moved(
        self, desk: Client, fake: FakeTracker, action: ActionItem, side: str
    ) -> None:
        tracker, _token = _connect(fake)
        desk.post(_issue_page(action), {"tracker": tracker.pk})
        _sync()
        fake.close(fake.issues[1], timezone.now() - timedelta(hours=1))
        operations.move_action_item(
            action_id=action.pk, state=ActionState.IN_PROGRESS, at=timezone.now(), author=None
        )
        _sync()
        assert "Ours holds: In progress" in _text(desk, _issue_page(action))

        desk.post(_issue_page(action, side))
        _sync()

        action.refresh_from_db()
        assert (action.state == ActionState.DONE) is (side == "theirs")
        assert fake.issues[1].is_open is (side == "ours")
        # Decided twice, it is decided.
        answer = desk.post(_issue_page(action, side), follow=True)
        assert "Nothing is left to decide" in answer.content.decode()

    def test_is_unlinked(self, desk: Client, fake: FakeTracker, action: ActionItem) -> None:
        tracker, _token = _connect(fake)
        desk.post(_issue_page(action), {"tracker": tracker.pk})

        desk.post(_issue_page(action, "unlink"))

        assert not TrackerIssue.objects.exists()
        assert "Send it to a tracker" in _text(desk, _issue_page(action))

    def test_of_a_private_incident_is_its_members_alone(
        self, desk: Client, fake: FakeTracker, action: ActionItem
    ) -> None:
        tracker, _token = _connect(fake)
        desk.post(_issue_page(action), {"tracker": tracker.pk})
        Incident.objects.update(visibility=Visibility.PRIVATE)

        assert desk.get(_issue_page(action)).status_code == 404
        assert desk.post(_issue_page(action, "retry")).status_code == 404
        assert "Rehearse restores" not in _text(desk, tracker.get_absolute_url())

    def test_without_a_tracker_it_says_where_to_add_one(
        self, desk: Client, action: ActionItem
    ) -> None:
        assert "See the trackers" in _text(desk, _issue_page(action))

    def test_staff_who_are_signed_in_alone(self, client: Client, action: ActionItem) -> None:
        assert client.post(_issue_page(action, "retry")).status_code == 302
        outsider: User = person("otto")
        User.objects.filter(pk=outsider.pk).update(is_staff=False)
        client.force_login(User.objects.get(pk=outsider.pk))
        assert client.get(_issue_page(action)).status_code == 403


class TestTheDoor:
    @pytest.mark.parametrize("kind", FAKES, ids=lambda kind: kind.kind)
    def test_what_is_closed_there_is_done_here_within_one_round(
        self, client: Client, settings: Settings, action: ActionItem, kind: type[FakeTracker]
    ) -> None:
        with open_tracker(kind) as fake:
            _keys(settings, fake)
            tracker, token = _connect(fake)
            operations.send_action(
                action_id=action.pk, tracker_id=tracker.pk, at=timezone.now(), author=None
            )
            _sync()
            fake.close(fake.issues[1], timezone.now())
            _sync()
            action.refresh_from_db()
            assert action.state == ActionState.PROPOSED

            body, headers = fake.word(fake.issues[1], SIGNING)
            answer = client.post(
                f"/api/trackers/{token}",
                body,
                content_type="application/json",
                headers=headers,
            )
            _sync()

        assert (answer.status_code, answer.json()) == (200, {"did": "noted"})
        action.refresh_from_db()
        assert action.state == ActionState.DONE
        assert TrackerIssue.objects.get().state == SyncState.IN_SYNC

    def test_what_it_tells_is_looked_at_and_not_believed(
        self, client: Client, fake: FakeTracker, action: ActionItem
    ) -> None:
        tracker, token = _connect(fake)
        operations.send_action(
            action_id=action.pk, tracker_id=tracker.pk, at=timezone.now(), author=None
        )
        _sync()
        # An old word that comes again: the issue was closed then, and is open now.
        fake.close(fake.issues[1], timezone.now())
        body, headers = fake.word(fake.issues[1], SIGNING)
        fake.reopen(fake.issues[1], timezone.now())

        client.post(
            f"/api/trackers/{token}/", body, content_type="application/json", headers=headers
        )
        _sync()

        action.refresh_from_db()
        assert action.state == ActionState.PROPOSED

    def test_strangers_are_refused(self, client: Client, fake: FakeTracker) -> None:
        tracker, token = _connect(fake)
        body, headers = fake.word(fake.add("x"), "another secret")

        answer = client.post(
            f"/api/trackers/{token}/", body, content_type="application/json", headers=headers
        )

        assert answer.status_code == 401
        assert answer.json()["code"] == "tracker-word-unproven"
        tracker.refresh_from_db()
        assert tracker.last_heard_at is None

    def test_wrong_ways_are_told(self, client: Client, fake: FakeTracker) -> None:
        _tracker, token = _connect(fake)

        assert client.get(f"/api/trackers/{token}/").status_code == 405
        assert client.post("/api/trackers/nobodys/").json()["code"] == "tracker-token-unknown"
        large = client.post(
            f"/api/trackers/{token}/", b"x" * (5 * 1024 * 1024 + 1), content_type="text/plain"
        )
        assert large.status_code == 413

    def test_the_token_stands_in_no_log(
        self, client: Client, fake: FakeTracker, caplog: pytest.LogCaptureFixture
    ) -> None:
        _tracker, token = _connect(fake)

        client.post(f"/api/trackers/{token}/", b"{}", content_type="application/json")
        client.get(f"/api/trackers/{token}/")

        assert token not in caplog.text

    def test_an_issue_that_is_not_ours_is_passed_over(
        self, client: Client, fake: FakeTracker
    ) -> None:
        _tracker, token = _connect(fake)
        body, headers = fake.word(fake.add("Nobody's here"), SIGNING)

        answer = client.post(
            f"/api/trackers/{token}/", body, content_type="application/json", headers=headers
        )

        assert answer.json() == {"did": "ignored"}
