"""The desk in a real browser: the journey of a commander, live parts, keys, small screens."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from incidents import operations
from incidents.models import Incident, ProgressReport
from incidents.values import Severity
from statuspage.subscribing import Wish, add_subscriber
from tests.browser.axe import violations
from tests.factories import (
    ComponentFactory,
    ProgressReportFactory,
    TimelineEntryFactory,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Milliseconds: longer than the slowest part waits before it renews itself.
PATIENCE = 20_000


@pytest.fixture
def incident() -> Incident:
    return operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=None,
        body="We are looking into it.",
    )  # fmt: skip


def _open(page: Page, server: LiveServer, incident: Incident) -> None:
    page.goto(server.url + incident.get_absolute_url())


def test_a_commander_leads_an_incident(desk: Page) -> None:
    ComponentFactory.create()

    # Declared, with a component that suffers and a word to customers.
    desk.get_by_role("link", name="Declare incident").first.click()
    desk.get_by_label("What is wrong").fill("Tours do not open")
    desk.get_by_label("Severity").select_option("sev1")
    desk.get_by_label("Tours").select_option("major_outage")
    desk.get_by_label("First message to customers").fill("Tours do not open. We are on it.")
    desk.get_by_role("button", name="Declare incident").click()
    expect(desk.get_by_role("heading", name="Tours do not open")).to_be_visible()

    # Written down: the line says how it is read before it is sent.
    desk.keyboard.press("n")
    line = desk.get_by_label("New entry")
    expect(line).to_be_focused()
    line.press_sequentially("-15m restarted the proxy #attempt !faild")
    expect(desk.locator("#entry-reading")).to_contain_text("!faild is not known")
    line.fill("-15m restarted the proxy #attempt !failed")
    expect(desk.locator("#entry-reading")).to_contain_text("#attempt")
    line.press("Enter")
    entry = desk.locator(".entry", has_text="restarted the proxy")
    expect(entry.get_by_text("Failed")).to_be_visible()

    # Deleted by mistake, and brought back.
    entry.get_by_role("button", name="Delete").click()
    desk.locator("#entry-undo").get_by_role("button", name="Undo").click()
    expect(desk.locator(".entry", has_text="restarted the proxy")).to_be_visible()

    # Told, once it was looked at.
    desk.get_by_label("Phase").select_option("identified")
    desk.get_by_label("Message to customers").fill("It is the **database**.")
    desk.get_by_text("Estimate when it is back").click()
    desk.get_by_label("Back from").fill("2099-01-01T10:00")
    desk.get_by_role("button", name="Preview").click()
    expect(desk.locator("#preview strong", has_text="database")).to_be_visible()
    expect(desk.get_by_label("Back from")).to_have_value("2099-01-01T10:00")
    desk.get_by_role("button", name="Post update").click()
    expect(desk.get_by_text("The update is on the status page.")).to_be_visible()
    expect(desk.locator(".promise", has_text="ETA")).to_be_visible()

    # Ended.
    desk.get_by_role("link", name="Resolve…").click()
    desk.get_by_label("Message to customers").fill("All is back. Nothing was lost.")
    desk.get_by_role("button", name=re.compile("Resolve")).click()
    expect(desk.locator(".head .pill", has_text="Resolved")).to_be_visible()
    expect(desk.locator(".settled")).to_contain_text("Met")


def test_progress_renews_itself_and_typing_is_not_lost(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    report = ProgressReportFactory.create(incident=incident, heartbeat_at=timezone.now())
    _open(desk, live_server, incident)
    expect(desk.locator("#progress progress")).to_have_attribute("value", "50")
    message = desk.get_by_label("Message to customers")
    message.fill("Half of it is")

    ProgressReport.objects.filter(pk=report.pk).update(done=75, heartbeat_at=timezone.now())

    expect(desk.locator("#progress progress")).to_have_attribute("value", "75", timeout=PATIENCE)
    expect(message).to_have_value("Half of it is")
    expect(message).to_be_focused()


def test_an_entry_of_somebody_else_appears(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(desk, live_server, incident)
    timeline = desk.locator("#timeline")
    expect(timeline).to_contain_text("The incident began.")

    TimelineEntryFactory.create(
        incident=incident, text="The vendor called back", recorded_at=timezone.now()
    )

    expect(timeline).to_contain_text("The vendor called back", timeout=PATIENCE)


def test_the_keys_are_explained(desk: Page) -> None:
    desk.keyboard.press("?")
    expect(desk.get_by_role("dialog")).to_contain_text("New entry on the timeline")
    desk.get_by_role("button", name="Close").click()
    expect(desk.get_by_role("dialog")).to_be_hidden()


def _rooms(incident: Incident) -> list[str]:
    """Return the rooms of the desk, with something in them."""
    ComponentFactory.create()
    ProgressReportFactory.create(incident=incident, heartbeat_at=timezone.now())
    operations.add_action_item(
        incident_id=incident.pk, text="Write it down", at=timezone.now(), author=None
    )
    return [
        incident.get_absolute_url(),
        reverse("incidents:incident-list"),
        reverse("incidents:incident-list") + "?q=tours&severity=sev2&since=2026-01-01",
        reverse("incidents:search"),
        reverse("incidents:search") + "?q=tours",
        reverse("incidents:search") + "?q=-tours",
        reverse("incidents:incident-declare"),
        reverse("incidents:incident-resolve", args=[incident.pk]),
        reverse("incidents:action-list"),
        reverse("incidents:postmortem-review"),
        reverse("incidents:template-list"),
        reverse("incidents:template-edit", args=["restore_finished"]),
        reverse("backups:database-list"),
        reverse("backups:restore-list"),
        reverse("backups:restore-request"),
    ]


def test_no_page_is_wider_than_a_phone(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    desk.set_viewport_size({"width": 390, "height": 844})

    for address in _rooms(incident):
        desk.goto(live_server.url + address)
        assert desk.evaluate("document.documentElement.scrollWidth") == 390, address


def test_axe_finds_nothing(desk: Page, live_server: LiveServer, incident: Incident) -> None:
    follower = add_subscriber(wish=Wish(email="ada@example.org"), at=timezone.now())
    addresses = [
        *_rooms(incident),
        reverse("statuspage:page-list"),
        reverse("statuspage:page-settings", args=["main"]),
        reverse("statuspage:subscriber-list", args=["main"]),
        reverse("statuspage:target-list", args=["main"]),
        reverse("incidents:component-list"),
        reverse("statuspage:unsubscribe", args=[follower.token]),
    ]
    faults: list[str] = []
    for address in addresses:
        desk.goto(live_server.url + address)
        for width, scheme in ((390, "dark"), (1280, "light")):
            desk.set_viewport_size({"width": width, "height": 900})
            desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            faults += [f"{address} {width} {scheme}: {fault}" for fault in violations(desk)]

    assert faults == []


def test_a_responder_moves_a_component_by_keyboard(desk: Page, live_server: LiveServer) -> None:
    for name in ("Tours", "Uploads", "Login"):
        operations.add_component(name=name, at=timezone.now())
    desk.goto(live_server.url + reverse("incidents:component-list"))

    desk.get_by_role("button", name="Move Login up").focus()
    for _time in range(2):
        # The button keeps the focus, so that one key moves it as far as it shall go.
        with desk.expect_navigation():
            desk.keyboard.press("Enter")

    expect(desk.get_by_role("button", name="Move Login up")).to_be_focused()
    names = desk.locator(".rows__main strong").all_inner_texts()
    assert names == ["Login", "Tours", "Uploads"]
