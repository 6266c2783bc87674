"""Followers are told of each update once."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from incidents import operations
from incidents.models import Incident
from incidents.values import IncidentKind, Severity, Visibility
from notifications.models import Delivery
from statuspage.deliveries import queue_deliveries
from statuspage.models import Announcement, Subscriber
from statuspage.subscribing import Wish, add_subscriber, unsubscribe
from tests.factories import HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db


def _declare(**more: object) -> Incident:
    return operations.declare_incident(
        title="Tours",
        severity=Severity.SEV2,
        at=NOON,
        author=None,
        body="Looking.<br>Still.",
        **more,  # type: ignore[arg-type]
    )


class TestQueueDeliveries:
    def test_writes_to_every_follower_once(self) -> None:
        for name in ("ada", "bob"):
            add_subscriber(wish=Wish(email=f"{name}@example.com"), at=NOON)
        _declare()

        assert queue_deliveries(at=NOON + MINUTE) == 1
        assert queue_deliveries(at=NOON + MINUTE) == 0

        first = Delivery.objects.order_by("recipient").first()
        assert Delivery.objects.count() == 2
        assert Announcement.objects.get().recipients == 2
        assert first is not None
        assert first.recipient == "ada@example.com"
        assert first.message.subject == "[Highwater] Investigating: Tours"
        assert first.message.body.startswith("Looking.\nStill.\n")
        assert first.message.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    def test_is_read_without_marks(self) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        operations.declare_incident(
            title="Tours", severity=Severity.SEV2, at=NOON, author=None,
            body="We **know** it:\n\n- see [how](https://acme.example/how)\n- wait",
        )  # fmt: skip

        queue_deliveries(at=NOON + MINUTE)

        letter = Delivery.objects.get().message.body
        assert letter.startswith("We know it:\n\n- see how (https://acme.example/how)\n- wait\n\n")

    def test_one_who_comes_later_gets_what_comes_later(self) -> None:
        _declare()
        queue_deliveries(at=NOON + MINUTE)
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON + 2 * MINUTE)

        assert queue_deliveries(at=NOON + 3 * MINUTE) == 0

    def test_what_was_said_before_somebody_followed_is_not_sent_to_them(self) -> None:
        _declare()
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON + 2 * MINUTE)

        queue_deliveries(at=NOON + 3 * MINUTE)

        assert not Delivery.objects.exists()

    def test_leaves_out_what_is_not_for_them(self) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        _declare(visibility=Visibility.INTERNAL)
        _declare(kind=IncidentKind.BACKFILLED)
        _declare(kind=IncidentKind.DRILL)

        assert queue_deliveries(at=NOON + MINUTE) == 0

    def test_what_staff_said_among_themselves_is_not_sent_once_customers_may_know(self) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        incident = _declare(visibility=Visibility.INTERNAL)

        operations.edit_incident(
            incident_id=incident.pk, title="Tours", summary="", severity=Severity.SEV2,
            visibility=Visibility.PUBLIC, at=NOON + MINUTE, author=None,
        )  # fmt: skip

        assert queue_deliveries(at=NOON + MINUTE) == 0

    def test_old_news_is_none(self) -> None:
        _declare()

        assert queue_deliveries(at=NOON + timedelta(days=3)) == 0

    def test_one_who_has_left_gets_nothing(self) -> None:
        left = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        unsubscribe(token=left.token, at=NOON)
        _declare()

        queue_deliveries(at=NOON + MINUTE)

        assert Delivery.objects.count() == 0


class TestUnsubscribing:
    def test_asks_on_get_and_leaves_on_post(self, client: Client) -> None:
        follower = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON - HOUR)
        address = f"/unsubscribe/{follower.token}"

        asked = client.get(address)
        assert "Get no more messages?" in asked.text
        assert Subscriber.objects.following().exists()

        for _time in range(2):
            assert client.post(address).status_code == 200
        assert not Subscriber.objects.following().exists()
        assert not client.cookies

    def test_knows_only_its_tokens(self, client: Client) -> None:
        assert client.post("/unsubscribe/guess").status_code == 404


class TestAddSubscriber:
    def test_brings_back_one_who_had_left(self) -> None:
        left = add_subscriber(wish=Wish(email="Ada@Example.com"), at=NOON)
        unsubscribe(token=left.token, at=NOON)

        call_command("add_subscriber", "ada@example.com")

        assert Subscriber.objects.following().get() == left

    def test_refuses_what_is_no_address(self) -> None:
        with pytest.raises(CommandError, match="is no email address"):
            call_command("add_subscriber", "ada")
