"""The board of ways back in a real browser: read on a phone, chosen by keyboard, asked anew."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from backups.models import Backup, Database, RecoveryTarget, RestoreJob
from incidents.models import Incident
from tests.backups.factories import DatabaseFactory, RecoveryTargetFactory
from tests.browser.axe import violations
from tests.factories import HOUR, MINUTE, IncidentFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Milliseconds: longer than the storage is waited for.
PATIENCE = 30_000
GB = 10**9


@pytest.fixture
def database(settings: Settings) -> Database:
    now = timezone.now()
    settings.CREDENTIALS = {"OF_TOURS": {"access_key": "a", "secret_key": "s"}}
    # Nothing listens at its storage's address: the storage is away.
    database = DatabaseFactory.create(
        name="tours", synced_at=now - 2 * MINUTE, recovery_time_objective=HOUR,
        storage__endpoint="http://127.0.0.1:9",
        storage__credentials_reference="settings:OF_TOURS",
    )  # fmt: skip
    Backup.objects.create(
        database=database, engine_id="20260112T000000", label="nightly", is_finished=True,
        began_at=now - 10 * HOUR, ended_at=now - 9 * HOUR, timeline=1, server_version=170010,
        cluster_bytes=12 * GB, stored_bytes=4 * GB, has_manifest=True, log_segments=9000,
        log_bytes=50 * GB, reaches_until_at=now - 3 * MINUTE,
    )  # fmt: skip
    return database


@pytest.fixture
def target() -> RecoveryTarget:
    return RecoveryTargetFactory.create(
        name="standby", probed_at=timezone.now(), free_bytes=900 * GB, server_version=170010,
        write_bytes_per_second=4e8,
    )  # fmt: skip


def _board(page: Page, server: LiveServer, database: Database) -> None:
    page.goto(server.url + reverse("backups:option-list", args=[database.pk]))


def test_a_way_back_is_chosen_by_keyboard(
    desk: Page, live_server: LiveServer, database: Database, target: RecoveryTarget
) -> None:
    incident: Incident = IncidentFactory.create()

    # From the database's page to its board, which is there at once.
    desk.goto(live_server.url + reverse("backups:database-detail", args=[database.pk]))
    desk.get_by_role("link", name="Ways back").press("Enter")
    expect(desk.get_by_text("Recommended", exact=True)).to_be_visible()

    # The storage is asked anew; it is away, and the board says so and stands.
    desk.get_by_role("button", name="Ask the storage and the machines").press("Enter")
    expect(desk.locator("#board")).to_contain_text("did not answer", timeout=PATIENCE)
    expect(desk.get_by_text("Recommended", exact=True)).to_be_visible()

    # One is chosen, with the reasons.
    desk.get_by_role("link", name="Start this").first.press("Enter")
    desk.get_by_label("Why this one").fill("It loses the least.")
    desk.get_by_label("Incident that it belongs to").select_option(str(incident.pk))
    desk.get_by_role("button", name="Start the restore").press("Enter")
    expect(desk.get_by_role("heading", name="Restore", exact=False).first).to_be_visible()
    assert RestoreJob.objects.get().reasons == "It loses the least."

    # Why, and by whom, stands on the timeline.
    desk.goto(live_server.url + incident.get_absolute_url())
    expect(desk.locator(".entry", has_text="It loses the least.")).to_be_visible()


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize(("width", "colours"), [(320, "light"), (390, "dark"), (1280, "light")])
def test_can_be_read_by_everybody_at_every_width(
    desk: Page, live_server: LiveServer, database: Database, width: int, colours: str
) -> None:
    RecoveryTargetFactory.create(name="held", occupied_by="port", probed_at=timezone.now())
    desk.set_viewport_size({"width": width, "height": 800})
    desk.emulate_media(color_scheme="dark" if colours == "dark" else "light")

    _board(desk, live_server, database)
    targets = live_server.url + reverse("backups:target-list")
    for address in (desk.url, f"{desk.url}?all=1", targets):
        desk.goto(address)
        assert violations(desk) == []
        assert desk.evaluate("document.documentElement.scrollWidth") <= width
    _board(desk, live_server, database)
    desk.get_by_role("link", name="Start this").first.click()
    assert violations(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
