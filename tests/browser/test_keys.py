"""The desk's keys in a real browser: what the list of keys says is what they do."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from incidents import operations
from incidents.models import Incident
from incidents.values import Severity
from tests.factories import ResponderFactory, TimelineEntryFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"


@pytest.fixture
def desk(page: Page, live_server: LiveServer) -> Page:
    responder = ResponderFactory.create()
    responder.set_password(PASSWORD)
    responder.save()
    page.goto(f"{live_server.url}/desk/")
    page.get_by_label("Username").fill(responder.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Incidents", exact=True)).to_be_visible()
    return page


@pytest.fixture
def incidents() -> list[Incident]:
    return [
        operations.declare_incident(
            title=title, severity=Severity.SEV2, at=timezone.now(), author=None, body="We look."
        )
        for title in ("Tours do not open", "Uploads are slow")
    ]


def test_every_key_of_the_list_does_what_it_says(
    desk: Page, live_server: LiveServer, incidents: list[Incident]
) -> None:
    home = live_server.url + incidents[0].get_absolute_url()
    desk.goto(home)
    rows = desk.locator("#keys [data-press]")
    presses = [str(row.get_attribute("data-press")) for row in rows.all()]
    rooms = {
        press: rows.nth(number).locator("a").get_attribute("href")
        for number, press in enumerate(presses)
        if press.startswith("g ")
    }

    for press, address in rooms.items():
        for key in press.split():
            desk.keyboard.press(key)
        desk.wait_for_url(f"{live_server.url}{address}")
    desk.goto(home)
    for key, field in (("/", "#bar-search"), ("n", "#entry_line"), ("u", "#update_body")):
        desk.keyboard.press(key)
        expect(desk.locator(field)).to_be_focused()
        desk.keyboard.press("Escape")
        expect(desk.locator(field)).not_to_be_focused()
    desk.keyboard.press("h")
    desk.wait_for_url("**/handover/")
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_be_visible()
    # All that there are, and nothing besides.
    assert set(presses) == {*rooms, "/", "n", "u", "h", "?", "j", "k", "e", "s"}


def test_rows_and_entries_are_walked_and_opened(
    desk: Page, live_server: LiveServer, incidents: list[Incident]
) -> None:
    desk.goto(f"{live_server.url}/desk/")
    titles = desk.locator(".rows__title")
    for key, number in (("j", 0), ("j", 1), ("j", 1), ("k", 0)):
        desk.keyboard.press(key)
        expect(titles.nth(number)).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", name="Uploads are slow")).to_be_visible()

    now = timezone.now()
    entry = TimelineEntryFactory.create(incident=incidents[1], at=now, recorded_at=now)
    desk.reload()
    desk.keyboard.press("j")
    expect(desk.locator(".entry").first).to_be_focused()
    desk.locator(f"#e{entry.pk}").focus()
    desk.keyboard.press("e")
    desk.wait_for_url(f"**/entries/{entry.pk}/edit/")


def test_keys_are_letters_while_somebody_types(desk: Page, live_server: LiveServer) -> None:
    desk.keyboard.press("/")
    desk.keyboard.type("gi ?jkn/")

    expect(desk.locator("#bar-search")).to_have_value("gi ?jkn/")
    expect(desk.get_by_role("dialog")).to_be_hidden()
    desk.keyboard.press("Enter")
    desk.wait_for_url(re.compile(r"/desk/search/\?q=gi"))


def test_keys_can_be_turned_off(desk: Page, live_server: LiveServer) -> None:
    desk.get_by_role("button", name="Keys").click()
    desk.get_by_label("Keys are on").uncheck()
    desk.get_by_role("button", name="Close").click()
    desk.reload()

    desk.keyboard.press("?")

    expect(desk.get_by_role("dialog")).to_be_hidden()
    desk.get_by_role("button", name="Keys").click()
    desk.get_by_label("Keys are on").check()
    desk.get_by_role("button", name="Close").click()
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_be_visible()


def test_the_room_is_in_sight_on_a_phone(desk: Page, live_server: LiveServer) -> None:
    desk.set_viewport_size({"width": 390, "height": 800})
    for address in ("/desk/", "/desk/components/", "/desk/search/?q=tours"):
        desk.goto(live_server.url + address)
        # Nothing hangs over the edge.
        assert desk.evaluate("document.documentElement.scrollWidth") <= 390
    desk.goto(f"{live_server.url}/desk/components/")
    box = desk.locator(".bar__nav [aria-current]").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
