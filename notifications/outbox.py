"""The transactional outbox: queue with the change, send after it, forget nothing."""

import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from notifications.models import Channel, Delivery, DeliveryState

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


def enqueue(
    *,
    channel: Channel,
    recipient: str,
    subject: str,
    body: str,
    idempotency_key: str,
    at: datetime,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Queue one message, in the caller's transaction. The same key again changes nothing."""
    Delivery.objects.bulk_create(
        [
            Delivery(
                channel=channel,
                recipient=recipient,
                subject=" ".join(subject.split())[:200],
                body=body,
                headers=dict(headers or {}),
                idempotency_key=idempotency_key,
                next_attempt_at=at,
                created_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def send_due(*, at: datetime) -> int:
    """Send what is due, one transaction a message, over one connection. Return how many went out.

    Several workers may run this at once: each message is in the hands of one of them. A message
    goes out twice only if a worker dies between the mail server's answer and the commit. A mail
    server that does not answer is asked once; the rest waits for the next call.
    """
    connection = get_connection()
    sent = 0
    try:
        while True:
            with transaction.atomic():
                delivery = (
                    Delivery.objects.queued()
                    .filter(next_attempt_at__lte=at)
                    .order_by("next_attempt_at", "pk")
                    .select_for_update(skip_locked=True)
                    .first()
                )
                if delivery is None:
                    return sent
                try:
                    connection.open()
                except (smtplib.SMTPException, OSError) as fault:
                    _put_off(delivery, fault, at=at)
                    return sent
                sent += _send(delivery, connection, at=at)
    finally:
        connection.close()


def _send(delivery: Delivery, connection: BaseEmailBackend, *, at: datetime) -> bool:
    message = EmailMessage(
        subject=delivery.subject,
        body=delivery.body,
        to=[delivery.recipient],
        headers={"Auto-Submitted": "auto-generated"} | delivery.headers,
        connection=connection,
    )
    try:
        message.send()
    except (smtplib.SMTPException, OSError, ValueError) as fault:
        # ValueError: Django refuses headers that would forge others.
        _put_off(delivery, fault, at=at)
        return False
    delivery.attempts += 1
    delivery.state = DeliveryState.SENT
    delivery.sent_at = at
    delivery.save(update_fields=["attempts", "state", "sent_at"])
    return True


def _put_off(delivery: Delivery, fault: Exception, *, at: datetime) -> None:
    delivery.attempts += 1
    logger.warning("delivery %s: attempt %s failed", delivery.pk, delivery.attempts)
    delivery.last_error = str(fault)[:1000]
    if delivery.attempts > len(_BACKOFF):
        delivery.state = DeliveryState.FAILED
    else:
        delivery.next_attempt_at = at + _BACKOFF[delivery.attempts - 1]
    delivery.save(update_fields=["attempts", "state", "next_attempt_at", "last_error"])
