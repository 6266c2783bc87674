"""The page's rooms at the desk: its settings, and who follows it."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import User
from incidents import operations
from incidents.values import Severity
from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState
from statuspage.deliveries import queue_deliveries
from statuspage.models import Page, Subscriber
from statuspage.publisher.site import Site
from statuspage.subscribing import Wish, add_subscriber, quarantine, unsubscribe
from tests.factories import MINUTE, NOON, ResponderFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

INVALID = 422
SETTINGS = reverse("statuspage:page-settings", args=["main"])
SUBSCRIBERS = reverse("statuspage:subscriber-list", args=["main"])
ACME = {
    "name": "Acme",
    "url": "https://status.acme.example/",
    "time_zone": "Europe/Amsterdam",
    "support_url": "https://acme.example/help",
    "language": "en",
    "part": "settings",
}


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(ResponderFactory.create())
    return client


class TestAccess:
    def test_whoever_is_not_signed_in_is_asked_to(self, client: Client) -> None:
        ada = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)

        assert client.post(SETTINGS, ACME).status_code == 302
        assert client.post(SUBSCRIBERS, {"email": "eve@example.com"}).status_code == 302
        answer = client.post(reverse("statuspage:subscriber-remove", args=[ada.pk]))

        assert answer["Location"].startswith("/desk/login/")
        assert list(Subscriber.objects.following()) == [ada]

    def test_an_outsider_with_a_login_is_sent_away(self, client: Client) -> None:
        client.force_login(User.objects.create_user("outsider"))

        assert client.get(SETTINGS).status_code == 403
        assert client.get(SUBSCRIBERS).status_code == 403


class TestPageSettings:
    def test_show_what_holds_and_offer_zones(self, desk: Client) -> None:
        page = desk.get(SETTINGS).content.decode()

        assert 'value="Highwater"' in page
        assert '<option value="Europe/Amsterdam">' in page

    def test_are_published_at_once(
        self,
        desk: Client,
        visitor: Visitor,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            answer = desk.post(SETTINGS, ACME)

        page = Page.objects.get()
        assert answer["Location"] == SETTINGS
        assert (page.name, page.url) == ("Acme", "https://status.acme.example")
        assert "Acme" in visitor.get("/").text
        assert "https://acme.example/help" in visitor.get("/").text

    def test_refuse_a_zone_that_is_none(self, desk: Client) -> None:
        answer = desk.post(SETTINGS, ACME | {"time_zone": "Europe/Atlantis"})

        assert answer.status_code == INVALID
        assert "There is no such time zone" in answer.content.decode()
        assert Page.objects.get().name == "Highwater"

    @pytest.mark.parametrize("field", ["name", "url"])
    def test_ask_again_for_what_is_missing(self, desk: Client, field: str) -> None:
        answer = desk.post(SETTINGS, ACME | {field: ""})

        assert answer.status_code == INVALID
        assert "This field is required" in answer.content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_are_kept_when_another_publisher_holds_the_page(
        self, desk: Client, page_root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("statuspage.publisher.site._LOCK_SECONDS", 0.01)

        with Site(page_root).alone():
            answer = desk.post(SETTINGS, ACME, follow=True)

        assert "could not be published. Save it once more." in answer.content.decode()
        assert Page.objects.get().name == "Acme"


ADA = {"channel": "email", "email": "Ada@example.com", "pace": "every"}


class TestSubscribers:
    def test_says_what_they_get_when_there_is_none(self, desk: Client) -> None:
        assert "Nobody gets messages yet" in desk.get(SUBSCRIBERS).content.decode()

    def test_takes_somebody_in(self, desk: Client) -> None:
        page = desk.post(SUBSCRIBERS, ADA, follow=True).content.decode()

        assert "ada@example.com is told from now on." in page
        assert "Is told (1)" in page

    def test_asks_again_for_an_address(self, desk: Client) -> None:
        answer = desk.post(SUBSCRIBERS, ADA | {"email": "ada"})

        assert answer.status_code == INVALID
        assert "valid email address" in answer.content.decode()
        assert not Subscriber.objects.exists()

    def test_lets_somebody_go_and_come_back(self, desk: Client) -> None:
        ada = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)

        gone = desk.post(reverse("statuspage:subscriber-remove", args=[ada.pk]), follow=True)
        assert not Subscriber.objects.following().exists()
        assert "Left (1)" in gone.content.decode()

        desk.post(SUBSCRIBERS, ADA)
        assert list(Subscriber.objects.following()) == [ada]

    def test_removes_nobody_by_looking(self, desk: Client) -> None:
        ada = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)

        answer = desk.get(reverse("statuspage:subscriber-remove", args=[ada.pk]))

        assert answer.status_code == 405

    def test_counts_what_became_of_the_messages(self, desk: Client) -> None:
        for name in ("ada", "bob"):
            add_subscriber(wish=Wish(email=f"{name}@example.com"), at=NOON)
        operations.declare_incident(
            title="Tours", severity=Severity.SEV2, at=NOON, author=None, body="Looking."
        )
        queue_deliveries(at=NOON + MINUTE)
        Delivery.objects.filter(recipient="bob@example.com").update(state=DeliveryState.FAILED)
        assert outbox.send_due(at=NOON + MINUTE) == 1

        page = desk.get(SUBSCRIBERS).content.decode()

        # The newest first.
        assert page.index("bob@example.com") < page.index("ada@example.com") < page.index("1 sent")
        assert "1 failed" in page

    def test_finds_narrows_and_pages(self, desk: Client) -> None:
        for number in range(60):
            add_subscriber(wish=Wish(email=f"{number}@example.com"), at=NOON)
        left = Subscriber.objects.get(email="7@example.com")
        unsubscribe(token=left.token, at=NOON)

        first = desk.get(SUBSCRIBERS).content.decode()
        oldest = Subscriber.objects.get(email="10@example.com").pk
        assert f"older={oldest}" in first
        assert "9@example.com" in desk.get(f"{SUBSCRIBERS}?older={oldest}").content.decode()
        assert "1 sent" not in first
        narrowed = desk.get(f"{SUBSCRIBERS}?state=left&q=EXAMPLE").content.decode()
        assert "7@example.com" in narrowed
        assert "8@example.com" not in narrowed
        assert "Nobody is like that" in desk.get(f"{SUBSCRIBERS}?q=nobody").content.decode()

    def test_hands_the_list_over(self, desk: Client) -> None:
        hook = "https://hooks.example.com/services/T1/B2/secret-of-the-room"
        add_subscriber(wish=Wish(email="=cmd@example.com"), at=NOON)
        add_subscriber(wish=Wish(channel=Channel.CHAT, endpoint=hook), at=NOON)

        answer = desk.get("/desk/pages/main/subscribers.csv")

        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
        assert lines[1].startswith("email,'=cmd@example.com,following")
        assert "secret-of" not in lines[2]

    def test_hands_over_and_erases_a_person(self, desk: Client) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        address = reverse("statuspage:person")

        assert desk.post(address, {"email": "ada@example.com"}).json()["subscriptions"]
        wrong = desk.post(address, {"email": "ada@example.com", "erase": "1", "again": "x"})
        assert wrong.status_code == INVALID
        assert Subscriber.objects.exists()
        desk.post(address, {"email": "ada@example.com", "erase": "1", "again": "ada@example.com"})
        assert not Subscriber.objects.exists()

    def test_sends_again_to_whose_messages_came_back(self, desk: Client) -> None:
        ada = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        quarantine(token=ada.token, reason="550 no such mailbox", at=NOON)
        assert "550 no such mailbox" in desk.get(SUBSCRIBERS).content.decode()

        desk.post(reverse("statuspage:subscriber-readmit", args=[ada.pk]))

        assert list(Subscriber.objects.following()) == [ada]

    def test_asks_the_database_the_same_for_one_or_ten(
        self, desk: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        def look() -> None:
            # Session, user, page, two counts, the rows, their deliveries, what does not work.
            with django_assert_num_queries(8):
                desk.get(SUBSCRIBERS)

        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        look()
        for number in range(9):
            add_subscriber(wish=Wish(email=f"{number}@example.com"), at=NOON)
        look()
