"""A storage's weather in a real browser: on a phone, in the dark, with a window declared."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from backups.models import ProbeKind, SaturationWindow, StorageLocation, StorageProbe
from tests.backups.factories import StorageLocationFactory
from tests.browser.axe import violations
from tests.factories import HOUR

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def location() -> StorageLocation:
    made: StorageLocation = StorageLocationFactory.create(name="cellar")
    now = timezone.now()
    StorageProbe.objects.bulk_create(
        StorageProbe(
            location=made, at=at, kind=ProbeKind.RANGE, bytes=262_144, first_byte_seconds=0.004,
            seconds=0.05 if at.hour < 6 else 0.01, error="silent" if at.hour == 3 else "",
        )
        for at in (now - hours * HOUR for hours in range(14 * 24))
    )  # fmt: skip
    return made


def test_a_week_is_read_and_a_window_declared_by_keyboard(
    desk: Page, live_server: LiveServer, location: StorageLocation
) -> None:
    desk.goto(live_server.url + reverse("backups:location-list"))
    desk.get_by_role("link", name="Weather").press("Enter")
    expect(desk.get_by_role("img", name="How slow each hour")).to_be_visible()

    # The same in words.
    desk.get_by_text("The same as a table").press("Enter")
    expect(desk.get_by_role("rowheader", name="12:00")).to_be_visible()

    desk.get_by_text("Declare a window").press("Enter")
    desk.get_by_label("From").fill("22:00")
    desk.get_by_label("Until").fill("00:00")
    desk.get_by_label("Saturday").press("Space")
    desk.get_by_role("button", name="Declare it").press("Enter")

    expect(desk.get_by_text("every Saturday 22:00–24:00 UTC").first).to_be_visible()
    assert SaturationWindow.objects.get().weekdays == [6]


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light"), (390, "light")])
def test_the_page_is_sound(
    desk: Page, live_server: LiveServer, location: StorageLocation, width: int, scheme: str
) -> None:
    SaturationWindow.objects.create(
        location=location, source="DETECTED", from_minute=0, until_minute=360, slower=4,
        since_at=timezone.now() - timedelta(days=9),
    )  # fmt: skip
    desk.set_viewport_size({"width": width, "height": 844})
    desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    desk.goto(live_server.url + reverse("backups:location-weather", args=[location.pk]))
    for summary in desk.locator("main details summary").all():
        summary.click()

    assert violations(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
