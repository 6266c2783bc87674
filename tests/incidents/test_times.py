"""A mistyped year gets into the record by no deed."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from incidents import operations
from incidents.models import Incident, TimelineEntry
from incidents.values import ImpactKind, Milestone, Phase, PromiseKind, Severity, When
from tests.factories import HOUR, NOON, IncidentFactory, TimelineEntryFactory

pytestmark = pytest.mark.django_db

BY: dict[str, Any] = {"at": NOON, "author": None}

DEEDS: list[Callable[[Incident, datetime], object]] = [
    lambda _incident, odd: operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, started=When(at=odd), **BY
    ),
    lambda _incident, odd: operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, detected=When(at=odd), **BY
    ),
    lambda incident, odd: operations.add_entry(
        incident_id=incident.pk,
        text="It began",
        when=When(at=odd),
        milestone=Milestone.STARTED,
        **BY,
    ),
    lambda incident, odd: operations.edit_entry(
        entry_id=TimelineEntry.objects.get(incident=incident).pk, when=When(at=odd), **BY
    ),
    lambda incident, odd: operations.make_promise(
        incident_id=incident.pk, kind=PromiseKind.ETA, due=When(at=odd), **BY
    ),
    lambda incident, odd: operations.make_promise(
        incident_id=incident.pk,
        kind=PromiseKind.ETA,
        due=When(at=min(odd, NOON + HOUR), until=max(odd, NOON + HOUR)),
        **BY,
    ),
    lambda incident, odd: operations.post_status_update(
        incident_id=incident.pk, body="We look.", phase=Phase.IDENTIFIED, next_update_at=odd, **BY
    ),
    lambda incident, odd: operations.record_impact(
        incident_id=incident.pk, kind=ImpactKind.DATA_UNAVAILABLE, began_at=odd, **BY
    ),
    lambda incident, odd: operations.record_impact(
        incident_id=incident.pk,
        kind=ImpactKind.DATA_UNAVAILABLE,
        began_at=NOON,
        data_from_at=odd,
        **BY,
    ),
]


@pytest.mark.parametrize("year", [1, 202, 2201, 9999])
@pytest.mark.parametrize("deed", DEEDS)
def test_it_is_refused(deed: Callable[[Incident, datetime], object], year: int) -> None:
    incident = IncidentFactory.create()
    TimelineEntryFactory.create(incident=incident)

    with pytest.raises(operations.OutOfTime):
        deed(incident, datetime(year, 12, 31, 23, 30, tzinfo=UTC))

    assert TimelineEntry.objects.get().at == NOON


@pytest.mark.parametrize("year", [1970, 2200])
def test_all_others_are_taken(year: int) -> None:
    when = When(at=datetime(year, 6, 1, tzinfo=UTC))

    entry = operations.add_entry(
        incident_id=IncidentFactory.create().pk, text="Built", when=when, **BY
    )

    assert entry.at == when.at
