"""Planned work for tests, published and read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from incidents import operations
from incidents.models import Maintenance
from incidents.operations import Plan
from statuspage import publisher
from tests.factories import HOUR, NOON
from tests.statuspage.conftest import Visitor

DAY = timedelta(days=1)
BEGINS, ENDS = NOON + HOUR, NOON + 3 * HOUR
TWILIO = "twilio.summary.2020-06-16.json"
Captured = Callable[[str], Any]


def schedule(
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


def publish(at: datetime = NOON) -> None:
    publisher.publish_now(now=lambda: at)


def read_at(visitor: Visitor, at: datetime, path: str = "/") -> str:
    visitor.clock[0] = at.timestamp()
    return visitor.get(path).text


def page_of(maintenance: Maintenance) -> str:
    return f"/maintenances/{maintenance.public_id}"
