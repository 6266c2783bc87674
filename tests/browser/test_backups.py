"""The rooms of backups in a real browser: read by everybody, at every width, by keyboard."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from backups import runner
from backups.models import AlertRule, BackupAlert, CheckState, Database, Drill, LossForecast
from tests.backups.factories import BackupFactory, DatabaseFactory, RecoveryTargetFactory
from tests.browser.axe import violations
from tests.factories import HOUR

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLACES = (
    "backups:dashboard",
    "backups:alert-list",
    "backups:alert-rule-list",
    "backups:alert-rule-add",
    "backups:drill-list",
)


@pytest.fixture
def watched() -> Database:
    """Return a database with findings, alerts, forecasts and a drill."""
    now = timezone.now()
    database: Database = DatabaseFactory.create(name="shop", recovery_time_objective=HOUR)
    for day in range(5):
        BackupFactory.create(
            database=database, label=f"night-{day}", began_at=now - timedelta(days=day, hours=1),
            ended_at=now - timedelta(days=day), stored_bytes=10**9 + day,
        )  # fmt: skip
    target = RecoveryTargetFactory.create(name="spare")
    for hours in range(1, 6):
        LossForecast.objects.create(
            database=database, at=now - (hours - 1) * HOUR, loss_seconds=60 * hours,
            low_seconds=600, middle_seconds=900 * hours, high_seconds=7200,
            plan_words="To the latest.", time_objective_seconds=3600,
        )  # fmt: skip
    Drill.objects.create(
        database=database, target=target, state="FAILED", has_failed=True, words="Disk full.",
        requested_at=now - HOUR, ended_at=now, low_seconds=1, middle_seconds=2, high_seconds=90,
    )  # fmt: skip
    AlertRule.objects.create(
        name="everything", states=[CheckState.CRITICAL, CheckState.UNKNOWN], created_at=now
    )
    runner.check_database(database_id=database.pk, at=now)
    runner.follow_findings(at=now)
    return database


@pytest.mark.parametrize(("width", "colours"), [(320, "light"), (390, "dark"), (1280, "light")])
def test_can_be_read_by_everybody_at_every_width(
    desk: Page, live_server: LiveServer, watched: Database, width: int, colours: str
) -> None:
    desk.set_viewport_size({"width": width, "height": 844})
    desk.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
    addresses = [reverse(name) for name in PLACES]
    addresses.append(reverse("backups:readiness", args=[watched.pk]))
    for address in addresses:
        desk.goto(live_server.url + address)
        assert violations(desk) == [], address
        wide = desk.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, (address, width)


def test_an_alert_is_found_understood_and_taken_by_keyboard(
    desk: Page, live_server: LiveServer, watched: Database
) -> None:
    desk.goto(live_server.url + reverse("backups:dashboard"))
    expect(desk.get_by_text("back in 10 min to 2 h 00 min")).to_be_visible()

    desk.get_by_role("link", name="shop", exact=True).press("Enter")
    expect(desk.get_by_role("heading", name="Would shop come back?")).to_be_visible()
    assert desk.locator("figure.plot").count() >= 3
    desk.get_by_role("link", name="Backups", exact=True).first.press("Enter")
    desk.get_by_role("link", name="Alerts").first.press("Enter")
    taken = desk.get_by_role("button", name="I know of it")
    count = taken.count()
    assert count >= 3
    taken.first.press("Enter")

    expect(desk.get_by_text("You know of it now")).to_be_visible()
    assert desk.get_by_role("button", name="I know of it").count() == count - 1
    assert BackupAlert.objects.filter(acknowledged_at__isnull=False).count() == 1
