"""Of work that is over, a publish reads plain columns, however much of it there is."""

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import operations
from incidents.models import Component, Maintenance, MaintenanceUpdate
from incidents.operations import Plan
from statuspage import publisher
from statuspage.operations import set_up_page
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
ROWS = (Maintenance, MaintenanceUpdate, Component)


@pytest.fixture
def tours(public_root: Path) -> Component:
    set_up_page(name="Acme", url="https://status.acme.example", at=NOON)
    return ComponentFactory.create()


def _written_down(count: int, component: Component, *, since: timedelta) -> None:
    for number in range(count):
        begins = NOON - since + number * HOUR
        operations.schedule_maintenance(
            plan=Plan(title=f"Work {number}", components=[component.pk]),
            scheduled_for=begins,
            scheduled_until=begins + HOUR,
            at=begins + HOUR,
            author=None,
        )


def _cost(after: timedelta) -> list[int]:
    """Return how much a publish asks, and how many rows of each kind it loads."""
    with ExitStack() as stack:
        loads = [
            stack.enter_context(mock.patch.object(kind, "from_db", wraps=kind.from_db))
            for kind in ROWS
        ]
        asked = stack.enter_context(CaptureQueriesContext(connection))
        publisher.publish_now(now=lambda: NOON + after)
        return [len(asked), *(load.call_count for load in loads)]


def test_does_not_grow_with_what_is_over(visitor: Visitor, tours: Component) -> None:
    _written_down(70, tours, since=60 * DAY)
    publisher.publish_now(now=lambda: NOON)
    before = _cost(MINUTE)
    first = visitor.get("/maintenance.ics").body

    _written_down(70, tours, since=30 * DAY)
    publisher.publish_now(now=lambda: NOON + 2 * MINUTE)
    after = _cost(3 * MINUTE)

    assert after == before
    # The lists have their fifty; the calendar has all, and lay as it was.
    listed = visitor.get("/api/v2/scheduled-maintenances.json").json["scheduled_maintenances"]
    assert len(listed) == 50
    counts = [body.count(b"BEGIN:VEVENT") for body in (first, visitor.get("/maintenance.ics").body)]
    assert counts == [70, 140]
