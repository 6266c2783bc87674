"""Planned work as customers, programs and calendars read it; time alone makes it overdue."""

from pathlib import Path

import pytest

from incidents import operations
from incidents.models import Component
from incidents.operations import Plan
from incidents.values import ComponentStatus, Severity, Visibility
from statuspage import publisher
from statuspage.operations import (
    set_up_page,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.statuspage.conftest import Visitor
from tests.statuspage.planned import BEGINS, DAY, ENDS, page_of, publish, read_at, schedule

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _page(public_root: Path) -> None:
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


class TestFront:
    def test_shows_what_is_planned_below_and_what_runs_above_the_components(
        self, visitor: Visitor, tours: Component
    ) -> None:
        schedule(components=[tours.pk])
        publish()
        page = visitor.get("/").text
        assert page.index("Components") < page.index("Storage upgrade")
        assert "It begins on" in page
        assert '<time datetime="2026-01-12T13:00:00Z">13:00</time> – ' in page
        assert '<time datetime="2026-01-12T15:00:00Z">15:00 UTC</time>' in page

        operations.advance_maintenances(at=BEGINS)
        publish(BEGINS)
        page = visitor.get("/").text
        assert page.index("Maintenance in progress") < page.index("<h3")
        assert page.index("Storage upgrade") < page.index('id="components"')
        assert "It is planned until" in page

    def test_names_the_zone_of_the_page(self, visitor: Visitor) -> None:
        set_up_page(
            name="Acme",
            url="https://status.acme.example",
            time_zone="Europe/Amsterdam",
            at=NOON,
        )
        schedule(scheduled_for=NOON + 10 * HOUR, scheduled_until=NOON + 12 * HOUR)
        publish()

        page = visitor.get("/").text

        assert "12 January 2026, 23:00 CET</time> – " in page
        assert "13 January 2026, 01:00 CET</time>" in page

    def test_is_not_plain_green_while_customers_notice_nothing(self, visitor: Visitor) -> None:
        maintenance = schedule(component_status=ComponentStatus.OPERATIONAL)
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        publish(BEGINS)

        page = visitor.get("/").text
        status = visitor.get("/api/v2/status.json").json["status"]

        assert "Components operational, maintenance in progress" in page
        assert "Maintenance in progress: Storage upgrade" in page
        assert 'class="banner is-maintenance page-status status-none"' in page
        assert status == {"indicator": "none", "description": "All Systems Operational"}

    def test_says_service_under_maintenance_as_the_components_do(
        self, visitor: Visitor, tours: Component
    ) -> None:
        maintenance = schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        publish(BEGINS)

        assert "Service under maintenance" in visitor.get("/").text
        assert visitor.get("/api/v2/status.json").json["status"]["indicator"] == "maintenance"

    def test_never_hides_an_open_incident_behind_it(
        self, visitor: Visitor, tours: Component
    ) -> None:
        schedule(components=[tours.pk])
        operations.advance_maintenances(at=BEGINS)
        publish(BEGINS)
        calm = visitor.get("/").text
        assert "components affected" not in calm
        assert "Maintenance in progress: Storage upgrade" in calm
        operations.declare_incident(
            title="All data is lost",
            severity=Severity.SEV1,
            at=BEGINS,
            author=None,
            body="We look.",
        )
        publish(BEGINS + MINUTE)

        page = visitor.get("/").text
        banner = page[page.index('class="banner') :].split("</section>")[0]

        assert "is-critical" in banner
        assert "Service under maintenance, 1 open incident" in banner
        assert "All data is lost" in banner
        assert "components affected" not in banner

    def test_keeps_later_ones_as_lines(self, visitor: Visitor) -> None:
        for number in range(6):
            schedule(
                title=f"Work {number}",
                scheduled_for=BEGINS + number * DAY,
                scheduled_until=ENDS + number * DAY,
            )
        publish()

        page = visitor.get("/").text

        assert "Later maintenance: 3" in page
        assert page.count('class="story card is-maintenance"') == 3
        assert page.index("Work 0") < page.index("Work 2") < page.index("Work 5")

    def test_of_what_staff_keep_to_themselves_says_nothing(self, visitor: Visitor) -> None:
        maintenance = schedule(visibility=Visibility.INTERNAL)
        publish()

        assert "Storage upgrade" not in visitor.get("/").text
        assert visitor.get(page_of(maintenance)).status == 404
        assert b"Storage upgrade" not in visitor.get("/maintenance.ics").body

    def test_what_people_wrote_does_not_run(self, visitor: Visitor) -> None:
        schedule(title="<script>x</script>", body="<img src=x onerror=y> **bold**")
        publish()

        page = visitor.get("/").text

        assert "<script>x" not in page
        assert "<img src=x" not in page
        assert "<strong>bold</strong>" in page

    def test_shows_no_words_that_were_meant_for_staff(self, visitor: Visitor) -> None:
        maintenance = schedule(visibility=Visibility.INTERNAL, body="Root password of db-3")
        operations.correct_maintenance_update(
            update_id=maintenance.updates.get().pk,
            body="Root password of db-4",
            at=NOON + MINUTE,
            author=None,
        )
        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title="Storage upgrade"),
            at=NOON + HOUR,
            author=None,
        )
        publish(NOON + HOUR)

        for path in (
            "/",
            page_of(maintenance),
            "/history.atom",
            "/maintenance.ics",
            "/api/v2/scheduled-maintenances.json",
            f"/api/v2/incidents/{maintenance.public_id}.json",
        ):
            text = visitor.get(path).text
            assert "Storage upgrade" in text
            assert "Root password" not in text


class TestTime:
    """No process runs between these readings."""

    def test_makes_it_overdue(self, visitor: Visitor) -> None:
        maintenance = schedule(starts_by_itself=False)
        publish()

        for path in ("/", "/live", page_of(maintenance)):
            assert "It begins on" in read_at(visitor, BEGINS - MINUTE, path)
            late = read_at(visitor, BEGINS + MINUTE, path)
            assert "It should have begun on" in late
            assert "and has not yet." in late
            assert "and has not begun." in read_at(visitor, ENDS, path)

    def test_gives_the_clock_a_moment_and_then_tells_on_it(self, visitor: Visitor) -> None:
        schedule()
        publish()

        assert "It begins on" in read_at(visitor, BEGINS + MINUTE / 2)
        assert "should have begun" in read_at(visitor, BEGINS + 2 * MINUTE)

    def test_makes_it_overrun(self, visitor: Visitor) -> None:
        maintenance = schedule(ends_by_itself=False)
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        publish(BEGINS)

        assert "It is planned until" in read_at(visitor, ENDS - MINUTE)
        late = read_at(visitor, ENDS)
        assert "is not finished: it takes longer." in late
        assert "Takes longer" in late

    def test_publishes_again_when_it_turns(self, visitor: Visitor) -> None:
        maintenance = schedule(starts_by_itself=False)
        publish(BEGINS - MINUTE)

        assert not publisher.publish_due(now=lambda: BEGINS - MINUTE / 2)
        assert publisher.publish_due(now=lambda: BEGINS)
        assert "should have begun" in visitor.get(page_of(maintenance)).text

    def test_far_ahead_makes_no_editions(self, visitor: Visitor) -> None:
        for number in range(10):
            schedule(
                scheduled_for=BEGINS + (30 + number) * DAY,
                scheduled_until=ENDS + (30 + number) * DAY,
            )
        publish()

        assert 'id="age" data-ago>' not in read_at(visitor, NOON)
        assert 'id="age" data-ago>' in read_at(visitor, NOON + DAY)


class TestPage:
    def test_keeps_an_address_of_its_own(self, visitor: Visitor, tours: Component) -> None:
        maintenance = schedule(components=[tours.pk])
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        publish(ENDS)
        publish(ENDS + MINUTE)

        page = visitor.get(page_of(maintenance)).text

        assert "It was finished on" in page
        assert "(2 hours)" in page
        assert "Tours</bdi>: Under maintenance" in page
        assert "Tours</bdi>: Operational" in page
        assert "data-src" not in page

    def test_shows_an_edit_with_what_it_said(self, visitor: Visitor) -> None:
        maintenance = schedule(body="At two.")
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        publish(ENDS)
        update = maintenance.updates.order_by("pk")[0]
        operations.correct_maintenance_update(
            update_id=update.pk, body="At one.", at=ENDS + MINUTE, author=None
        )
        publish(ENDS + MINUTE)

        page = visitor.get(page_of(maintenance)).text

        assert "At one." in page
        assert "edited" in page
        assert "What it said until" in page
        assert "At two." in page

    def test_says_that_it_was_called_off(self, visitor: Visitor) -> None:
        maintenance = schedule()
        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=NOON, author=None)
        publish(NOON + MINUTE)

        page = visitor.get(page_of(maintenance)).text

        assert "Cancelled" in page
        assert "It was called off on" in page

    def test_goes_when_it_is_hidden(self, visitor: Visitor) -> None:
        maintenance = schedule()
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        publish(ENDS)
        assert visitor.get(page_of(maintenance)).status == 200

        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title=maintenance.title, visibility=Visibility.INTERNAL),
            at=ENDS,
            author=None,
        )
        publish(ENDS + MINUTE)

        assert visitor.get(page_of(maintenance)).status == 404
        assert visitor.get(f"/api/v2/incidents/{maintenance.public_id}.json").status == 404
        assert "Storage upgrade" not in visitor.get("/history").text

    def test_written_afterwards_says_so(self, visitor: Visitor) -> None:
        maintenance = schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        publish()

        assert "This was written down afterwards." in visitor.get(page_of(maintenance)).text

    def test_survives_publishing_everything_anew(self, visitor: Visitor) -> None:
        maintenance = schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        publisher.publish_all(now=lambda: NOON)
        publisher.publish_all(now=lambda: NOON + MINUTE)

        assert visitor.get(page_of(maintenance)).status == 200
        assert visitor.get(f"/api/v2/incidents/{maintenance.public_id}.json").status == 200


class TestHistory:
    def test_has_what_is_over_beside_incidents(self, visitor: Visitor) -> None:
        schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        incident = operations.declare_incident(
            title="Login failed", severity=Severity.SEV3, at=NOON, author=None, body="Looking."
        )
        schedule(title="Still to come")
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + MINUTE, author=None
        )
        publish(NOON + 2 * MINUTE)

        month = visitor.get("/history/2026-01").text

        assert month.index("Login failed") < month.index("Storage upgrade")
        assert "Still to come" not in month
        assert "Storage upgrade" in visitor.get("/history").text
        front = visitor.get("/").text
        assert front.index('id="past"') < front.index("Storage upgrade")

    def test_of_what_was_called_off_before_its_time_is_dated_by_that(
        self, visitor: Visitor
    ) -> None:
        maintenance = schedule(scheduled_for=NOON + 60 * DAY, scheduled_until=NOON + 61 * DAY)
        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=NOON, author=None)
        publish(NOON + MINUTE)

        assert "Storage upgrade" in visitor.get("/history").text
        assert visitor.get("/history/2026-03").status == 404

    def test_of_months_with_maintenances_only_is_linked(self, visitor: Visitor) -> None:
        schedule(scheduled_for=NOON - 70 * DAY, scheduled_until=NOON - 69 * DAY)
        publish()

        assert 'href="/history/2025-11"' in visitor.get("/history").text
        assert "Storage upgrade" in visitor.get("/history/2025-11").text

    def test_costs_nothing_when_nothing_has_changed(
        self, page_root: Path, visitor: Visitor
    ) -> None:
        maintenance = schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        publish()
        file = page_root / "archive" / "maintenances" / f"{maintenance.public_id}.html"
        written = file.stat().st_mtime_ns

        publish(NOON + MINUTE)

        assert file.stat().st_mtime_ns == written
