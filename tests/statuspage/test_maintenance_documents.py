"""Planned work in the API, the feed, the calendar and messages, and on several pages."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from incidents import operations
from incidents.models import Component, MaintenanceUpdate
from incidents.operations import Plan
from incidents.values import Visibility
from notifications.models import Delivery
from statuspage.deliveries import queue_deliveries
from statuspage.models import Announcement
from statuspage.operations import add_page, choose_content, set_up_page
from statuspage.subscribing import Wish, add_subscriber, unsubscribe
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.statuspage.conftest import Visitor
from tests.statuspage.planned import (
    BEGINS,
    DAY,
    ENDS,
    TWILIO,
    Captured,
    page_of,
    publish,
    schedule,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _page(public_root: Path) -> None:
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


class TestApi:
    def test_has_the_keys_of_a_captured_one(
        self, visitor: Visitor, captured: Captured, tours: Component
    ) -> None:
        theirs = captured(TWILIO)["scheduled_maintenances"][0]
        schedule(components=[tours.pk])
        publish()

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
            schedule(
                title=title,
                scheduled_for=NOON + days * DAY,
                scheduled_until=NOON + days * DAY + HOUR,
            )
        running = schedule(title="Running", components=[tours.pk])
        over = schedule(title="Over")
        off = schedule(title="Off")
        for row in (running, over):
            operations.start_maintenance(maintenance_id=row.pk, at=BEGINS, author=None)
        operations.verify_maintenance(maintenance_id=running.pk, at=BEGINS, author=None)
        operations.finish_maintenance(maintenance_id=over.pk, at=BEGINS + MINUTE, author=None)
        operations.cancel_maintenance(maintenance_id=off.pk, at=BEGINS + 2 * MINUTE, author=None)
        publish(ENDS)

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
        maintenance = schedule()
        operations.advance_maintenances(at=BEGINS)
        operations.advance_maintenances(at=ENDS)
        publish(ENDS)

        found = visitor.get(f"/api/v2/incidents/{maintenance.public_id}.json").json

        assert list(found) == ["page", "incident"]
        incident = found["incident"]
        assert incident["impact"] == "maintenance"
        assert incident["started_at"] == incident["created_at"] == "2026-01-12T12:00:00.000Z"
        assert incident["scheduled_for"] == "2026-01-12T13:00:00.000Z"
        assert incident["scheduled_until"] == "2026-01-12T15:00:00.000Z"
        assert incident["resolved_at"] == "2026-01-12T15:00:00.000Z"
        assert incident["shortlink"].endswith(page_of(maintenance))
        assert [one["status"] for one in incident["incident_updates"]] == [
            "completed",
            "in_progress",
            "scheduled",
        ]
        assert incident["incident_updates"][0]["affected_components"] is None


class TestFeed:
    def test_has_it_under_a_name_that_stays(self, visitor: Visitor) -> None:
        maintenance = schedule()
        publish()
        name = f"<id>tag:status.acme.example,2005:Maintenance/{maintenance.pk}</id>"
        feed = visitor.get("/history.atom").text
        assert name in feed
        assert "Planned time: 12 January 2026, 13:00 – 15:00 UTC" in feed
        assert "Scheduled&lt;/strong&gt; - We replace a disk." in feed

        operations.cancel_maintenance(maintenance_id=maintenance.pk, at=BEGINS, author=None)
        publish(BEGINS)

        feed = visitor.get("/history.atom").text
        assert feed.count(name) == 1
        assert "<published>2026-01-12T13:00:00Z</published>" in feed


class TestCalendar:
    def _events(self, visitor: Visitor) -> dict[str, Any]:
        found = Calendar.from_ical(visitor.get("/maintenance.ics").body)
        return {str(event["summary"]): event for event in found.walk("VEVENT")}

    def test_has_an_event_for_each(self, visitor: Visitor) -> None:
        body = "First line,\nsecond; line: with 10 \\ and a " + "long " * 40 + "line\u00fc."
        maintenance = schedule(title="Disk, swap; \u00fc", body=body)
        publish()

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
        assert event["url"] == f"https://status.acme.example{page_of(maintenance)}"
        assert str(event["description"]) == body
        assert "location" not in event

    def test_moves_and_strikes_out_the_same_event(self, visitor: Visitor) -> None:
        maintenance = schedule()
        publish()
        before = self._events(visitor)["Storage upgrade"]
        operations.reschedule_maintenance(
            maintenance_id=maintenance.pk,
            scheduled_for=BEGINS + DAY,
            scheduled_until=ENDS + DAY,
            at=NOON + MINUTE,
            author=None,
        )
        set_up_page(name="Other", url="https://other.example", at=NOON + MINUTE)
        publish(NOON + MINUTE)
        moved = self._events(visitor)["Storage upgrade"]
        operations.cancel_maintenance(
            maintenance_id=maintenance.pk, at=NOON + 2 * MINUTE, author=None
        )
        publish(NOON + 2 * MINUTE)
        struck = self._events(visitor)["Storage upgrade"]

        assert before["uid"] == moved["uid"] == struck["uid"]
        assert [event["sequence"] for event in (before, moved, struck)] == [0, 1, 2]
        assert moved.decoded("dtstart") == BEGINS + DAY
        assert moved.decoded("dtstamp") > before.decoded("dtstamp")
        assert struck["status"] == "CANCELLED"

    def test_is_written_anew_for_every_change_of_what_it_carries(self, visitor: Visitor) -> None:
        its: dict[str, Any] = {"maintenance_id": schedule().pk, "author": None}
        deeds: list[Callable[[datetime], object]] = [
            lambda at: operations.post_maintenance_update(body="More.", at=at, **its),
            lambda at: operations.correct_maintenance_update(
                update_id=MaintenanceUpdate.objects.newest_first()[0].pk,
                body="Less.",
                at=at,
                author=None,
            ),
            lambda at: operations.edit_maintenance(plan=Plan(title="Disks"), at=at, **its),
            lambda at: operations.extend_maintenance(until=ENDS + HOUR, at=at, **its),
            lambda at: set_up_page(name="Other", url="https://status.acme.example", at=at),
            lambda at: operations.cancel_maintenance(at=at, **its),
            lambda at: operations.edit_maintenance(
                plan=Plan(title="Disks", visibility=Visibility.INTERNAL), at=at, **its
            ),
        ]
        publish()
        seen = [visitor.get("/maintenance.ics").body]
        for minute, deed in enumerate(deeds, start=1):
            deed(NOON + minute * MINUTE)
            publish(NOON + minute * MINUTE)
            seen.append(visitor.get("/maintenance.ics").body)

        assert len(set(seen)) == len(seen)

    def test_lets_go_of_what_is_long_over(self, visitor: Visitor) -> None:
        for title, ago in (("Recent", 80), ("Old", 100)):
            schedule(
                title=title,
                scheduled_for=NOON - ago * DAY,
                scheduled_until=NOON - ago * DAY + HOUR,
            )
        publish()

        assert list(self._events(visitor)) == ["Recent"]

    def test_is_linked_from_every_page(self, visitor: Visitor) -> None:
        publish()

        assert 'type="text/calendar"' in visitor.get("/").text

    def test_of_the_same_is_the_same(self, visitor: Visitor) -> None:
        schedule()
        publish()
        first = visitor.get("/maintenance.ics").body
        publish(NOON + MINUTE)

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
        add_subscriber(wish=Wish(email="bob@example.com"), page_id=page.pk, at=NOON)
        schedule(title="Login upgrade", components=[login.pk, tours.pk])
        other = schedule(title="Tours upgrade", components=[tours.pk])
        schedule(title="Everything moves")
        publish()
        queue_deliveries(at=NOON)

        front = visitor.get("/", host="beta.example").text
        calendar = visitor.get("/maintenance.ics", host="beta.example").text
        summary = visitor.get("/api/v2/summary.json", host="beta.example").json

        [shown] = summary["scheduled_maintenances"]
        assert [part["name"] for part in shown["components"]] == ["Login"]
        for words in ("Tours", "Everything moves"):
            assert words not in front
            assert words not in calendar
        assert visitor.get(page_of(other), host="beta.example").status == 404
        assert Delivery.objects.get().message.subject == "[Beta] Scheduled: Login upgrade"


class TestMessages:
    def test_tell_followers_of_each_step_once(self) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        schedule(remind_before=HOUR / 2)
        for at in (BEGINS - HOUR / 2, BEGINS, ENDS):
            operations.advance_maintenances(at=at)

        assert queue_deliveries(at=ENDS) == 4
        assert queue_deliveries(at=ENDS) == 0

        sent = list(Delivery.objects.order_by("pk"))
        assert [delivery.message.subject for delivery in sent] == [
            "[Acme] Scheduled: Storage upgrade",
            "[Acme] Scheduled: Storage upgrade",
            "[Acme] In progress: Storage upgrade",
            "[Acme] Completed: Storage upgrade",
        ]
        assert sent[0].message.body.startswith("We replace a disk.\n")
        assert "Planned time: 12 January 2026, 13:00 – 15:00 UTC" in sent[0].message.body
        assert "https://status.acme.example/maintenances/" in sent[0].message.body
        assert len({delivery.message.headers["References"] for delivery in sent}) == 1
        assert Announcement.objects.filter(maintenance_update__isnull=False).count() == 4

    def test_one_who_has_left_meanwhile_gets_nothing(self) -> None:
        left = add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        schedule()
        unsubscribe(token=left.token, at=NOON + MINUTE)

        queue_deliveries(at=NOON + 2 * MINUTE)

        assert not Delivery.objects.exists()

    def test_are_not_sent_where_nobody_shall_be_notified(self) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        schedule(deliver_notifications=False)
        schedule(visibility=Visibility.INTERNAL)
        schedule(scheduled_for=NOON - 3 * HOUR, scheduled_until=NOON - HOUR)

        assert queue_deliveries(at=NOON) == 0

    def test_of_what_was_internal_begin_when_it_is_public(self) -> None:
        add_subscriber(wish=Wish(email="ada@example.com"), at=NOON)
        maintenance = schedule(visibility=Visibility.INTERNAL)
        operations.edit_maintenance(
            maintenance_id=maintenance.pk,
            plan=Plan(title=maintenance.title),
            at=NOON + MINUTE,
            author=None,
        )

        assert queue_deliveries(at=NOON + MINUTE) == 1
