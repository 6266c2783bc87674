"""What an incident's page shows at once, and what it folds away: by mouse, by keys, bare."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from incidents import operations
from incidents.models import Incident
from incidents.values import ComponentStatus, Severity
from tests.browser.axe import violations
from tests.factories import ComponentFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "high water"


@pytest.fixture
def incident() -> Incident:
    tours = ComponentFactory.create()
    found = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, at=timezone.now(), author=None,
        body="We are looking into it.", components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
    )  # fmt: skip
    operations.add_action_item(
        incident_id=found.pk, text="Write it down", at=timezone.now(), author=None
    )
    return found


def _open(page: Page, server: LiveServer, incident: Incident, behind: str = "") -> None:
    page.goto(f"{server.url}{incident.get_absolute_url()}{behind}")


def test_what_posts_an_update_is_in_sight_before_anything_is_typed(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    desk.set_viewport_size({"width": 1280, "height": 800})
    _open(desk, live_server, incident)

    button = desk.get_by_role("button", name="Post update")
    expect(button).to_be_in_viewport(ratio=1)
    # It hides no field from whoever comes to it by keys.
    field = desk.get_by_label("Tours")
    field.focus()
    expect(field).to_be_in_viewport(ratio=1)
    sends, box = desk.locator(".sends").bounding_box(), field.bounding_box()
    assert sends is not None
    assert box is not None
    assert box["y"] + box["height"] <= sends["y"]


def test_what_is_rarely_needed_is_folded_and_stays_as_it_was_left(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(desk, live_server, incident)
    actions, item = desk.locator("#actions"), desk.locator("#actions p.prose")
    expect(item).to_be_hidden()
    expect(actions.locator("summary").first).to_contain_text("1")

    actions.locator("summary").first.focus()
    desk.keyboard.press("Enter")
    expect(item).to_be_visible()
    assert violations(desk) == []
    desk.reload()
    expect(item).to_be_visible()

    actions.locator("summary").first.click()
    desk.reload()
    expect(item).to_be_hidden()
    # Gone to, it is open all the same; and once more, though the address stays.
    desk.locator(".subnav").get_by_role("link", name="Actions").click()
    expect(item).to_be_visible()
    actions.locator("summary").first.click()
    expect(item).to_be_hidden()
    desk.locator(".subnav").get_by_role("link", name="Actions").click()
    expect(item).to_be_visible()


def test_what_a_deed_leads_to_is_open(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    _open(desk, live_server, incident, "#actions")

    desk.locator("#actions").get_by_text("Add an action item").click()
    desk.locator("#actions").get_by_label("What shall be done").fill("Test the backups")
    desk.locator("#actions").get_by_role("button", name="Add action item").click()

    expect(desk.locator("#actions").get_by_text("Test the backups")).to_be_visible()


def test_it_opens_without_a_script(
    chromium: Browser, live_server: LiveServer, incident: Incident
) -> None:
    staff: User = User.objects.create_user("bare", password=PASSWORD, is_staff=True)
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.goto(f"{live_server.url}{reverse('desk-login')}?next={incident.get_absolute_url()}")
    page.get_by_label("Username").fill(staff.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.locator("#actions p.prose")).to_be_hidden()
    page.locator("#actions > summary").click()
    expect(page.locator("#actions p.prose")).to_be_visible()
    context.close()


def test_what_is_learned_is_open_once_the_incident_is_over(
    desk: Page, live_server: LiveServer, incident: Incident
) -> None:
    operations.resolve_incident(
        incident_id=incident.pk, body="Over.", at=timezone.now(), author=None
    )

    _open(desk, live_server, incident)

    expect(desk.locator("#actions p.prose")).to_be_visible()
    expect(desk.get_by_role("link", name="Add a cause…")).to_be_visible()
