"""Planned work in a real browser: on the public page at every width, and from plan to end."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Maintenance
from incidents.operations import Plan
from incidents.values import MaintenanceState
from statuspage.publisher import publish_all
from tests.browser.axe import violations
from tests.factories import HOUR, MINUTE, ComponentFactory, ResponderFactory

pytestmark = pytest.mark.browser

PASSWORD = "high water"
DAY = timedelta(days=1)


def planned_night() -> list[str]:
    """Put work on record that overruns, that is to come and that was called off; return paths."""
    now = timezone.now()
    tours = operations.add_component(name="Tours", at=now - 3 * DAY)
    uploads = operations.add_component(name="Uploads", at=now - 3 * DAY)
    running = operations.schedule_maintenance(
        plan=Plan(title="Database upgrade", components=[tours.pk], ends_by_itself=False),
        scheduled_for=now - 2 * HOUR,
        scheduled_until=now - 10 * MINUTE,
        at=now - 3 * HOUR,
        author=None,
        body="Tours open slowly meanwhile.",
    )
    operations.start_maintenance(maintenance_id=running.pk, at=now - 2 * HOUR, author=None)
    for days in range(1, 7):
        coming = operations.schedule_maintenance(
            plan=Plan(title=f"Storage exchange {days}", components=[tours.pk, uploads.pk]),
            scheduled_for=now + days * DAY,
            scheduled_until=now + days * DAY + 2 * HOUR,
            at=now - HOUR,
            author=None,
        )
    off = operations.cancel_maintenance(maintenance_id=coming.pk, at=now, author=None)
    publish_all()
    return ["/", f"/maintenances/{running.public_id}", f"/maintenances/{off.public_id}", "/history"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("width", "scheme"), [(320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
)
def test_customers_can_read_it_however_they_look(
    chromium: Browser, address: str, width: int, scheme: str
) -> None:
    paths = planned_night()
    context = chromium.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()

    for path in paths:
        page.goto(address + path)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    context.close()


@pytest.mark.django_db
def test_a_visitor_elsewhere_reads_both_zones(chromium: Browser, address: str) -> None:
    planned_night()
    context = chromium.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()

    page.goto(address)

    window = page.locator("#upcoming [data-window]").first
    expect(window).to_contain_text("UTC")
    expect(window).to_contain_text("your time")
    expect(page.locator("#upcoming [data-ago]").first).to_contain_text("in ")
    context.close()


@pytest.mark.django_db(transaction=True)
def test_the_desk_carries_it_from_plan_to_end_by_keyboard(
    page: Page, live_server: LiveServer
) -> None:
    responder: User = ResponderFactory.create()
    responder.set_password(PASSWORD)
    responder.save()
    ComponentFactory.create()
    page.goto(f"{live_server.url}/desk/")
    page.get_by_label("Username").fill(responder.username)
    page.get_by_label("Password").fill(PASSWORD)

    def enter() -> None:
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert violations(page) == [], page.url

    def follow(name: str) -> None:
        page.get_by_role("link", name=name, exact=True).first.focus()
        enter()

    def press(name: str) -> None:
        page.get_by_role("button", name=name).focus()
        enter()

    enter()
    follow("Maintenance")
    follow("Templates")
    follow("Add template")
    follow("Maintenance")
    follow("Schedule maintenance")
    page.get_by_label("What is done").fill("Database upgrade")
    page.get_by_label("It begins", exact=True).fill(f"{timezone.now() + DAY:%Y-%m-%dT%H:%M}")
    page.get_by_label("Or it takes, in minutes").fill("90")
    page.get_by_label("Tours").focus()
    page.keyboard.press("Space")
    press("Preview")
    expect(page.get_by_text("nothing has been scheduled")).to_be_visible()
    press("Schedule it")
    expect(page.get_by_role("heading", name="Database upgrade")).to_be_visible()
    follow("Start now")
    press("Start now")
    follow("Extend")
    press("Extend it")
    follow("Finish")
    press("Finish it")
    expect(page.get_by_text("is finished.").first).to_be_visible()
    assert Maintenance.objects.get().state == MaintenanceState.COMPLETED
