"""The outbox sends each message once, and forgets none."""

import logging
import threading
import time

import pytest
from django.core import mail
from django.db import connection
from kombu import Connection
from kombu.exceptions import OperationalError
from pytest_django import Settings

from notifications import outbox, sending
from notifications.chat import ChatSender
from notifications.models import Channel, Delivery, DeliveryState, Message
from notifications.tasks import send_due
from tests.factories import HOUR, MINUTE, NOON
from tests.sinks import Chat, Door, Sink, answer, answering

pytestmark = pytest.mark.django_db


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
    Message.objects.update(subject="Tours\nBcc: everybody@example.org")
    _enqueue("update-1:good")

    assert outbox.send_due(at=NOON) == 1

    bad = Delivery.objects.get(idempotency_key="update-1:bad")
    assert (bad.state, bad.attempts) == (DeliveryState.QUEUED, 1)
    assert outbox.send_due(at=NOON) == 0
    assert len(sink.kept) == 1


def _enqueue_chat(key: str, url: str) -> None:
    outbox.enqueue(
        channel=Channel.CHAT,
        recipient=url,
        subject="Tours do not open",
        body="We are looking into it.",
        idempotency_key=key,
        at=NOON,
        about="notice-1",
    )


class TestChannels:
    def test_each_goes_its_own_way(self, sink: Sink, chat: Chat) -> None:
        _enqueue()
        _enqueue_chat("notice-1-to-channel-1", chat.url())

        assert outbox.send_due(at=NOON, channels=[Channel.EMAIL]) == 1
        assert (len(sink.kept), chat.posts) == (1, [])
        assert outbox.send_due(at=NOON, channels=[Channel.CHAT]) == 1
        assert (len(sink.kept), len(chat.posts)) == (1, 1)

    def test_a_dead_chat_holds_up_neither_mail_nor_another_chat(
        self, sink: Sink, chat: Chat
    ) -> None:
        _enqueue_chat("a", "http://127.0.0.9:9999/hook/of-a-dead-server")
        _enqueue_chat("b", chat.url())
        _enqueue()

        assert outbox.send_due(at=NOON) == 2

        assert (len(sink.kept), len(chat.posts)) == (1, 1)
        dead = Delivery.objects.get(idempotency_key="a")
        assert (dead.state, dead.attempts) == (DeliveryState.QUEUED, 1)
        assert dead.last_error == "Nothing answers there."

    def test_a_dead_mail_server_holds_up_no_chat(self, settings: Settings, chat: Chat) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = 1
        _enqueue()
        _enqueue_chat("b", chat.url())

        assert outbox.send_due(at=NOON) == 1
        assert len(chat.posts) == 1

    def test_a_chat_that_fails_is_asked_once_a_call(self, chat: Chat) -> None:
        chat.answer = answering(500)
        for number in range(3):
            _enqueue_chat(f"{number}", chat.url())

        assert outbox.send_due(at=NOON) == 0

        assert len(chat.posts) == 1
        assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, 1]

    def test_a_chat_that_asks_for_patience_is_left_alone_so_long(self, chat: Chat) -> None:
        chat.answer = answering(429, Retry_After="120")
        _enqueue_chat("a", chat.url())
        assert outbox.send_due(at=NOON) == 0

        chat.answer = answering(200)
        assert outbox.send_due(at=NOON + MINUTE) == 0
        assert outbox.send_due(at=NOON + 2 * MINUTE) == 1

    @pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
    def test_what_is_refused_for_good_is_not_tried_again(self, chat: Chat, status: int) -> None:
        chat.answer = answering(status, b"no_service", Location="http://127.0.0.1/")
        _enqueue_chat("a", chat.url())
        _enqueue_chat("b", chat.url())

        assert outbox.send_due(at=NOON) == 0
        assert outbox.send_due(at=NOON + 24 * HOUR) == 0

        assert len(chat.posts) == 2
        assert {row.state for row in Delivery.objects.all()} == {DeliveryState.FAILED}

    def test_a_fault_of_ours_holds_up_no_other_message(
        self, chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(ChatSender):
            def send(self, delivery: Delivery) -> None:
                if delivery.idempotency_key == "first":
                    raise RuntimeError(delivery.recipient)
                super().send(delivery)

        monkeypatch.setitem(sending._SENDERS, Channel.CHAT, Broken)
        _enqueue_chat("first", chat.url())
        _enqueue_chat("second", chat.url())

        assert outbox.send_due(at=NOON) == 1

        first = Delivery.objects.get(idempotency_key="first")
        assert (first.state, first.attempts) == (DeliveryState.QUEUED, 1)
        assert "RuntimeError" in caplog.text
        assert chat.url() not in caplog.text

    def test_the_task_sends_one_channel(self, chat: Chat) -> None:
        _enqueue_chat("a", chat.url())

        send_due("email")
        assert chat.posts == []
        send_due("chat")
        assert len(chat.posts) == 1

    def test_a_broker_that_is_away_loses_nothing(self, chat: Chat) -> None:
        _enqueue_chat("a", chat.url())
        away = Connection("redis://127.0.0.1:1/0", transport_options={"max_retries": 0})

        with away, pytest.raises(OperationalError):
            send_due.apply_async(("chat",), connection=away, retry=False)  # type: ignore[call-arg]

        assert Delivery.objects.get().state == DeliveryState.QUEUED
        send_due("chat")
        assert len(chat.posts) == 1

    def test_a_secret_address_is_written_nowhere(
        self, chat: Chat, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        chat.answer = lambda door: answering(404, door.path.encode())(door)
        _enqueue_chat("a", chat.url("/services/T1/B2/secret-token-Xk3z"))
        outbox.send_due(at=NOON)

        delivery = Delivery.objects.get()
        assert delivery.last_error.startswith("It refuses the message (404")
        for words in (delivery.last_error, str(delivery), delivery.shown_recipient, caplog.text):
            assert "secret-token" not in words
        assert delivery.shown_recipient == f"127.0.0.1:{chat.port}/…Xk3z"


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_it_once(chat: Chat) -> None:
    def answer_slowly(door: Door) -> None:
        time.sleep(0.3)
        answer(door, 200, b"ok")

    chat.answer = answer_slowly
    for key in "abc":
        _enqueue_chat(key, chat.url())
    sent: list[int] = []
    start = threading.Barrier(3)

    def work() -> None:
        start.wait(timeout=10)
        try:
            sent.append(outbox.send_due(at=NOON))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sum(sent) == len(chat.posts) == 3
