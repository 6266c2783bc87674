"""Asking for messages, confirming, choosing, leaving; and what is kept of a person."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from incidents import operations
from incidents.values import Severity
from notifications.models import Channel, Delivery, DeliveryState
from statuspage import subscribing
from statuspage.models import Asking, Pace, Page, Subscriber
from statuspage.subscribing import Wish, add_subscriber
from tests.factories import MINUTE, NOON, ComponentFactory

pytestmark = pytest.mark.django_db

HOOK = "https://hooks.example.com/services/T1/B2/secret"
GOOD = {"channel": "email", "email": "ada@example.com", "pace": "every"}


@pytest.fixture
def page() -> Page:
    return Page.objects.first_page(at=NOON)


def ask(page: Page, **wish: Any) -> None:
    at = wish.pop("at", NOON)
    subscribing.ask_to_follow(page_id=page.pk, wish=Wish(**wish), at=at)


def mails() -> list[str]:
    rows = Delivery.objects.select_related("message").order_by("pk")
    return [row.message.subject for row in rows]


class TestAsking:
    def test_asks_the_mailbox_and_tells_nobody_before_it_answers(self, page: Page) -> None:
        ask(page, email="Ada@Example.com")

        ada = Subscriber.objects.get()
        mail = Delivery.objects.select_related("message").get()
        assert (ada.email, ada.state) == ("ada@example.com", "waiting")
        assert mail.recipient == "ada@example.com"
        assert f"/subscriptions/{ada.token}/confirm" in mail.message.body
        assert not Subscriber.objects.following().exists()

    def test_fills_no_mailbox(self, page: Page) -> None:
        ask(page, email="ada@example.com")
        ask(page, email="ada@example.com", at=NOON + 9 * MINUTE)
        assert len(mails()) == 1

        ask(page, email="ada@example.com", at=NOON + 11 * MINUTE)
        assert len(mails()) == 2

    def test_tells_a_subscriber_alone_that_it_is_one(self, page: Page) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)

        ask(page, email="ada@example.com")

        assert mails() == ["You get messages from Highwater already"]
        assert Subscriber.objects.following().count() == 1

    def test_wants_the_mailbox_of_a_webhook_too(self, page: Page) -> None:
        with pytest.raises(subscribing.NoMailbox):
            ask(page, channel=Channel.WEBHOOK, endpoint=HOOK)

    def test_asks_nobody_where_staff_took_in_a_webhook_without_a_mailbox(self, page: Page) -> None:
        add_subscriber(wish=Wish(channel=Channel.CHAT, endpoint=HOOK), at=NOON)

        ask(page, channel=Channel.CHAT, endpoint=HOOK, email="mallory@example.com")

        assert mails() == []
        assert Subscriber.objects.get().email == ""

    @pytest.mark.parametrize(
        "address",
        [
            "http://10.0.0.1/x",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://user:pass@example.com/",
            "ftp://example.com/",
            "https://example.com/\r\nX-Evil: 1",
            "https://0x7f.1/",
        ],
    )
    def test_refuses_addresses_that_are_none_to_post_to(self, page: Page, address: str) -> None:
        with pytest.raises(subscribing.NoAddressToPostTo):
            ask(page, channel=Channel.WEBHOOK, endpoint=address, email="ada@example.com")

        assert not Subscriber.objects.exists()


class TestConfirming:
    def test_takes_in_whoever_has_the_token(self, page: Page) -> None:
        ask(page, email="ada@example.com")
        token = Subscriber.objects.get().token

        assert subscribing.confirm(token=token, at=NOON + MINUTE)
        assert subscribing.confirm(token=token, at=NOON + 2 * MINUTE)

        ada = Subscriber.objects.following().get()
        assert ada.confirmed_at == NOON + MINUTE

    def test_knows_no_other_token(self) -> None:
        assert not subscribing.confirm(token="x" * 32, at=NOON)

    def test_forgets_who_never_confirmed(self, page: Page) -> None:
        ask(page, email="ada@example.com")
        add_subscriber(wish=Wish(email="bob@example.com"), at=NOON)

        assert subscribing.forget_unconfirmed(at=NOON + timedelta(days=6)) == 0
        assert subscribing.forget_unconfirmed(at=NOON + timedelta(days=8)) == 1
        assert Subscriber.objects.get().email == "bob@example.com"


class TestLeaving:
    def test_holds_back_what_waits_to_be_sent(self, page: Page) -> None:
        ada = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        operations.declare_incident(
            title="Tours", severity=Severity.SEV2, at=NOON + MINUTE, author=None, body="Looking."
        )
        call_command("shell", "-c", _QUEUE)

        subscribing.unsubscribe(token=ada.token, at=NOON + 2 * MINUTE)

        assert [row.state for row in Delivery.objects.all()] == [DeliveryState.SUPPRESSED]

    def test_quarantine_ends_with_a_new_confirmation(self, page: Page) -> None:
        ada = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)

        subscribing.quarantine(token=ada.token, reason="550 no such mailbox", at=NOON + MINUTE)
        assert Subscriber.objects.get().state == "quarantined"

        subscribing.confirm(token=ada.token, at=NOON + 2 * MINUTE)
        assert Subscriber.objects.get().state == "following"


_QUEUE = (
    "from statuspage.deliveries import queue_deliveries; from tests.factories import NOON, MINUTE; "
    "queue_deliveries(at=NOON + MINUTE)"
)


class TestSecrets:
    def test_both_are_good_while_they_are_exchanged(self) -> None:
        hook = add_subscriber(wish=Wish(channel=Channel.WEBHOOK, endpoint=HOOK), at=NOON)
        assert hook.signing_key is not None
        old = hook.signing_key.secret

        key = subscribing.renew_secret(token=hook.token, at=NOON)

        assert key.secret != old
        assert (key.previous_secret, key.previous_until) == (old, NOON + timedelta(days=1))


class TestPersons:
    def test_hands_over_what_is_kept(self, page: Page) -> None:
        part = ComponentFactory.create(name="Booking")
        add_subscriber(wish=Wish(email="ada@example.com", component_ids=[part.pk]), at=NOON)

        said = subscribing.data_of(" ADA@example.com")

        assert said["subscriptions"][0]["components"] == ["Booking"]
        assert json.dumps(said)

    def test_erases_it_all_and_nobody_elses(self, page: Page) -> None:
        for name in ("ada", "bob"):
            ask(page, email=f"{name}@example.com")

        assert subscribing.erase("ada@example.com") == 1

        assert [row.email for row in Subscriber.objects.all()] == ["bob@example.com"]
        assert [row.recipient for row in Delivery.objects.all()] == ["bob@example.com"]

    def test_commands_do_the_same(self, page: Page, capsys: pytest.CaptureFixture[str]) -> None:
        ask(page, email="ada@example.com")

        call_command("export_person", "ada@example.com")
        assert json.loads(capsys.readouterr().out)["email"] == "ada@example.com"

        with pytest.raises(CommandError, match="--yes"):
            call_command("erase_person", "ada@example.com")
        call_command("erase_person", "ada@example.com", "--yes")
        assert not Subscriber.objects.exists()


class TestPublicForms:
    def test_a_journey_from_the_form_to_leaving(self, client: Client, page: Page) -> None:
        part = ComponentFactory.create(name="Booking")
        answer = client.post("/subscriptions/new", GOOD | {"components": [part.public_id]})
        assert (answer.status_code, answer["Location"]) == (302, "/subscriptions/asked")
        assert client.get("/subscriptions/asked").status_code == 200

        ada = Subscriber.objects.get()
        # A scanner follows links: it confirms nothing.
        assert client.get(f"/subscriptions/{ada.token}/confirm").status_code == 200
        assert not Subscriber.objects.following().exists()
        client.post(f"/subscriptions/{ada.token}/confirm")
        assert Subscriber.objects.following().exists()

        client.post(f"/subscriptions/{ada.token}", {"pace": "milestones", "language": "nl"})
        ada.refresh_from_db()
        assert (ada.pace, ada.language, ada.hears_of_maintenance) == (Pace.MILESTONES, "nl", False)
        assert not ada.components.exists()

        client.get(f"/unsubscribe/{ada.token}")
        assert Subscriber.objects.following().exists()
        client.post(f"/unsubscribe/{ada.token}", {"List-Unsubscribe": "One-Click"})
        assert not Subscriber.objects.following().exists()

    def test_take_and_give_no_cookie(self, page: Page) -> None:
        client = Client(enforce_csrf_checks=True)

        answers = [
            client.get("/subscriptions/new"),
            client.post("/subscriptions/new", GOOD),
            client.get("/subscriptions/asked"),
        ]

        assert [answer.status_code for answer in answers] == [200, 302, 200]
        assert not client.cookies

    def test_say_the_same_of_who_follows_and_who_does_not(self, client: Client, page: Page) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)

        known = client.post("/subscriptions/new", GOOD)
        unknown = client.post("/subscriptions/new", GOOD | {"email": "eve@example.com"})

        assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])

    def test_stop_a_storm(self, client: Client, page: Page) -> None:
        for number in range(subscribing.MOST_OF_A_VISITOR):
            client.post("/subscriptions/new", GOOD | {"email": f"{number}@example.com"})

        answer = client.post("/subscriptions/new", GOOD)

        assert (answer.status_code, answer["Retry-After"]) == (429, "600")
        assert Subscriber.objects.count() == subscribing.MOST_OF_A_VISITOR
        assert not Asking.objects.filter(visitor__contains="127.0.0.1").exists()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"email": "ada"}, "valid email"),
            ({"email": "ada@example.com\r\nBcc: eve@example.com"}, "valid email"),
            ({"pace": "never"}, "valid choice"),
            ({"channel": "webhook"}, "Give the address"),
            ({"channel": "chat", "endpoint": "https://10.0.0.1/x"}, "OUTGOING_NETWORKS"),
        ],
    )
    def test_say_what_is_wrong(
        self, client: Client, page: Page, wrong: dict[str, str], said: str
    ) -> None:
        answer = client.post("/subscriptions/new", GOOD | wrong)

        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert not Subscriber.objects.exists()

    def test_follow_one_open_incident(self, client: Client, page: Page) -> None:
        incident = operations.declare_incident(
            title="Tours", severity=Severity.SEV2, at=NOON, author=None, body="Looking."
        )

        address = f"/subscriptions/new?incident={incident.public_id}"
        assert "Tours" in client.get(address).content.decode()
        client.post(address, GOOD)

        assert Subscriber.objects.get().incident == incident

    def test_know_no_other_token(self, client: Client) -> None:
        for path in ("subscriptions/nobody", "subscriptions/nobody/confirm", "unsubscribe/nobody"):
            assert client.get(f"/{path}").status_code == 404


class TestTakenFromClients:
    def test_as_they_post_forms(self, client: Client, page: Page) -> None:
        answer = client.post("/api/v2/subscribers.json", {"subscriber[email]": "ada@example.com"})

        assert answer.status_code == 201
        assert answer.json() == {"can_select_components": True, "mode": "email_sms"}
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert Subscriber.objects.get().state == "waiting"

    def test_as_they_post_json(self, client: Client, page: Page) -> None:
        said = {"subscriber": {"endpoint": HOOK, "email": "ada@example.com"}}

        answer = client.post("/api/v2/subscribers.json", said, content_type="application/json")

        assert answer.json()["mode"] == "webhook"
        assert Subscriber.objects.get().channel == Channel.WEBHOOK

    @pytest.mark.parametrize("body", ["{", "[]", '{"subscriber": 3}', '"x"'])
    def test_or_told_what_is_wrong(self, client: Client, page: Page, body: str) -> None:
        answer = client.post("/api/v2/subscribers.json", body, content_type="application/json")

        assert answer.status_code == 422
        assert answer.json()["error"]
