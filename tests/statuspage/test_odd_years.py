"""One row with a mistyped year, however it got there, stops no publish."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from incidents.values import MaintenanceState
from statuspage import publisher
from statuspage.operations import set_up_page
from tests.factories import (
    HOUR,
    MINUTE,
    NOON,
    ComponentFactory,
    IncidentFactory,
    MaintenanceFactory,
    StatusUpdateFactory,
)
from tests.statuspage.conftest import Visitor

pytestmark = pytest.mark.django_db

FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
ODD = [FIRST, datetime(202, 1, 15, tzinfo=UTC), LAST]


@pytest.fixture(autouse=True, params=["UTC", "Europe/Amsterdam", "America/New_York"])
def _page(public_root: Path, request: pytest.FixtureRequest) -> None:
    set_up_page(name="Acme", url="https://status.acme.example", time_zone=request.param, at=NOON)
    publisher.publish_now(now=lambda: NOON)


def _assert_published(visitor: Visitor, title: str) -> None:
    publisher.publish_now(now=lambda: NOON + MINUTE)
    publisher.publish_all(now=lambda: NOON + 2 * MINUTE)
    assert title in visitor.get("/").text


@pytest.mark.parametrize("odd", ODD)
def test_of_an_incident(visitor: Visitor, odd: datetime) -> None:
    StatusUpdateFactory.create(incident=IncidentFactory.create(started_at=odd))
    over = IncidentFactory.create(over=True, started_at=odd, title="Long gone")

    _assert_published(visitor, "Tours do not open")

    assert visitor.get(f"/incidents/{over.public_id}").status == 200


def test_has_a_month_of_its_own(visitor: Visitor) -> None:
    IncidentFactory.create(over=True, started_at=ODD[1], title="Long gone")

    publisher.publish_now(now=lambda: NOON + MINUTE)

    assert "Long gone" in visitor.get("/history/0202-01").text
    assert 'href="/history/0202-01"' in visitor.get("/history").text


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("state", [MaintenanceState.SCHEDULED, MaintenanceState.COMPLETED])
def test_of_a_maintenance(visitor: Visitor, odd: datetime, state: MaintenanceState) -> None:
    until = odd + 20 * MINUTE
    is_over = state == MaintenanceState.COMPLETED
    MaintenanceFactory.create(
        state=state,
        scheduled_for=odd,
        scheduled_until=until,
        began_at=odd if is_over else None,
        ended_at=until if is_over else None,
    )

    _assert_published(visitor, "Database upgrade")


@pytest.mark.parametrize("odd", [date(1, 1, 1), date(9999, 12, 31)])
def test_of_a_start_date(visitor: Visitor, odd: date) -> None:
    ComponentFactory.create(start_on=odd, created_at=NOON - HOUR)

    _assert_published(visitor, "Tours")
