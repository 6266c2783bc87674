"""A runbook in a real browser: ticked by keyboard, read by everybody, whole on paper."""

from typing import Literal

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from backups import operations
from backups.models import Database, RunbookTick
from incidents.models import Incident
from tests.backups.factories import BackupFactory, DatabaseFactory, RecoveryTargetFactory
from tests.browser.axe import violations
from tests.factories import NOON, IncidentFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORDS = """# Who decides

- **Anna**, then Ben

| what | where |
|---|---|
| keys | the safe |

```
a-very-long-command --with=an-argument-that-goes-on --and-another=that-goes-on-even-longer-than-it
```
"""


@pytest.fixture
def database() -> Database:
    database: Database = DatabaseFactory.create(name="shop")
    BackupFactory.create(database=database)
    RecoveryTargetFactory.create(name="spare")
    for title in ("Who decides", "Where things are"):
        operations.add_section(database_id=database.pk, title=title, body=WORDS, by=None, at=NOON)
    return database


@pytest.fixture
def incident() -> Incident:
    incident: Incident = IncidentFactory.create(title="The cluster is gone")
    return incident


def _address(server: LiveServer, database: Database, incident: Incident | None = None) -> str:
    asked = f"?incident={incident.pk}" if incident is not None else ""
    return server.url + reverse("backups:runbook", args=[database.pk]) + asked


def test_is_ticked_by_the_keyboard_and_taken_back(
    desk: Page, live_server: LiveServer, database: Database, incident: Incident
) -> None:
    desk.goto(_address(live_server, database))
    desk.get_by_role("link", name="The cluster is gone").press("Enter")

    desk.locator("#step-see").get_by_role("button", name="Done").press("Enter")
    expect(desk.get_by_text("1 of 9 done")).to_be_visible()
    assert RunbookTick.objects.get().step == "see"

    desk.locator("#step-see").get_by_role("button", name="Take it back").press("Enter")
    expect(desk.get_by_text("0 of 9 done")).to_be_visible()
    assert not RunbookTick.objects.exists()


@pytest.mark.parametrize("seen", [(320, "light"), (390, "dark"), (1280, "light")])
def test_can_be_read_by_everybody_at_every_width(
    desk: Page,
    live_server: LiveServer,
    database: Database,
    incident: Incident,
    seen: tuple[int, Literal["light", "dark"]],
) -> None:
    width, colours = seen
    desk.set_viewport_size({"width": width, "height": 800})
    desk.emulate_media(color_scheme=colours)
    operations.tick_step(
        database_id=database.pk, incident_id=incident.pk, step="see", by=None, at=NOON
    )

    for address in (
        _address(live_server, database),
        _address(live_server, database, incident),
        live_server.url + reverse("backups:section-add", args=[database.pk]),
    ):
        desk.goto(address)
        assert violations(desk) == []
        assert desk.evaluate("document.documentElement.scrollWidth") <= width


def test_is_whole_on_paper_and_without_its_buttons(
    desk: Page, live_server: LiveServer, database: Database, incident: Incident
) -> None:
    desk.goto(_address(live_server, database, incident))
    desk.emulate_media(media="print")

    expect(desk.get_by_role("heading", name="If shop is lost")).to_be_visible()
    expect(desk.get_by_text("-m backups.storage.listing").first).to_be_visible()
    for name in ("#step-restore button", ".bar", ".foot", ".runbook__tools >> nth=0"):
        expect(desk.locator(name)).to_have_count(1)
        expect(desk.locator(name)).to_be_hidden()
