"""Copies and moves of backups in a real browser: by keyboard, on a phone, in the dark."""

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from backups.models import CopyJob, CopyKind, CopyPhase, Database, JobState, ReplicaState
from tests.backups.factories import DatabaseFactory, StorageLocationFactory
from tests.browser.axe import violations
from tests.factories import HOUR

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def database() -> Database:
    first = StorageLocationFactory.create(name="cellar")
    StorageLocationFactory.create(name="attic", bucket="elsewhere")
    made: Database = DatabaseFactory.create(name="orders", storage=first)
    return made


def copies(database: Database) -> None:
    """Leave one of each: under way, failed, ready to switch."""
    now = timezone.now()
    attic = StorageLocationFactory.create(name="far")
    for values in (
        {"state": JobState.RUNNING, "leased_until": now, "phase": CopyPhase.COPY,
         "bytes_done": 3_000_000, "bytes_total": 9_000_000, "objects_total": 20, "rate": 1e6},
        {"state": JobState.FAILED, "failure_code": "copy-not-whole", "detail": "damaged: x",
         "failure_advice": "One object is damaged in the source."},
        {"state": JobState.PAUSED, "phase": CopyPhase.SWITCH, "kind": CopyKind.MIGRATION},
    ):  # fmt: skip
        destination = StorageLocationFactory.create()
        CopyJob.objects.create(
            database=database, source=database.storage, destination=destination,
            requested_at=now, queued_at=now, **values,
        )  # fmt: skip
    ReplicaState.objects.create(
        database=database, location=attic, compared_at=now, missing_objects=3,
        missing_bytes=10_000, behind_since_at=now - 5 * HOUR,
    )  # fmt: skip


def test_a_copy_is_begun_and_called_off_by_keyboard(
    desk: Page, live_server: LiveServer, database: Database
) -> None:
    desk.goto(live_server.url + reverse("backups:copy-list"))
    desk.get_by_text("Copy or move", exact=True).press("Enter")
    desk.get_by_label("Where to").select_option(label="attic")
    desk.get_by_role("button", name="Begin it now").press("Enter")
    expect(desk.get_by_text("is queued. A worker takes it.")).to_be_visible()

    desk.get_by_text("Call it off", exact=True).press("Enter")
    desk.get_by_role("button", name="Yes, call it off").press("Enter")

    expect(desk.get_by_text("is called off. What was copied stays there.")).to_be_visible()
    assert CopyJob.objects.get().state == JobState.CANCELLED


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_page_is_sound(
    desk: Page, live_server: LiveServer, database: Database, width: int, scheme: str
) -> None:
    copies(database)
    desk.set_viewport_size({"width": width, "height": 844})
    desk.emulate_media(color_scheme="dark" if scheme == "dark" else "light")

    for address in (
        reverse("backups:copy-list"),
        reverse("backups:copy-switch", args=[CopyJob.objects.get(phase=CopyPhase.SWITCH).pk]),
    ):
        desk.goto(live_server.url + address)
        assert violations(desk) == []
        fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert desk.evaluate(fits)
