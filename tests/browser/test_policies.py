"""A backup policy in a real browser: what a change does is seen while it is typed, then saved."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from backups import operations
from backups.models import Database, PolicyChange
from tests.backups.factories import BackupFactory, DatabaseFactory, RecoveryTargetFactory
from tests.browser.axe import violations
from tests.factories import HOUR

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DAY = timedelta(days=1)
GB = 10**9


@pytest.fixture
def database() -> Database:
    now = timezone.now()
    database: Database = DatabaseFactory.create(
        name="shop", synced_at=now, recovery_time_objective=HOUR
    )
    BackupFactory.create(
        database=database, began_at=now - DAY, ended_at=now - DAY, stored_bytes=4 * GB,
        cluster_bytes=12 * GB, log_segments=4800, log_bytes=40 * GB, reaches_until_at=now,
    )  # fmt: skip
    RecoveryTargetFactory.create(write_bytes_per_second=4e8, server_version=170010)
    return database


def _open(desk: Page, server: LiveServer, database: Database) -> None:
    desk.goto(server.url + reverse("backups:policy", args=[database.pk]))


def test_what_it_does_is_seen_while_it_is_typed(
    desk: Page, live_server: LiveServer, database: Database
) -> None:
    _open(desk, live_server, database)
    fulls = desk.get_by_role("group", name="Full backups")

    fulls.get_by_label("How often").select_option("weekly")
    expect(desk.locator("#effect")).to_contain_text("no → weekly fulls: replay of up to 7 days")
    expect(desk.locator("#effect")).to_contain_text("RTO of 1 h")

    # The keyboard is enough, and nothing is saved without a reason.
    desk.get_by_role("button", name="Save it").press("Enter")
    expect(desk.get_by_text("Say why the policy is changed").first).to_be_visible()
    assert not PolicyChange.objects.exists()
    desk.get_by_label("Why").fill("The nights are full.")
    desk.get_by_role("button", name="Save it").press("Enter")
    expect(desk.get_by_role("heading", name="What holds, version 1")).to_be_visible()
    expect(desk.locator("#history")).to_contain_text("The nights are full.")


@pytest.mark.parametrize(("width", "colours"), [(320, "light"), (390, "dark"), (1280, "light")])
def test_can_be_read_by_everybody_at_every_width(
    desk: Page, live_server: LiveServer, database: Database, width: int, colours: str
) -> None:
    desk.set_viewport_size({"width": width, "height": 800})
    desk.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    _open(desk, live_server, database)
    assert violations(desk) == []

    operations.change_policy(
        database_id=database.pk, changes={"full_schedule": "0 2 * * *", "keep_for": 30 * DAY},
        why="agreed", by=None, at=timezone.now(),
        review_on=(timezone.now() + 3 * DAY).date(),
    )  # fmt: skip
    PolicyChange.objects.update(review_on=timezone.now().date())
    _open(desk, live_server, database)
    fulls = desk.get_by_role("group", name="Full backups")
    fulls.get_by_label("How often").select_option("weekly")
    expect(desk.get_by_role("button", name="Save it")).to_be_visible()

    assert violations(desk) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
