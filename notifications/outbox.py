"""The transactional outbox: queue with the change, send after it, forget nothing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from notifications.models import Channel, Delivery, DeliveryState, Message
from notifications.sending import send_due as send_due
from notifications.sending import try_out as try_out
from notifications.tokens import TOKEN as TOKEN
from notifications.tokens import refuse_odd

_LONGEST_SUBJECT = 200
# One statement for many recipients; those whose key exists are passed over.
_QUEUE = """
    INSERT INTO notifications_delivery (
        message_id, channel, recipient, token, signing_key_id, idempotency_key,
        is_fan_out, state, attempts, next_attempt_at, last_error, created_at
    )
    SELECT %s, of.channel, of.recipient, of.token, of.signing_key, of.key,
        %s, 'queued', 0, %s, '', %s
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
        AS of (channel, recipient, token, signing_key, key)
    ON CONFLICT (idempotency_key) DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One to whom a message goes, and the key under which it goes once."""

    channel: Channel
    address: str
    idempotency_key: str
    # Letters, digits, dashes and low lines, 64 at most.
    token: str = ""
    signing_key_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCounts:
    """What became of messages."""

    queued: int = 0
    sent: int = 0
    failed: int = 0
    suppressed: int = 0


def enqueue(
    *,
    channel: Channel,
    recipient: str,
    subject: str,
    body: str,
    idempotency_key: str,
    at: datetime,
    headers: Mapping[str, str] | None = None,
    about: str = "",
    signing_key_id: int | None = None,
) -> None:
    """Queue one message, in the caller's transaction. The same key again changes nothing.

    ``about`` is what it tells of, by a name of the caller's: the ledger is read by it. A signed
    webhook's ``headers`` hold its ``type``.
    """
    if Delivery.objects.filter(idempotency_key=idempotency_key).exists():
        return
    to = Recipient(
        channel=channel,
        address=recipient,
        signing_key_id=signing_key_id,
        idempotency_key=idempotency_key,
    )
    with transaction.atomic():
        message = write_message(subject=subject, body=body, headers=headers, about=about, at=at)
        if not _queue(message, [to], is_fan_out=False, at=at):
            # Somebody else was quicker.
            message.delete()


def write_message(
    *,
    subject: str,
    body: str,
    at: datetime,
    headers: Mapping[str, str] | None = None,
    about: str = "",
) -> Message:
    """Write down what is said, for ``fan_out``. Where `TOKEN` stands in it each gets its own.

    Of a mail's ``headers`` those that hold `TOKEN` are of plain ASCII.
    """
    return Message.objects.create(
        subject=" ".join(subject.split())[:_LONGEST_SUBJECT],
        body=body,
        headers=dict(headers or {}),
        about=about,
        created_at=at,
    )


def fan_out(message: Message, recipients: Sequence[Recipient], *, at: datetime) -> int:
    """Queue one message to many, in the caller's transaction. Return how many are new.

    Whoever's key exists is passed over. What is for one recipient alone goes out before these.
    """
    return _queue(message, recipients, is_fan_out=True, at=at)


def _queue(
    message: Message, recipients: Sequence[Recipient], *, is_fan_out: bool, at: datetime
) -> int:
    for one in recipients:
        refuse_odd(one.token)
    if not recipients:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _QUEUE,
            [
                message.pk,
                is_fan_out,
                at,
                at,
                [str(one.channel) for one in recipients],
                [one.address for one in recipients],
                [one.token for one in recipients],
                [one.signing_key_id for one in recipients],
                [one.idempotency_key for one in recipients],
            ],
        )
        return int(cursor.rowcount)


def suppress(tokens: Collection[str]) -> int:
    """Keep back what is queued for these, in the caller's transaction. Return how many.

    What a sender has in its hands already goes out: some hundred messages, or a few seconds.
    """
    return (
        Delivery.objects.queued()
        .filter(token__in=[token for token in tokens if token])
        .update(state=DeliveryState.SUPPRESSED)
    )
