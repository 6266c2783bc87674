"""The page of a target's standby in a real browser: on a phone, by keyboard, without a fault."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from backups.models import JobState, RestoreJob, RestorePhase, Standby, StandbyState
from tests.backups.factories import BackupFactory, RecoveryTargetFactory
from tests.browser.axe import violations
from tests.factories import MINUTE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
GB = 10**9


def test_one_is_kept_watched_and_taken_away(desk: Page, live_server: LiveServer) -> None:
    now = timezone.now()
    BackupFactory.create(
        database__name="tours", reaches_until_at=now, cluster_bytes=GB, stored_bytes=GB,
        server_version=170010,
    )  # fmt: skip
    target = RecoveryTargetFactory.create(
        name="beside", probed_at=now, free_bytes=900 * GB, server_version=170010
    )
    desk.set_viewport_size({"width": 390, "height": 800})

    # From the list of targets to the page of this one.
    desk.goto(live_server.url + reverse("backups:target-list"))
    desk.get_by_role("link", name="Keep a standby warm here").press("Enter")
    assert violations(desk) == []
    desk.get_by_label("Database").select_option(label="tours")
    desk.get_by_role("button", name="Keep a standby warm here").press("Enter")
    expect(desk.locator("#standby")).to_contain_text("Standby of tours")

    # Its base is under way; the page renews itself.
    RestoreJob.objects.update(
        state=JobState.RUNNING, leased_until=now + MINUTE, phase=RestorePhase.FETCH,
        done=40, total=100, unit="bytes",
    )  # fmt: skip
    expect(desk.locator("#standby")).to_contain_text("40 %", timeout=15_000)
    assert violations(desk) == []
    RestoreJob.objects.update(state=JobState.SUCCEEDED, leased_until=None, ended_at=now)
    Standby.objects.update(state=StandbyState.FOLLOWING, warm_until_at=now, seen_at=now)
    expect(desk.locator("#standby")).to_contain_text("Warm until", timeout=15_000)
    wide = desk.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wide

    # Taken away only by its name.
    desk.get_by_text("Stop keeping it").press("Enter")
    desk.get_by_label("Type the name of the target").fill(target.name)
    desk.get_by_role("button", name="Take the standby away").press("Enter")
    expect(desk.get_by_text("It is being taken away")).to_be_visible()
    assert violations(desk) == []
    assert Standby.objects.get().state == StandbyState.STOPPING
