"""A night of planned work: told, recalled, begun by the clock, overrun, extended, finished."""

from datetime import UTC, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar
from pytest_django import Settings

from incidents import operations
from incidents.models import Maintenance
from notifications.models import Delivery
from statuspage import publisher
from statuspage.deliveries import queue_deliveries
from statuspage.operations import set_up_page
from statuspage.publisher.histories import histories
from statuspage.serving import PublicSite
from statuspage.subscribing import Wish, add_subscriber
from tests.factories import HOUR, MINUTE, ResponderFactory
from tests.statuspage.conftest import Visitor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

pytestmark = pytest.mark.django_db


def _nothing_behind(_environ: dict[str, Any], start: "StartResponse") -> list[bytes]:
    start("404 Not Found", [])
    return []


def test_a_night_of_planned_work(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.PUBLIC_ROOT = tmp_path / "public"
    clock = [0.0]
    site = PublicSite(_nothing_behind, root=settings.PUBLIC_ROOT, clock=lambda: clock[0])
    visitor = Visitor(site, clock)
    now = timezone.now().replace(second=0, microsecond=0)
    begins, ends = now + 2 * HOUR, now + 4 * HOUR
    set_up_page(name="Acme", url="https://status.acme.example", at=now)
    add_subscriber(wish=Wish(email="ada@example.com"), at=now)
    tours = operations.add_component(name="Tours", at=now - 100 * timedelta(days=1))
    client.force_login(ResponderFactory.create())

    # Somebody plans it at the desk. It ends when somebody says so.
    client.post(
        reverse("incidents:maintenance-schedule"),
        {
            "title": "Database upgrade",
            "scheduled_for": f"{begins:%Y-%m-%dT%H:%M}",
            "scheduled_until": f"{ends:%Y-%m-%dT%H:%M}",
            "tz": "UTC",
            "components": [tours.pk],
            "component_status": "under_maintenance",
            "body": "Tours open slowly meanwhile.",
            "remind_before": "60",
            "starts_by_itself": "on",
            "deliver_notifications": "on",
            "visibility": "public",
        },
    )
    maintenance = Maintenance.objects.get()
    address = f"/maintenances/{maintenance.public_id}"
    publisher.publish_now(now=lambda: now + MINUTE)
    assert "It begins on" in visitor.get("/").text
    assert "Tours open slowly meanwhile." in visitor.get(address).text

    # The clock recalls it, begins it, and the components follow.
    operations.advance_maintenances(at=begins - HOUR)
    operations.advance_maintenances(at=begins)
    publisher.publish_now(now=lambda: begins)
    page = visitor.get("/")
    assert "Service under maintenance" in page.text
    assert 'data-component-status="under_maintenance"' in page.text

    # It takes longer, and the page says so with nobody's help.
    operations.advance_maintenances(at=ends + 10 * MINUTE)
    clock[0] = (ends + 10 * MINUTE).timestamp()
    assert "is not finished: it takes longer." in visitor.get("/").text

    # Then somebody says so, too.
    later = ends + HOUR
    operations.extend_maintenance(
        maintenance_id=maintenance.pk, until=later, at=ends + 20 * MINUTE, author=None
    )
    publisher.publish_now(now=lambda: ends + 20 * MINUTE)
    clock[0] = 0.0
    assert "is not finished" not in visitor.get("/").text
    event = Calendar.from_ical(visitor.get("/maintenance.ics").body).walk("VEVENT")[0]
    assert event["sequence"] == 1
    assert event.decoded("dtend") == later

    # It is done before its new end.
    operations.finish_maintenance(maintenance_id=maintenance.pk, at=ends + 30 * MINUTE, author=None)
    publisher.publish_now(now=lambda: ends + 31 * MINUTE)
    assert "All systems operational" in visitor.get("/").text
    done = visitor.get(address).text
    assert "(2 hours 30 minutes)" in done
    month = visitor.get(f"/history/{begins:%Y-%m}").text
    assert "Database upgrade" in month

    # Whoever follows the page heard of each step, once.
    queue_deliveries(at=later)
    queue_deliveries(at=later)
    subjects = Delivery.objects.order_by("pk").values_list("message__subject", flat=True)
    assert [subject.partition("] ")[2].partition(":")[0] for subject in subjects] == [
        "Scheduled",
        "Scheduled",
        "In progress",
        "In progress",
        "Completed",
    ]

    # Planned work is no downtime.
    tours.refresh_from_db()
    history = histories([tours], at=later, zone=UTC)[tours.pk]
    assert set(history.uptime.values()) == {Fraction(1)}
    spans = tours.intervals.filter(status="under_maintenance").values_list("began_at", "ended_at")
    assert list(spans) == [(begins, ends + 30 * MINUTE)]
