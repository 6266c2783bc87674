"""Sending what is queued."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction

from notifications.chat import ChatSender
from notifications.errors import PlaceAway, ServerAway, Undelivered
from notifications.mail import MailSender
from notifications.models import Channel, Delivery, DeliveryState, Message
from notifications.signals import came_back
from notifications.webhook import WebhookSender

logger = logging.getLogger(__name__)

# How long after each failed attempt the next one comes; after the last one it has failed.
_BACKOFF = [
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
]


class Sender(Protocol):
    """What a channel needs of the program that sends."""

    def send(self, delivery: Delivery) -> None:
        """Send one message; raise Undelivered if it did not arrive."""

    def close(self) -> None:
        """Let go of what was opened."""


_SENDERS: Mapping[Channel, Callable[[], Sender]] = {
    Channel.EMAIL: MailSender,
    Channel.CHAT: ChatSender,
    Channel.WEBHOOK: WebhookSender,
}


def send_due(*, at: datetime, channels: Iterable[Channel] = tuple(Channel)) -> int:
    """Send what is due in these channels, one transaction a message. Return how many went out.

    Several workers may run this at once: each message is in the hands of one of them. A message
    goes out twice only if a worker dies between the server's answer and the commit. A mail server
    that does not answer is asked once, and so is each chat; the rest waits for the next call.
    """
    return sum(_send_channel(channel, at=at) for channel in channels)


def try_out(
    *,
    channel: Channel,
    recipient: str,
    subject: str,
    body: str,
    at: datetime,
    signing_key_id: int | None = None,
) -> None:
    """Send one message now, outside the outbox, to see whether it arrives.

    :raises Undelivered: if it does not, with the reason
    """
    sender = _SENDERS[channel]()
    try:
        sender.send(
            Delivery(
                message=Message(
                    subject=subject, body=body, headers={"type": "test"}, created_at=at
                ),
                channel=channel,
                recipient=recipient,
                signing_key_id=signing_key_id,
                idempotency_key=f"test-{at.isoformat()}",
                created_at=at,
            )
        )
    finally:
        sender.close()


def _send_channel(channel: Channel, *, at: datetime) -> int:
    sender = _SENDERS[channel]()
    # Who did not answer is not asked again in this call.
    away: set[str] = set()
    sent = 0
    try:
        while (delivery := _send_next(sender, channel, away, at=at)) is not None:
            sent += delivery.state == DeliveryState.SENT
    finally:
        sender.close()
    return sent


def _send_next(
    sender: Sender, channel: Channel, away: set[str], *, at: datetime
) -> Delivery | None:
    """Try the next message of a channel; None if there is none, or no use in trying."""
    with transaction.atomic():
        delivery = (
            Delivery.objects.queued()
            .filter(channel=channel, next_attempt_at__lte=at)
            .exclude(recipient__in=away)
            # What is for one recipient alone goes before what goes to all.
            .order_by("is_fan_out", "next_attempt_at", "pk")
            .select_related("message", "signing_key")
            .select_for_update(skip_locked=True, of=("self",))
            .first()
        )
        if delivery is None:
            return None
        try:
            sender.send(delivery)
        except Undelivered as fault:
            _put_off(delivery, fault, at=at)
            if isinstance(fault, PlaceAway):
                away.add(delivery.recipient)
            return None if isinstance(fault, ServerAway) else delivery
        except Exception as fault:  # noqa: BLE001 - one message must not hold up all behind it
            # By its kind alone: the words of a fault may name a chat's secret address.
            logger.error("delivery %s: %s", delivery.pk, type(fault).__qualname__)  # noqa: TRY400
            _put_off(delivery, Undelivered("A fault of Highwater's own; see its log."), at=at)
            return delivery
        delivery.attempts += 1
        delivery.state = DeliveryState.SENT
        delivery.sent_at = at
        delivery.save(update_fields=["attempts", "state", "sent_at"])
    return delivery


def _put_off(delivery: Delivery, fault: Undelivered, *, at: datetime) -> None:
    delivery.attempts += 1
    logger.warning("delivery %s: attempt %s failed", delivery.pk, delivery.attempts)
    delivery.last_error = str(fault)[:1000]
    if fault.is_final or delivery.attempts > len(_BACKOFF):
        delivery.state = DeliveryState.FAILED
        if delivery.token:
            came_back.send(sender=Delivery, token=delivery.token, reason=str(fault), at=at)
    else:
        wait = max(_BACKOFF[delivery.attempts - 1], fault.after or timedelta())
        delivery.next_attempt_at = at + wait
    delivery.save(update_fields=["attempts", "state", "next_attempt_at", "last_error"])
