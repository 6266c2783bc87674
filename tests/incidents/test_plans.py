"""What an update brings is kept as JSON while it waits, and is the same afterwards."""

import json
from datetime import timedelta

import pytest

from incidents.plans import UpdatePlan
from incidents.values import ComponentStatus, Precision, When
from tests.factories import HOUR, NOON

WHOLE = UpdatePlan(
    component_statuses={7: ComponentStatus.MAJOR_OUTAGE},
    next_update_at=NOON + HOUR,
    eta=When(
        at=NOON + HOUR,
        until=NOON + 2 * HOUR,
        precision=Precision.HOUR,
        approx=True,
        tz="Europe/Amsterdam",
        said="this afternoon",
    ),
    eta_basis="the pace of the copy",
    eta_confidence="low",
    phase_seen="identified",
)


@pytest.mark.parametrize(
    "plan", [UpdatePlan(), WHOLE, UpdatePlan(next_update_in=timedelta(minutes=30))]
)
def test_is_read_back_as_it_was(plan: UpdatePlan) -> None:
    kept = json.loads(json.dumps(plan.as_json()))

    assert UpdatePlan.from_json(kept) == plan


def test_an_empty_one_keeps_nothing() -> None:
    assert UpdatePlan().as_json() == {}


def test_names_the_times_that_can_pass() -> None:
    assert WHOLE.times() == [When(at=NOON + HOUR), WHOLE.eta]
    assert UpdatePlan(next_update_in=HOUR).times() == []
