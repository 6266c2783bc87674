"""The desk's page of notices: what is missing, the channels, the ledger, one's own address."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from incidents import operations
from incidents.models import Notice, NoticeChannel
from incidents.values import NoticeKind, Severity, Visibility
from notifications import outbox
from notifications.models import Delivery
from tests.factories import ResponderFactory
from tests.sinks import Chat, Sink, answering

pytestmark = pytest.mark.django_db

INVALID = 422
SECRET = "https://chat.example.org/hooks/secret-token-Xk3z"


def _url(name: str, *args: Any) -> str:
    return reverse(f"incidents:{name}", args=args)


def _fields(**fields: Any) -> dict[str, Any]:
    return {
        "name": "#incidents",
        "channel": "chat",
        "address": SECRET,
        "kinds": list(NoticeKind.values),
        "least_severity": "sev4",
        **fields,
    }


@pytest.fixture
def channel(desk: Client) -> NoticeChannel:
    desk.post(_url("notice-channel-add"), _fields())
    return NoticeChannel.objects.get()


def _declare(author: User | None = None, **fields: Any) -> None:
    named = {"title": "Tours do not open", "severity": Severity.SEV2}
    operations.declare_incident(**{**named, **fields}, at=timezone.now(), author=author)


class TestAccess:
    def test_whoever_is_not_signed_in_is_asked_to(self, client: Client) -> None:
        for name in ("notice-list", "notice-channel-add"):
            assert client.get(_url(name)).status_code == 302, name
        for name in ("notice-channel-edit", "notice-channel-try", "notice-channel-remove"):
            assert client.post(_url(name, 1)).status_code == 302, name

    def test_an_outsider_is_sent_away(self, client: Client) -> None:
        client.force_login(User.objects.create_user("outsider"))

        assert client.get(_url("notice-list")).status_code == 403

    def test_what_is_not_there_is_not_found(self, desk: Client) -> None:
        for name in ("notice-channel-edit", "notice-channel-try", "notice-channel-remove"):
            assert desk.post(_url(name, 404)).status_code == 404, name


class TestList:
    def test_an_empty_one_says_what_is_missing(self, desk: Client) -> None:
        page = desk.get(_url("notice-list")).content.decode()

        assert "No channel hears anything yet" in page
        assert "No mail server is set up" in page
        assert "Robin Responder" in page
        assert "Nothing so far" in page

    def test_a_mail_server_that_is_set_up_is_not_missed(self, desk: Client, sink: Sink) -> None:
        assert "No mail server" not in desk.get(_url("notice-list")).content.decode()

    def test_shows_no_secret(self, desk: Client, channel: NoticeChannel) -> None:
        _declare()
        pages = [
            desk.get(_url("notice-list")),
            desk.get(_url("notice-channel-edit", channel.pk)),
            desk.get(_url("notice-channel-remove", channel.pk)),
        ]

        for page in pages:
            assert page.status_code == 200
            assert "secret-token" not in page.content.decode()
        assert "chat.example.org/…Xk3z" in pages[0].content.decode()

    def test_says_what_no_channel_hears(self, desk: Client, channel: NoticeChannel) -> None:
        assert "No channel hears of this" not in desk.get(_url("notice-list")).content.decode()
        NoticeChannel.objects.update(kinds=["declared"])

        page = desk.get(_url("notice-list")).content.decode()

        assert "No channel hears of this" in page
        assert "Hears: an incident is declared" in page

    def test_the_ledger_says_what_became_of_each(
        self, desk: Client, chat: Chat, responder: User
    ) -> None:
        desk.post(_url("notice-channel-add"), _fields(address=chat.url()))
        chat.answer = answering(500, b"on fire")
        _declare()
        outbox.send_due(at=timezone.now())

        page = desk.get(_url("notice-list")).content.decode()
        assert "Incident declared: Tours do not open" in page
        assert "1 attempt: It failed (500: on fire). Next at" in page

        Delivery.objects.update(state="sent", sent_at=timezone.now(), attempts=2)
        assert "at attempt 2" in desk.get(_url("notice-list")).content.decode()

    def test_says_if_nobody_was_reached(self, desk: Client) -> None:
        _declare()

        assert "This reached nobody" in desk.get(_url("notice-list")).content.decode()

    def test_what_is_private_is_for_its_members(self, desk: Client, responder: User) -> None:
        other = ResponderFactory.create(username="other", email="other@example.org")
        _declare(other, visibility=Visibility.PRIVATE, title="A leak")
        assert Notice.objects.count() == 1

        assert "[INC-" not in desk.get(_url("notice-list")).content.decode()
        Notice.objects.get().incident.members.add(responder)
        assert "[INC-" in desk.get(_url("notice-list")).content.decode()

    def test_asks_the_database_the_same_for_one_or_ten(
        self, desk: Client, channel: NoticeChannel
    ) -> None:
        def count() -> int:
            with CaptureQueriesContext(
                connection,
            ) as queries:
                desk.get(_url("notice-list"))
            return len(queries)

        _declare()
        desk.get(_url("notice-list"))
        first = count()
        for number in range(9):
            _declare()
            desk.post(_url("notice-channel-add"), _fields(name=f"#{number}"))
        desk.get(_url("notice-list"))

        assert count() == first


class TestChannel:
    def test_is_added_edited_and_removed(self, desk: Client, channel: NoticeChannel) -> None:
        assert channel.address == SECRET

        changed = _fields(name="#night", kinds=["declared"], least_severity="sev2", address="")
        answer = desk.post(_url("notice-channel-edit", channel.pk), changed)
        assert answer.status_code == 302
        channel.refresh_from_db()
        assert (channel.name, channel.address, channel.is_enabled) == ("#night", SECRET, False)

        assert (
            "Remove #night?" in desk.get(_url("notice-channel-remove", channel.pk)).content.decode()
        )
        desk.post(_url("notice-channel-remove", channel.pk))
        assert not NoticeChannel.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"name": ""}, "This field is required"),
            ({"kinds": []}, "Choose at least one."),
            ({"channel": "pigeon"}, "Select a valid choice"),
            ({"address": ""}, "This field is required"),
            ({"address": "chat.example.org"}, "it has to begin with https://"),
            ({"address": "https://10.1.2.3/hook"}, "not the world outside"),
            ({"channel": "email", "address": "chat.example.org"}, "This is no email address"),
            ({"channel": "email", "address": "a@b.org\nBcc: c@d.org"}, "This is no email address"),
        ],
    )
    def test_says_what_is_wrong(self, desk: Client, fields: dict[str, Any], said: str) -> None:
        answer = desk.post(_url("notice-channel-add"), _fields(**fields))

        assert answer.status_code == INVALID
        assert said in answer.content.decode()
        assert not NoticeChannel.objects.exists()

    def test_a_name_that_is_taken_is_said(self, desk: Client, channel: NoticeChannel) -> None:
        answer = desk.post(_url("notice-channel-add"), _fields())

        assert answer.status_code == INVALID
        assert "Another channel has this name" in answer.content.decode()

    def test_a_mailbox_shows_its_address(self, desk: Client) -> None:
        desk.post(
            _url("notice-channel-add"), _fields(channel="email", address="oncall@example.org")
        )
        row = NoticeChannel.objects.get()

        assert (
            'value="oncall@example.org"'
            in desk.get(_url("notice-channel-edit", row.pk)).content.decode()
        )


class TestTry:
    def test_a_test_message_arrives(self, desk: Client, chat: Chat) -> None:
        desk.post(_url("notice-channel-add"), _fields(address=chat.url()))
        row = NoticeChannel.objects.get()

        answer = desk.post(_url("notice-channel-try", row.pk), follow=True)

        assert "has taken the test message" in answer.content.decode()
        assert b"Robin Responder tries out the channel" in chat.posts[0].body
        assert not Delivery.objects.exists()

    def test_mail_arrives_too(self, desk: Client, sink: Sink) -> None:
        desk.post(
            _url("notice-channel-add"), _fields(channel="email", address="oncall@example.org")
        )

        desk.post(_url("notice-channel-try", NoticeChannel.objects.get().pk))

        assert "A test from Highwater" in sink.kept[0]

    def test_what_went_wrong_is_said(self, desk: Client, chat: Chat) -> None:
        chat.answer = answering(404, b"no_service")
        desk.post(_url("notice-channel-add"), _fields(address=chat.url()))
        row = NoticeChannel.objects.get()

        answer = desk.post(_url("notice-channel-try", row.pk), follow=True)

        page = answer.content.decode()
        assert "did not get the test message. It refuses the message (404: no_service)." in page
        assert "secret-token" not in page

    def test_an_address_inside_is_refused(
        self, desk: Client, chat: Chat, settings: Settings
    ) -> None:
        desk.post(_url("notice-channel-add"), _fields(address=chat.url()))
        settings.OUTGOING_NETWORKS = []

        answer = desk.post(_url("notice-channel-try", NoticeChannel.objects.get().pk), follow=True)

        assert "not the world outside" in answer.content.decode()
        assert chat.posts == []


class TestMyAddress:
    def test_is_kept(self, desk: Client, responder: User) -> None:
        desk.post(_url("notice-address"), {"email": "robin@example.org"})

        responder.refresh_from_db()
        assert responder.email == "robin@example.org"
        page = desk.get(_url("notice-list")).content.decode()
        assert "Everybody at the desk has an email address" in page

    def test_nonsense_is_not(self, desk: Client, responder: User) -> None:
        answer = desk.post(_url("notice-address"), {"email": "robin"})

        assert answer.status_code == INVALID
        responder.refresh_from_db()
        assert responder.email == ""
