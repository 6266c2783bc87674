"""The page of notices in a real browser: a channel is added by keyboard, and all of it is read."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from incidents import operations
from incidents.models import NoticeChannel
from incidents.values import NoticeKind, Severity
from notifications import outbox
from notifications.models import Channel
from tests.browser.axe import violations
from tests.factories import ResponderFactory
from tests.sinks import Chat, answering

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(page: Page, live_server: LiveServer, client: Client) -> Page:
    """Sign a responder in."""
    client.force_login(ResponderFactory.create(email="robin@example.org"))
    cookie = client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
    page.goto(live_server.url + reverse("incidents:notice-list"))
    return page


def test_a_channel_is_added_and_tried_by_keyboard(desk: Page, chat: Chat) -> None:
    desk.get_by_role("link", name="Add channel").first.press("Enter")
    desk.get_by_label("Name").fill("#incidents")
    desk.get_by_label("Address").fill(chat.url())
    desk.get_by_label("Address").press("Enter")
    expect(desk.get_by_text("hears from now on")).to_be_visible()

    desk.get_by_role("button", name="Send a test message").press("Enter")
    expect(desk.get_by_text("has taken the test message")).to_be_visible()

    assert len(chat.posts) == 1


@pytest.mark.parametrize(
    ("width", "colours"), [(320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
)
def test_can_be_read_by_everybody_at_every_width(
    desk: Page, chat: Chat, width: int, colours: str
) -> None:
    now, empty = timezone.now(), desk.url
    desk.set_viewport_size({"width": width, "height": 800})
    desk.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    assert violations(desk) == []

    ResponderFactory.create(username="mute", first_name="Mo", last_name="Mute")
    operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=now, author=None
    )
    _fill(chat)
    operations.declare_incident(
        title="An incident whose title is as long as a title may be, and which says a lot",
        severity=Severity.SEV1,
        at=now,
        author=None,
    )
    outbox.send_due(at=now)
    row = NoticeChannel.objects.order_by("pk").first()
    assert row is not None
    others = [
        reverse("incidents:notice-channel-add"),
        reverse("incidents:notice-channel-edit", args=[row.pk]),
        reverse("incidents:notice-channel-remove", args=[row.pk]),
    ]
    for address in (empty, *(empty.replace(reverse("incidents:notice-list"), at) for at in others)):
        desk.goto(address)
        assert violations(desk) == []
        assert desk.evaluate("document.documentElement.scrollWidth") <= width


def _fill(chat: Chat) -> None:
    """Add a room that fails, and a mailbox that hears little."""
    chat.answer = answering(503, b"come back later, when the servers have been mended")
    for name, channel, address, kinds in (
        ("#incidents", Channel.CHAT, chat.url(), list(NoticeKind)),
        ("On-call", Channel.EMAIL, "the-phone-of-whoever-is-on-call@example.org", [
            NoticeKind.DECLARED, NoticeKind.ROLE_EMPTY]),
    ):  # fmt: skip
        operations.add_notice_channel(
            name=name,
            channel=channel,
            address=address,
            kinds=kinds,
            least_severity=Severity.SEV2,
            at=timezone.now(),
            author=None,
        )
