"""Signed webhooks, as the Standard Webhooks specification 1.0 has them (standardwebhooks.com).

The receiver checks ``webhook-signature`` against ``webhook-id``, ``webhook-timestamp`` and the body
as it came. A message that is sent again keeps its id, so that it can be taken once.
"""

import base64
import hashlib
import hmac
import json
import secrets

from django.utils import timezone

from notifications import guarded
from notifications.errors import Undelivered
from notifications.models import Delivery

_PREFIX = "whsec_"
_KEY_BYTES = 32


def new_secret() -> str:
    """Return a secret as receivers' libraries take it: ``whsec_`` and 32 bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def signature(secret: str, *, message_id: str, seconds: int, body: bytes) -> str:
    """Return what stands in ``webhook-signature``: HMAC-SHA256 over id, time and body, by dots."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class WebhookSender:
    """Posts messages with their signature, each over a connection of its own."""

    def send(self, delivery: Delivery) -> None:
        """Post one message.

        :raises Undelivered: if it was not taken
        """
        if delivery.signing_key is None:
            raise Undelivered("The channel that it was for is gone.", is_final=True)
        body = json.dumps(
            {
                "type": delivery.message.headers.get("type", "notice"),
                "timestamp": delivery.created_at.isoformat(),
                "data": {
                    "subject": delivery.message.subject,
                    "text": delivery.filled(delivery.message.body),
                },
            },
            ensure_ascii=False,
        ).encode()
        message_id = "msg_" + hashlib.sha256(delivery.idempotency_key.encode()).hexdigest()[:24]
        now = timezone.now()
        seconds = int(now.timestamp())
        guarded.post(
            delivery.recipient,
            body=body,
            headers={
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": str(seconds),
                # One by each secret while they are exchanged, as the specification has it.
                "webhook-signature": " ".join(
                    signature(secret, message_id=message_id, seconds=seconds, body=body)
                    for secret in delivery.signing_key.secrets(at=now)
                ),
            },
        )

    def close(self) -> None:
        """There is nothing to close."""
