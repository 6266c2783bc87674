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
