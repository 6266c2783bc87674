"""The outbox to look at: no secret in it."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from notifications import outbox
from notifications.models import Channel, Delivery
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_the_address_of_a_chat_is_not_shown(client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("root"))
    outbox.enqueue(
        channel=Channel.CHAT,
        recipient="https://chat.example.org/hooks/secret-token-Xk3z",
        subject="Tours do not open",
        body="We are looking into it.",
        idempotency_key="a",
        at=NOON,
    )
    pages = [
        client.get(reverse("admin:notifications_delivery_changelist")),
        client.get(
            reverse("admin:notifications_delivery_change", args=[Delivery.objects.get().pk])
        ),
    ]

    for page in pages:
        assert page.status_code == 200
        assert "secret-token" not in page.content.decode()
        assert "chat.example.org/…Xk3z" in page.content.decode()


def test_what_a_message_says_is_for_whom_it_was_sent_to(client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("root"))
    outbox.enqueue(
        channel=Channel.EMAIL,
        recipient="member@example.org",
        subject="[INC-7] Action overdue",
        body="An action item is due today. “Renew the leaked key”",
        headers={"List-Unsubscribe": "<https://status.example.org/leave/s3cret>"},
        idempotency_key="a",
        at=NOON,
    )

    page = client.get(
        reverse("admin:notifications_delivery_change", args=[Delivery.objects.get().pk])
    ).content.decode()

    assert "member@example.org" in page
    assert "leaked key" not in page
    assert "s3cret" not in page
