"""The runbook at the desk: read, ticked in an incident, with staff's own sections; a journey."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from backups import operations
from backups.models import Database, RunbookSection, RunbookTick
from incidents.models import Incident, TimelineEntry
from incidents.values import Visibility
from tests.backups.factories import BackupFactory, DatabaseFactory, RecoveryTargetFactory
from tests.factories import NOON, IncidentFactory, ResponderFactory

pytestmark = pytest.mark.django_db

INVALID, CONFLICT, GONE = 422, 409, 404


@pytest.fixture
def desk(client: Client) -> Client:
    responder: User = ResponderFactory.create()
    client.force_login(responder)
    return client


@pytest.fixture
def database() -> Database:
    database: Database = DatabaseFactory.create(name="shop")
    BackupFactory.create(database=database)
    RecoveryTargetFactory.create(name="spare")
    return database


@pytest.fixture
def incident() -> Incident:
    incident: Incident = IncidentFactory.create(title="The cluster is gone")
    return incident


def address(database: Database, name: str = "runbook") -> str:
    return reverse(f"backups:{name}", args=[database.pk])


def page_of(desk: Client, url: str) -> str:
    answer = desk.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


class TestThePage:
    def test_is_for_staff(self, client: Client, database: Database) -> None:
        assert client.get(address(database)).status_code == 302

    def test_is_reached_from_the_database_and_its_readiness(
        self, desk: Client, database: Database
    ) -> None:
        for name in ("database-detail", "readiness"):
            assert f'href="{address(database)}"' in page_of(desk, address(database, name))

    def test_says_what_is_to_be_done_and_what_is_proven(
        self, desk: Client, database: Database
    ) -> None:
        page = page_of(desk, address(database))

        assert "restore_database shop spare --strategy stage" in page
        assert "not proven by a drill" in page
        assert "If Highwater itself is gone" in page
        assert "No drill was held" in page
        assert "None so far." in page

    def test_offers_the_open_incidents_to_those_who_may_know(
        self, desk: Client, database: Database, incident: Incident
    ) -> None:
        assert f"?incident={incident.pk}#steps" in page_of(desk, address(database))
        for named in ("999999", "x"):
            assert desk.get(f"{address(database)}?incident={named}").status_code == GONE

    def test_hides_an_incident_of_others(self, desk: Client, database: Database) -> None:
        hidden = IncidentFactory.create(visibility=Visibility.PRIVATE)

        assert desk.get(f"{address(database)}?incident={hidden.pk}").status_code == GONE
        answer = desk.post(
            address(database, "runbook-tick"), {"incident": hidden.pk, "step": "restore"}
        )
        assert answer.status_code == GONE
        assert not RunbookTick.objects.exists()


class TestTicking:
    def ticked(self, desk: Client, database: Database, name: str = "tick", **said: Any) -> str:
        answer = desk.post(address(database, f"runbook-{name}"), said, follow=True)
        return str(answer.content.decode())

    def test_writes_the_timeline_and_can_be_taken_back(
        self, desk: Client, database: Database, incident: Incident
    ) -> None:
        page = self.ticked(desk, database, incident=incident.pk, step="see")
        assert "1 of 9 done" in page
        entry = TimelineEntry.objects.get(tags=["runbook"])
        assert entry.created_by is not None
        assert "See that it is lost" in page_of(desk, incident.get_absolute_url())

        page = self.ticked(desk, database, "untick", incident=incident.pk, step="see")
        assert "0 of 9 done" in page
        entry.refresh_from_db()
        assert entry.deleted_at is not None

    def test_wants_an_incident_and_a_step(
        self, desk: Client, database: Database, incident: Incident
    ) -> None:
        assert "Choose an incident first" in self.ticked(desk, database, step="see")
        assert "no such step" in self.ticked(desk, database, incident=incident.pk, step="dance")
        assert not RunbookTick.objects.exists()


class TestSections:
    def test_are_written_shown_clean_and_moved(self, desk: Client, database: Database) -> None:
        for title in ("Who decides", "Where the keys are"):
            desk.post(
                address(database, "section-add"),
                {"title": title, "body": "- **Anna**\n\n<script>alert(1)</script>"},
            )
        second = RunbookSection.objects.get(title="Where the keys are")
        page = page_of(desk, address(database))
        assert "<strong>Anna</strong>" in page
        assert "<script>alert" not in page
        assert page.index("Who decides") < page.index("Where the keys are")

        desk.post(reverse("backups:section-move", args=[second.pk]) + "?to=up")
        page = page_of(desk, address(database))
        assert page.index("Where the keys are") < page.index("Who decides")

    def test_want_a_title_and_words(self, desk: Client, database: Database) -> None:
        answer = desk.post(address(database, "section-add"), {"title": "", "body": "b"})

        assert answer.status_code == INVALID
        assert not RunbookSection.objects.exists()

    def test_show_what_somebody_else_wrote_before_they_are_saved(
        self, desk: Client, database: Database
    ) -> None:
        section = operations.add_section(
            database_id=database.pk, title="t", body="old", by=None, at=NOON
        )
        operations.edit_section(
            section_id=section.pk, title="t", body="theirs", version=1, by=None, at=NOON
        )
        url = reverse("backups:section-edit", args=[section.pk])
        mine = {"title": "t", "body": "mine", "version": "1"}

        answer = desk.post(url, mine)

        page = answer.content.decode()
        assert answer.status_code == CONFLICT
        assert "theirs" in page
        assert "mine" in page
        assert 'name="version" value="2"' in page
        section.refresh_from_db()
        assert section.body == "theirs"

        # Seen, and saved all the same.
        assert desk.post(url, mine | {"version": "2"}).status_code == 302
        section.refresh_from_db()
        assert (section.body, section.version) == ("mine", 3)

    def test_are_removed_unless_they_were_changed(self, desk: Client, database: Database) -> None:
        section = operations.add_section(
            database_id=database.pk, title="t", body="b", by=None, at=NOON
        )
        url = reverse("backups:section-remove", args=[section.pk])

        assert "Yes, remove" in page_of(desk, address(database))
        for version in ("0", "x", ""):
            desk.post(url, {"version": version})
        assert RunbookSection.objects.exists()
        desk.post(url, {"version": "1"})
        assert not RunbookSection.objects.exists()


def test_a_night_is_led_by_the_runbook(desk: Client, database: Database) -> None:
    """Days before, somebody writes down who decides; in the night each step is ticked."""
    database.tenants.create(name="acme", public_code="acme", registered_at=NOON)
    desk.post(address(database, "section-add"), {"title": "Who decides", "body": "Anna."})
    assert "No incident is open" in page_of(desk, address(database))

    incident = IncidentFactory.create(started_at=NOON - timedelta(hours=1))
    page = page_of(desk, f"{address(database)}?incident={incident.pk}")
    assert "Anna." in page
    assert f"--incident {incident.pk}" in page
    steps = [
        "see", "declare", "choose", "restore", "watch", "check", "open", "tenants", "tell", "care",
    ]  # fmt: skip
    for step in steps:
        assert f'id="step-{step}"' in page
        desk.post(address(database, "runbook-tick"), {"incident": incident.pk, "step": step})

    page = page_of(desk, f"{address(database)}?incident={incident.pk}")
    assert "10 of 10 done" in page
    written = TimelineEntry.objects.filter(incident=incident, tags=["runbook"], deleted_at=None)
    assert written.count() == len(steps)
    # Another night begins with none.
    other = IncidentFactory.create()
    assert "0 of 10 done" in page_of(desk, f"{address(database)}?incident={other.pk}")
