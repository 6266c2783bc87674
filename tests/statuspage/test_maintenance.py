"""Planned work as customers, programs and calendars read it; time alone makes it overdue."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from incidents import operations
from incidents.models import Component, Maintenance
from incidents.operations import Plan
from incidents.values import ComponentStatus, Severity, Visibility
from notifications.models import Delivery
from statuspage import publisher
from statuspage.deliveries import queue_deliveries
from statuspage.models import Announcement
from statuspage.operations import (
    add_page,
    add_subscriber,
    choose_content,
    set_up_page,
    unsubscribe,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BEGINS, ENDS = NOON + HOUR, NOON + 3 * HOUR
TWILIO = "twilio.summary.2020-06-16.json"
Captured = Callable[[str], Any]


@pytest.fixture(autouse=True)
def _page(public_root: Path) -> None:
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


def _schedule(
    *,
    at: datetime = NOON,
    scheduled_for: datetime = BEGINS,
    scheduled_until: datetime = ENDS,
    body: str = "We replace a disk.",
    **plan: Any,
) -> Maintenance:
    return operations.schedule_maintenance(
        plan=Plan(**{"title": "Storage upgrade"} | plan),
        scheduled_for=scheduled_for,
        scheduled_until=scheduled_until,
        at=at,
        author=None,
        body=body,
    )


def _publish(at: datetime = NOON) -> None:
    publisher.publish_now(now=lambda: at)


def _read_at(visitor: Visitor, at: datetime, path: str = "/") -> str:
    visitor.clock[0] = at.timestamp()
    return visitor.get(path).text


def _page_of(maintenance: Maintenance) -> str:
    return f"/maintenances/{maintenance.public_id}"


class TestFront:
    def test_shows_what_is_planned_below_and_what_runs_above_the_components(
        self, visitor: Visitor, tours: Component
    ) -> None:
        _schedule(components=[tours.pk])
        _publish()
        page = visitor.get("/").text
        assert page.index("Components") < page.index("Storage upgrade")
        assert "It begins on" in page
        assert '<time datetime="2026-01-12T13:00:00Z">13:00</time> – ' in page
        assert '<time datetime="2026-01-12T15:00:00Z">15:00 UTC</time>' in page

        operations.advance_maintenances(at=BEGINS)
        _publish(BEGINS)
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
        _schedule(scheduled_for=NOON + 10 * HOUR, scheduled_until=NOON + 12 * HOUR)
        _publish()

        page = visitor.get("/").text

        assert "12 January 2026, 23:00 CET</time> – " in page
        assert "13 January 2026, 01:00 CET</time>" in page

    def test_is_not_plain_green_while_customers_notice_nothing(self, visitor: Visitor) -> None:
        maintenance = _schedule(component_status=ComponentStatus.OPERATIONAL)
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        _publish(BEGINS)

        page = visitor.get("/").text
        status = visitor.get("/api/v2/status.json").json["status"]

        assert "Components operational, maintenance in progress" in page
        assert "Maintenance in progress: Storage upgrade" in page
        assert 'class="banner is-maintenance page-status status-none"' in page
        assert status == {"indicator": "none", "description": "All Systems Operational"}

    def test_says_service_under_maintenance_as_the_components_do(
        self, visitor: Visitor, tours: Component
    ) -> None:
        maintenance = _schedule(components=[tours.pk])
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        _publish(BEGINS)

        assert "Service under maintenance" in visitor.get("/").text
        assert visitor.get("/api/v2/status.json").json["status"]["indicator"] == "maintenance"

    def test_keeps_later_ones_as_lines(self, visitor: Visitor) -> None:
        for number in range(6):
            _schedule(
                title=f"Work {number}",
                scheduled_for=BEGINS + number * DAY,
                scheduled_until=ENDS + number * DAY,
            )
        _publish()

        page = visitor.get("/").text

        assert "Later maintenance: 3" in page
        assert page.count('class="story card is-maintenance"') == 3
        assert page.index("Work 0") < page.index("Work 2") < page.index("Work 5")

    def test_of_what_staff_keep_to_themselves_says_nothing(self, visitor: Visitor) -> None:
        maintenance = _schedule(visibility=Visibility.INTERNAL)
        _publish()

        assert "Storage upgrade" not in visitor.get("/").text
        assert visitor.get(_page_of(maintenance)).status == 404
        assert b"Storage upgrade" not in visitor.get("/maintenance.ics").body

    def test_what_people_wrote_does_not_run(self, visitor: Visitor) -> None:
        _schedule(title="<script>x</script>", body="<img src=x onerror=y> **bold**")
        _publish()

        page = visitor.get("/").text

        assert "<script>x" not in page
        assert "<img src=x" not in page
        assert "<strong>bold</strong>" in page


class TestTime:
    """No process runs between these readings."""

    def test_makes_it_overdue(self, visitor: Visitor) -> None:
        maintenance = _schedule(starts_by_itself=False)
        _publish()

        for path in ("/", "/live", _page_of(maintenance)):
            assert "It begins on" in _read_at(visitor, BEGINS - MINUTE, path)
            late = _read_at(visitor, BEGINS + MINUTE, path)
            assert "It should have begun on" in late
            assert "and has not yet." in late
            assert "and has not begun." in _read_at(visitor, ENDS, path)

    def test_gives_the_clock_a_moment_and_then_tells_on_it(self, visitor: Visitor) -> None:
        _schedule()
        _publish()

        assert "It begins on" in _read_at(visitor, BEGINS + MINUTE / 2)
        assert "should have begun" in _read_at(visitor, BEGINS + 2 * MINUTE)

    def test_makes_it_overrun(self, visitor: Visitor) -> None:
        maintenance = _schedule(ends_by_itself=False)
        operations.start_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        _publish(BEGINS)

        assert "It is planned until" in _read_at(visitor, ENDS - MINUTE)
        late = _read_at(visitor, ENDS)
        assert "is not finished: it takes longer." in late
        assert "Takes longer" in late

    def test_publishes_again_when_it_turns(self, visitor: Visitor) -> None:
        maintenance = _schedule(starts_by_itself=False)
        _publish(BEGINS - MINUTE)

        assert not publisher.publish_due(now=lambda: BEGINS - MINUTE / 2)
        assert publisher.publish_due(now=lambda: BEGINS)
        assert "should have begun" in visitor.get(_page_of(maintenance)).text

    def test_far_ahead_makes_no_editions(self, visitor: Visitor) -> None:
        for number in range(10):
            _schedule(
                scheduled_for=BEGINS + (30 + number) * DAY,
                scheduled_until=ENDS + (30 + number) * DAY,
            )
        _publish()

        assert 'id="age" data-ago>' not in _read_at(visitor, NOON)
        assert 'id="age" data-ago>' in _read_at(visitor, NOON + DAY)


class TestPage:
    def test_keeps_an_address_of_its_own(self, visitor: Visitor, tours: Component) -> None:
        maintenance = _schedule(components=[tours.pk])
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        _publish(ENDS)
        _publish(ENDS + MINUTE)

        page = visitor.get(_page_of(maintenance)).text

        assert "It was finished on" in page
        assert "(2 hours)" in page
        assert "Tours</bdi>: Under maintenance" in page
        assert "Tours</bdi>: Operational" in page
        assert "data-src" not in page

    def test_shows_an_edit_with_what_it_said(self, visitor: Visitor) -> None:
        maintenance = _schedule(body="At two.")
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        _publish(ENDS)
        update = maintenance.updates.order_by("pk")[0]
        operations.correct_maintenance_update(
            update_id=update.pk, body="At one.", at=ENDS + MINUTE, author=None
        )
        _publish(ENDS + MINUTE)

        page = visitor.get(_page_of(maintenance)).text

        assert "At one." in page
        assert "edited" in page
        assert "What it said until" in page
        assert "At two." in page

    def test_says_that_it_was_called_off(self, visitor: Visitor) -> None:
        maintenance = _schedule()
        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=NOON, author=None)
        _publish(NOON + MINUTE)

        page = visitor.get(_page_of(maintenance)).text

        assert "Cancelled" in page
        assert "It was called off on" in page

    def test_goes_when_it_is_hidden(self, visitor: Visitor) -> None:
        maintenance = _schedule()
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        _publish(ENDS)
        assert visitor.get(_page_of(maintenance)).status == 200

        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title=maintenance.title, visibility=Visibility.INTERNAL),
            at=ENDS,
            author=None,
        )
        _publish(ENDS + MINUTE)

        assert visitor.get(_page_of(maintenance)).status == 404
        assert visitor.get(f"/api/v2/incidents/{maintenance.public_id}.json").status == 404
        assert "Storage upgrade" not in visitor.get("/history").text

    def test_written_afterwards_says_so(self, visitor: Visitor) -> None:
        maintenance = _schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        _publish()

        assert "This was written down afterwards." in visitor.get(_page_of(maintenance)).text

    def test_survives_publishing_everything_anew(self, visitor: Visitor) -> None:
        maintenance = _schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        publisher.publish_all(now=lambda: NOON)
        publisher.publish_all(now=lambda: NOON + MINUTE)

        assert visitor.get(_page_of(maintenance)).status == 200
        assert visitor.get(f"/api/v2/incidents/{maintenance.public_id}.json").status == 200


class TestHistory:
    def test_has_what_is_over_beside_incidents(self, visitor: Visitor) -> None:
        _schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        incident = operations.declare_incident(
            title="Login failed", severity=Severity.SEV3, at=NOON, author=None, body="Looking."
        )
        _schedule(title="Still to come")
        operations.resolve_incident(
            incident_id=incident.pk, body="Over.", at=NOON + MINUTE, author=None
        )
        _publish(NOON + 2 * MINUTE)

        month = visitor.get("/history/2026-01").text

        assert month.index("Login failed") < month.index("Storage upgrade")
        assert "Still to come" not in month
        assert "Storage upgrade" in visitor.get("/history").text
        front = visitor.get("/").text
        assert front.index('id="past"') < front.index("Storage upgrade")

    def test_of_what_was_called_off_before_its_time_is_dated_by_that(
        self, visitor: Visitor
    ) -> None:
        maintenance = _schedule(scheduled_for=NOON + 60 * DAY, scheduled_until=NOON + 61 * DAY)
        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=NOON, author=None)
        _publish(NOON + MINUTE)

        assert "Storage upgrade" in visitor.get("/history").text
        assert visitor.get("/history/2026-03").status == 404

    def test_of_months_with_maintenances_only_is_linked(self, visitor: Visitor) -> None:
        _schedule(scheduled_for=NOON - 70 * DAY, scheduled_until=NOON - 69 * DAY)
        _publish()

        assert 'href="/history/2025-11"' in visitor.get("/history").text
        assert "Storage upgrade" in visitor.get("/history/2025-11").text

    def test_costs_nothing_when_nothing_has_changed(
        self, page_root: Path, visitor: Visitor
    ) -> None:
        maintenance = _schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)
        _publish()
        file = page_root / "archive" / "maintenances" / f"{maintenance.public_id}.html"
        written = file.stat().st_mtime_ns

        _publish(NOON + MINUTE)

        assert file.stat().st_mtime_ns == written


class TestApi:
    def test_has_the_keys_of_a_captured_one(
        self, visitor: Visitor, captured: Captured, tours: Component
    ) -> None:
        theirs = captured(TWILIO)["scheduled_maintenances"][0]
        _schedule(components=[tours.pk])
        _publish()

        ours = visitor.get("/api/v2/summary.json").json["scheduled_maintenances"][0]

        assert list(ours) == list(theirs)
        for part in ("incident_updates", "components"):
            known = list(theirs[part][0])
            # Captures of 2020 lack the date since which a component is in service.
            assert [key for key in ours[part][0] if key in known] == known
        change, known = (
            one["incident_updates"][0]["affected_components"][0] for one in (ours, theirs)
        )
        assert list(change) == list(known)
        assert (change["old_status"], change["new_status"]) == ("operational", "operational")

    def test_lists_each_where_it_belongs(self, visitor: Visitor, tours: Component) -> None:
        for title, days in (("Next", 1), ("Later", 2)):
            _schedule(
                title=title,
                scheduled_for=NOON + days * DAY,
                scheduled_until=NOON + days * DAY + HOUR,
            )
        running = _schedule(title="Running", components=[tours.pk])
        over = _schedule(title="Over")
        off = _schedule(title="Off")
        for row in (running, over):
            operations.start_maintenance(maintenance_id=row.pk, at=BEGINS, author=None)
        operations.verify_maintenance(maintenance_id=running.pk, at=BEGINS, author=None)
        operations.finish_maintenance(maintenance_id=over.pk, at=BEGINS + MINUTE, author=None)
        operations.cancel_maintenance(maintenance_id=off.pk, at=BEGINS + 2 * MINUTE, author=None)
        _publish(ENDS)

        def listed(name: str) -> list[tuple[str, str]]:
            rows = visitor.get(f"/api/v2/{name}.json").json["scheduled_maintenances"]
            return [(row["name"], row["status"]) for row in rows]

        assert listed("summary") == [
            ("Running", "verifying"),
            ("Next", "scheduled"),
            ("Later", "scheduled"),
        ]
        assert listed("scheduled-maintenances/upcoming") == [
            ("Next", "scheduled"),
            ("Later", "scheduled"),
        ]
        assert listed("scheduled-maintenances/active") == [("Running", "verifying")]
        # Clients know no word for what was called off.
        assert listed("scheduled-maintenances")[:3] == [
            ("Off", "completed"),
            ("Over", "completed"),
            ("Running", "verifying"),
        ]

    def test_dates_it_from_its_record_and_ends_it(self, visitor: Visitor) -> None:
        maintenance = _schedule()
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        _publish(ENDS)

        found = visitor.get(f"/api/v2/incidents/{maintenance.public_id}.json").json

        assert list(found) == ["page", "incident"]
        incident = found["incident"]
        assert incident["impact"] == "maintenance"
        assert incident["started_at"] == incident["created_at"] == "2026-01-12T12:00:00.000Z"
        assert incident["scheduled_for"] == "2026-01-12T13:00:00.000Z"
        assert incident["scheduled_until"] == "2026-01-12T15:00:00.000Z"
        assert incident["resolved_at"] == "2026-01-12T15:00:00.000Z"
        assert incident["shortlink"].endswith(_page_of(maintenance))
        assert [one["status"] for one in incident["incident_updates"]] == [
            "completed",
            "in_progress",
            "scheduled",
        ]
        assert incident["incident_updates"][0]["affected_components"] is None


class TestFeed:
    def test_has_it_under_a_name_that_stays(self, visitor: Visitor) -> None:
        maintenance = _schedule()
        _publish()
        name = f"<id>tag:status.acme.example,2005:Maintenance/{maintenance.pk}</id>"
        feed = visitor.get("/history.atom").text
        assert name in feed
        assert "Planned time: 12 January 2026, 13:00 – 15:00 UTC" in feed
        assert "Scheduled&lt;/strong&gt; - We replace a disk." in feed

        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        _publish(BEGINS)

        feed = visitor.get("/history.atom").text
        assert feed.count(name) == 1
        assert "<published>2026-01-12T13:00:00Z</published>" in feed


class TestCalendar:
    def _events(self, visitor: Visitor) -> dict[str, Any]:
        found = Calendar.from_ical(visitor.get("/maintenance.ics").body)
        return {str(event["summary"]): event for event in found.walk("VEVENT")}

    def test_has_an_event_for_each(self, visitor: Visitor) -> None:
        body = "First line,\nsecond; line: with 10 \\ and a " + "long " * 40 + "line\u00fc."
        maintenance = _schedule(title="Disk, swap; \u00fc", body=body)
        _publish()

        answer = visitor.get("/maintenance.ics")
        event = self._events(visitor)["Disk, swap; \u00fc"]

        assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert max(len(line) for line in answer.body.split(b"\r\n")) <= 75
        assert event["uid"] == f"maintenance-{maintenance.public_id}@highwater"
        assert event.decoded("dtstart") == BEGINS
        assert event.decoded("dtend") == ENDS
        assert b"DTSTART:20260112T130000Z" in answer.body
        assert event["sequence"] == 0
        assert event["status"] == "CONFIRMED"
        assert event["url"] == f"https://status.acme.example{_page_of(maintenance)}"
        assert str(event["description"]) == body
        assert "location" not in event

    def test_moves_and_strikes_out_the_same_event(self, visitor: Visitor) -> None:
        maintenance = _schedule()
        _publish()
        before = self._events(visitor)["Storage upgrade"]
        operations.reschedule_maintenance(
            maintenance_id=maintenance.pk,
            scheduled_for=BEGINS + DAY,
            scheduled_until=ENDS + DAY,
            at=NOON + MINUTE,
            author=None,
        )
        set_up_page(name="Other", url="https://other.example", at=NOON + MINUTE)
        _publish(NOON + MINUTE)
        moved = self._events(visitor)["Storage upgrade"]
        operations.cancel_maintenance(
            maintenance_id=maintenance.pk, at=NOON + 2 * MINUTE, author=None
        )
        _publish(NOON + 2 * MINUTE)
        struck = self._events(visitor)["Storage upgrade"]

        assert before["uid"] == moved["uid"] == struck["uid"]
        assert [event["sequence"] for event in (before, moved, struck)] == [0, 1, 2]
        assert moved.decoded("dtstart") == BEGINS + DAY
        assert moved.decoded("dtstamp") > before.decoded("dtstamp")
        assert struck["status"] == "CANCELLED"

    def test_lets_go_of_what_is_long_over(self, visitor: Visitor) -> None:
        for title, ago in (("Recent", 80), ("Old", 100)):
            _schedule(
                title=title,
                scheduled_for=NOON - ago * DAY,
                scheduled_until=NOON - ago * DAY + HOUR,
            )
        _publish()

        assert list(self._events(visitor)) == ["Recent"]

    def test_is_linked_from_every_page(self, visitor: Visitor) -> None:
        _publish()

        assert 'type="text/calendar"' in visitor.get("/").text

    def test_of_the_same_is_the_same(self, visitor: Visitor) -> None:
        _schedule()
        _publish()
        first = visitor.get("/maintenance.ics").body
        _publish(NOON + MINUTE)

        assert visitor.get("/maintenance.ics").body == first


class TestSeveralPages:
    def test_each_shows_and_tells_what_touches_its_components(
        self, visitor: Visitor, tours: Component
    ) -> None:
        login = ComponentFactory.create(name="Login")
        page = add_page(slug="beta", name="Beta", url="https://beta.example", at=NOON)
        choose_content(
            page_id=page.pk,
            shows_everything=False,
            component_ids=[login.pk],
            has_my_data=False,
            has_backup_proof=False,
            at=NOON,
        )
        add_subscriber(email="bob@example.com", page_id=page.pk, at=NOON)
        _schedule(title="Login upgrade", components=[login.pk, tours.pk])
        other = _schedule(title="Tours upgrade", components=[tours.pk])
        _schedule(title="Everything moves")
        _publish()
        queue_deliveries(at=NOON)

        front = visitor.get("/", host="beta.example").text
        calendar = visitor.get("/maintenance.ics", host="beta.example").text
        summary = visitor.get("/api/v2/summary.json", host="beta.example").json

        [shown] = summary["scheduled_maintenances"]
        assert [part["name"] for part in shown["components"]] == ["Login"]
        for words in ("Tours", "Everything moves"):
            assert words not in front
            assert words not in calendar
        assert visitor.get(_page_of(other), host="beta.example").status == 404
        assert Delivery.objects.get().subject == "[Beta] Scheduled: Login upgrade"


class TestMessages:
    def test_tell_followers_of_each_step_once(self) -> None:
        add_subscriber(email="ada@example.com", at=NOON)
        _schedule(remind_before=HOUR / 2)
        for at in (BEGINS - HOUR / 2, BEGINS, ENDS):
            operations.advance_maintenances(at=at)

        assert queue_deliveries(at=ENDS) == 4
        assert queue_deliveries(at=ENDS) == 0

        sent = list(Delivery.objects.order_by("pk"))
        assert [delivery.subject for delivery in sent] == [
            "[Acme] Scheduled: Storage upgrade",
            "[Acme] Scheduled: Storage upgrade",
            "[Acme] In progress: Storage upgrade",
            "[Acme] Completed: Storage upgrade",
        ]
        assert sent[0].body.startswith("We replace a disk.\n")
        assert "Planned time: 12 January 2026, 13:00 – 15:00 UTC" in sent[0].body
        assert "https://status.acme.example/maintenances/" in sent[0].body
        assert len({delivery.headers["References"] for delivery in sent}) == 1
        assert Announcement.objects.filter(maintenance_update__isnull=False).count() == 4

    def test_one_who_has_left_meanwhile_gets_nothing(self) -> None:
        left = add_subscriber(email="ada@example.com", at=NOON)
        _schedule()
        unsubscribe(token=left.token, at=NOON + MINUTE)

        queue_deliveries(at=NOON + 2 * MINUTE)

        assert not Delivery.objects.exists()

    def test_are_not_sent_where_nobody_shall_be_notified(self) -> None:
        add_subscriber(email="ada@example.com", at=NOON)
        _schedule(deliver_notifications=False)
        _schedule(visibility=Visibility.INTERNAL)
        _schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)

        assert queue_deliveries(at=NOON) == 0

    def test_of_what_was_internal_begin_when_it_is_public(self) -> None:
        add_subscriber(email="ada@example.com", at=NOON)
        maintenance = _schedule(visibility=Visibility.INTERNAL)
        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title=maintenance.title),
            at=NOON + MINUTE,
            author=None,
        )

        assert queue_deliveries(at=NOON + MINUTE) == 1
