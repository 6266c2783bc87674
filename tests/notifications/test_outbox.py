"""The outbox sends each message once, and forgets none."""

import socket
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.core import mail
from pytest_django import Settings

from notifications import outbox
from notifications.models import Channel, Delivery, DeliveryState
from tests.factories import HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db


class Sink(Message):
    """A real SMTP server that keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self.refusing = False

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd calls
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refusing:
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def handle_message(self, message: object) -> None:
        self.kept.append(str(message))


@pytest.fixture
def sink(settings: Settings) -> Iterator[Sink]:
    handler = Sink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = port
    yield handler
    controller.stop()


def _enqueue(key: str = "update-1:anna") -> None:
    outbox.enqueue(
        channel=Channel.EMAIL,
        recipient="anna@example.org",
        subject="Tours do not open",
        body="We are looking into it.",
        idempotency_key=key,
        at=NOON,
        headers={"List-Unsubscribe": "<https://status.example.org/u/1>"},
    )


def test_the_same_key_is_queued_once() -> None:
    _enqueue()
    _enqueue()

    assert Delivery.objects.count() == 1


def test_what_is_due_reaches_a_real_mail_server_once(sink: Sink) -> None:
    _enqueue()

    assert outbox.send_due(at=NOON) == 1
    assert outbox.send_due(at=NOON + HOUR) == 0

    assert len(sink.kept) == 1
    assert "List-Unsubscribe" in sink.kept[0]
    assert Delivery.objects.get().state == DeliveryState.SENT


def test_a_refused_message_is_tried_again_later(sink: Sink) -> None:
    _enqueue()
    sink.refusing = True
    assert outbox.send_due(at=NOON) == 0

    sink.refusing = False
    assert outbox.send_due(at=NOON) == 0
    assert outbox.send_due(at=NOON + MINUTE) == 1
    assert Delivery.objects.get().attempts == 2


def test_a_mail_server_that_is_away_loses_nothing(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    _enqueue()

    assert outbox.send_due(at=NOON) == 0

    delivery = Delivery.objects.get()
    assert delivery.state == DeliveryState.QUEUED
    assert delivery.next_attempt_at > NOON
    assert delivery.last_error


def test_gives_up_after_the_last_attempt(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_PORT = 1
    _enqueue()
    for hours in range(20):
        outbox.send_due(at=NOON + 24 * hours * HOUR)

    assert Delivery.objects.get().state == DeliveryState.FAILED
    assert mail.outbox == []


def test_a_message_that_cannot_be_sent_holds_up_no_other(sink: Sink) -> None:
    _enqueue("update-1:bad")
    Delivery.objects.update(subject="Tours\nBcc: everybody@example.org")
    _enqueue("update-1:good")

    assert outbox.send_due(at=NOON) == 1

    bad = Delivery.objects.get(idempotency_key="update-1:bad")
    assert (bad.state, bad.attempts) == (DeliveryState.QUEUED, 1)
    assert outbox.send_due(at=NOON) == 0
    assert len(sink.kept) == 1
