"""Planned work for tests, and what became of it."""

from datetime import datetime, timedelta
from typing import Any

from incidents import operations
from incidents.models import Component, Maintenance
from incidents.operations import Plan
from tests.factories import HOUR, NOON

DAY = timedelta(days=1)
BEGINS, ENDS = NOON + HOUR, NOON + 3 * HOUR


def schedule(
    *,
    at: datetime = NOON,
    scheduled_for: datetime = BEGINS,
    scheduled_until: datetime = ENDS,
    body: str = "",
    is_long_meant: bool = False,
    **plan: Any,
) -> Maintenance:
    return operations.schedule_maintenance(
        plan=Plan(**{"title": "Database upgrade"} | plan),
        scheduled_for=scheduled_for,
        scheduled_until=scheduled_until,
        at=at,
        author=None,
        body=body,
        is_long_meant=is_long_meant,
    )


def advance(*moments: datetime) -> list[int]:
    return [operations.advance_maintenances(at=at) for at in moments]


def told(maintenance: Maintenance) -> list[str]:
    return [update.state for update in maintenance.updates.order_by("published_at", "pk")]


def status(component: Component) -> str:
    component.refresh_from_db()
    return component.status
