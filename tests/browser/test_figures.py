"""Figures over incidents in a real browser: on a phone, in the dark, by keyboard."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from incidents import operations
from incidents.models import Incident
from incidents.values import CauseKind, ComponentStatus, Severity
from tests.browser.axe import violations
from tests.factories import HOUR, ComponentFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def incidents() -> list[Incident]:
    now = timezone.now()
    part = ComponentFactory.create(name="A component with quite a long name")
    made = [
        operations.backfill_incident(
            title=f"The storage did not answer, number {number}",
            severity=list(Severity)[number % 3],
            began_at=now - (900 * number + 100) * HOUR,
            ended_at=now - (900 * number + 99) * HOUR + number * 7 * HOUR,
            at=now,
            author=None,
            components={part.pk: ComponentStatus.MAJOR_OUTAGE},
            corrects_history=False,
        )
        for number in range(8)
    ]
    for incident in made[::2]:
        operations.record_root_cause(
            incident_id=incident.pk,
            kind=CauseKind.PROCESS,
            text="Nobody looked",
            at=now,
            author=None,
        )
    return made


def test_a_plot_is_read_as_a_table_and_narrowed_by_keyboard(
    desk: Page, live_server: LiveServer, incidents: list[Incident]
) -> None:
    desk.goto(live_server.url + reverse("incidents:incident-list"))
    desk.get_by_role("link", name="Figures", exact=True).press("Enter")
    expect(desk.get_by_role("img", name="By severity")).to_be_visible()

    # The same in words.
    desk.locator("#severity-table summary").press("Enter")
    desk.locator("#severity-table").get_by_role("link", name="SEV1: critical").press("Enter")

    expect(desk.get_by_role("combobox", name="Severity")).to_have_value("sev1")
    expect(desk.get_by_role("img", name="By kind of cause")).to_be_visible()


def test_similar_incidents_come_once_somebody_gets_there(
    desk: Page, live_server: LiveServer, incidents: list[Incident]
) -> None:
    desk.goto(live_server.url + incidents[0].get_absolute_url())

    desk.locator("#similar").scroll_into_view_if_needed()

    expect(desk.locator("#similar").get_by_text("Words in both").first).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light"), (390, "light")])
def test_the_pages_are_sound(
    desk: Page, live_server: LiveServer, incidents: list[Incident], width: int, scheme: str
) -> None:
    desk.set_viewport_size({"width": width, "height": 844})
    desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    similar = reverse("incidents:incident-similar", args=[incidents[0].pk])
    for address in (f"{reverse('incidents:figures')}?period=8q", similar):
        desk.goto(live_server.url + address)
        for summary in desk.locator("main details summary").all():
            summary.click()

        assert violations(desk) == []
        assert desk.evaluate("document.documentElement.scrollWidth") <= width
