"""An incident that was written down afterwards, as customers find it."""

from datetime import timedelta
from pathlib import Path

import pytest

from incidents import operations
from incidents.operations import PastUpdate
from incidents.values import Phase, Severity
from notifications.models import Delivery
from statuspage import publisher
from statuspage.deliveries import queue_deliveries
from statuspage.subscribing import Wish, add_subscriber
from tests.factories import HOUR, NOON
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


def test_stands_at_its_own_dates_and_notifies_nobody(page_root: Path, visitor: Visitor) -> None:
    publisher.publish_now(now=lambda: NOON)
    add_subscriber(wish=Wish(email="customer@example.org"), at=NOON)
    incident = operations.backfill_incident(
        title="Tours did not open", severity=Severity.SEV1, began_at=NOON - 3 * HOUR,
        ended_at=NOON - HOUR, at=LATER, author=None,
        updates=[
            PastUpdate(at=NOON - 2 * HOUR, phase=Phase.IDENTIFIED, body="It is the disk."),
            PastUpdate(at=NOON - HOUR, phase=Phase.RESOLVED, body="It is over."),
        ],
    )  # fmt: skip
    publisher.request_publish(incident.pk, now=lambda: LATER)

    page = visitor.get(f"/incidents/{incident.public_id}").text
    document = visitor.get(f"/api/v2/incidents/{incident.public_id}.json").json["incident"]

    assert "It is the disk." in page
    assert "12 January 2026, 09:00 UTC" in page
    assert document["created_at"] == "2026-01-12T09:00:00.000Z"
    assert document["resolved_at"] == "2026-01-12T11:00:00.000Z"
    assert [update["display_at"] for update in document["incident_updates"]] == [
        "2026-01-12T11:00:00.000Z",
        "2026-01-12T10:00:00.000Z",
    ]
    assert incident.title in visitor.get("/history/2026-01").text
    assert queue_deliveries(at=LATER) == 0
    assert not Delivery.objects.exists()


def test_of_which_nothing_was_told_is_published_all_the_same(
    page_root: Path, visitor: Visitor
) -> None:
    incident = operations.backfill_incident(
        title="Tours did not open", severity=Severity.SEV1, began_at=NOON - 3 * HOUR,
        ended_at=NOON - HOUR, at=NOON, author=None,
    )  # fmt: skip

    publisher.publish_now(now=lambda: NOON)

    assert incident.title in visitor.get("/").text
    assert incident.title in visitor.get(f"/incidents/{incident.public_id}").text
    assert incident.title in visitor.get("/history.atom").text
