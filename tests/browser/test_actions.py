"""The board and the list of action items: on a phone, for all who read, and by keys alone."""

import re
from datetime import datetime

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import ActionItem, Incident, SeverityRule
from incidents.values import ActionState, CauseKind, Priority, Severity, When
from tests.browser.axe import violations
from tests.factories import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def action(desk: Page) -> ActionItem:
    author = User.objects.get()
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV2, at=timezone.now(), author=author
    )
    SeverityRule.objects.create(severity=Severity.SEV2, action_days=3)
    cause = operations.record_root_cause(
        incident_id=incident.pk,
        kind=CauseKind.RISK,
        text="Averylongword" * 12,
        at=NOON,
        author=None,
    )
    operations.write_vendor_case(
        cause_id=cause.pk, provider="Nimbus", reference="C-17" * 20, at=NOON, author=None,
        promised=When(at=datetime.fromisoformat("2026-01-01T00:00Z"), precision="month"),
    )  # fmt: skip
    operations.save_action_view(
        owner=author, name="What is late", query="overdue=on", is_shared=True, at=NOON
    )
    for state in ActionState:
        operations.add_action_item(
            incident_id=incident.pk, text=f"Deed {state} " + "unbroken" * 10, at=NOON,
            author=None, state=state, state_reason="It waits for Nimbus", priority=Priority.HIGH,
            done=When(at=NOON, precision="day") if state == ActionState.DONE else None,
            addresses=[cause.pk], is_public=True, proof="https://ci.example.org/" + "run" * 30,
        )  # fmt: skip
    return ActionItem.objects.get(state=ActionState.PROPOSED)


def _pages(action: ActionItem) -> list[str]:
    incident: Incident = action.incident
    board = reverse("incidents:action-board")
    return [
        board,
        f"{board}?q=deed&severity=sev2&moved={action.pk}",
        reverse("incidents:action-list") + "?state=any",
        reverse("incidents:action-closing"),
        reverse("incidents:action-move", args=[action.pk]) + "?state=done",
        reverse("incidents:action-edit", args=[action.pk]),
        reverse("incidents:cause-edit", args=[incident.causes.get().pk]),
        reverse("incidents:cause-case", args=[incident.causes.get().pk]),
        reverse("incidents:rules"),
        incident.get_absolute_url(),
    ]


def test_every_page_fits_a_phone_and_axe_finds_nothing(
    desk: Page, live_server: LiveServer, action: ActionItem
) -> None:
    faults: list[str] = []
    for address in _pages(action):
        desk.goto(live_server.url + address)
        for width, scheme in ((390, "dark"), (1280, "light")):
            desk.set_viewport_size({"width": width, "height": 900})
            desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert desk.evaluate("document.documentElement.scrollWidth") == width, address
            faults += [f"{address} {width} {scheme}: {fault}" for fault in violations(desk)]

    assert faults == []


def test_a_card_is_moved_and_moved_back_by_keys_alone(
    desk: Page, live_server: LiveServer, action: ActionItem
) -> None:
    desk.goto(live_server.url + reverse("incidents:action-board"))

    desk.keyboard.press("j")
    expect(desk.locator(f"#a{action.pk}")).to_be_focused()
    desk.keyboard.press("s")
    box = desk.locator(f"#a{action.pk} select")
    expect(box).to_be_focused()
    box.select_option("planned")
    desk.keyboard.press("Tab")
    with desk.expect_navigation():
        desk.keyboard.press("Enter")

    notice = desk.get_by_role("status").filter(has_text="Planned: Deed proposed")
    expect(notice).to_be_visible()
    notice.get_by_role("button", name="Undo").focus()
    with desk.expect_navigation():
        desk.keyboard.press("Enter")
    expect(desk).to_have_url(re.compile(r"/actions/board/$"))
    action.refresh_from_db()
    assert action.state == ActionState.PROPOSED
