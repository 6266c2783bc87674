"""Signed webhooks: the specification's signature, one id a message, a key that is shown once."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from django.test import Client

from incidents.models import NoticeChannel
from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState, SigningKey
from notifications.webhook import new_secret, signature
from tests.factories import HOUR, NOON
from tests.sinks import Chat, answering

pytestmark = pytest.mark.django_db


def is_signed(post: Any, secret: str) -> bool:
    """Check a message as a receiver does."""
    headers = {name.lower(): value for name, value in post.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + post.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return bool(headers["webhook-signature"] == f"v1,{wanted}")


def test_the_signature_is_that_of_the_specifications_example() -> None:
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        seconds=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_are_32_bytes_and_never_alike() -> None:
    one, other = new_secret(), new_secret()

    assert one != other
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32


def queue(chat: Chat, key: SigningKey | None) -> None:
    outbox.enqueue(
        channel=Channel.WEBHOOK,
        recipient=chat.url(),
        subject="shop: Drill",
        body="It failed.",
        idempotency_key="one",
        headers={"type": "backup.alert"},
        signing_key_id=key.pk if key else None,
        at=NOON,
    )


def test_a_message_that_is_sent_again_keeps_its_id_and_is_signed_anew(chat: Chat) -> None:
    key = SigningKey.objects.create(secret=new_secret(), made_at=NOON)
    queue(chat, key)
    chat.answer = answering(503)
    outbox.send_due(at=NOON)
    chat.answer = answering(204)

    outbox.send_due(at=NOON + HOUR)

    first, second = chat.posts
    assert is_signed(first, key.secret)
    assert is_signed(second, key.secret)
    ids = {post.headers.get("webhook-id") or post.headers["Webhook-Id"] for post in chat.posts}
    assert len(ids) == 1
    assert json.loads(second.body) == {
        "type": "backup.alert",
        "timestamp": NOON.isoformat(),
        "data": {"subject": "shop: Drill", "text": "It failed."},
    }
    assert Delivery.objects.get().state == DeliveryState.SENT


def test_without_its_key_nothing_is_sent(chat: Chat) -> None:
    queue(chat, None)

    outbox.send_due(at=NOON)

    assert chat.posts == []
    assert Delivery.objects.get().state == DeliveryState.FAILED


class TestDesk:
    def add(self, client: Client, chat: Chat) -> tuple[NoticeChannel, str]:
        page = client.post(
            "/desk/notices/channels/add/",
            {
                "name": "pager",
                "channel": "webhook",
                "address": chat.url(),
                "kinds": ["declared"],
                "least_severity": "sev4",
            },
        ).content.decode()
        row = NoticeChannel.objects.get()
        assert row.signing_key is not None
        assert row.signing_key.secret in page
        return row, row.signing_key.secret

    def test_the_key_is_shown_once_and_signs_what_is_sent(
        self, admin_client: Client, chat: Chat
    ) -> None:
        row, secret = self.add(admin_client, chat)

        admin_client.post(f"/desk/notices/channels/{row.pk}/try/")

        assert is_signed(chat.posts[0], secret)
        for path in ("/desk/notices/", f"/desk/notices/channels/{row.pk}/"):
            page = admin_client.get(path).content.decode()
            assert secret not in page
            assert chat.url() not in page

    def test_another_key_holds_at_once(self, admin_client: Client, chat: Chat) -> None:
        row, secret = self.add(admin_client, chat)

        page = admin_client.post(f"/desk/notices/channels/{row.pk}/key/").content.decode()
        admin_client.post(f"/desk/notices/channels/{row.pk}/try/")

        row.refresh_from_db()
        assert row.signing_key is not None
        assert row.signing_key.secret != secret
        assert row.signing_key.secret in page
        assert is_signed(chat.posts[0], row.signing_key.secret)

    def test_a_channel_that_goes_takes_its_key_along(
        self, admin_client: Client, chat: Chat
    ) -> None:
        row, _secret = self.add(admin_client, chat)

        admin_client.post(f"/desk/notices/channels/{row.pk}/remove/")

        assert not NoticeChannel.objects.exists()
        assert not SigningKey.objects.exists()
