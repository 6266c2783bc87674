"""Incidents that are written down once they are over."""

from typing import Any

import pytest

from incidents import operations
from incidents.models import Component, Incident, StatusInterval
from incidents.operations import PastUpdate
from incidents.values import ComponentStatus, IncidentKind, Phase, Severity
from tests.factories import HOUR, MINUTE, NOON, ResponderFactory

pytestmark = pytest.mark.django_db

LATER = NOON + 48 * HOUR
DOWN = ComponentStatus.MAJOR_OUTAGE


def _tours() -> Component:
    return operations.add_component(name="Tours", at=NOON - 100 * HOUR)


def _backfilled(**changes: Any) -> Incident:
    given: dict[str, Any] = {
        "title": "Tours did not open",
        "severity": Severity.SEV1,
        "began_at": NOON,
        "ended_at": NOON + 2 * HOUR,
        "updates": [
            PastUpdate(at=NOON + 2 * HOUR, phase=Phase.RESOLVED, body="It is over."),
            PastUpdate(at=NOON + 5 * MINUTE, phase=Phase.INVESTIGATING, body="We look."),
            PastUpdate(at=NOON + HOUR, phase=Phase.MONITORING, body="It is back."),
        ],
        "at": LATER,
        "author": ResponderFactory.create(),
    }
    return operations.backfill_incident(**given | changes)


class TestBackfillIncident:
    def test_stands_at_its_own_dates(self) -> None:
        incident = _backfilled()
        incident.refresh_from_db()

        assert incident.kind == IncidentKind.BACKFILLED
        assert incident.is_public
        assert incident.started_at == NOON
        assert incident.first_update_at == NOON + 5 * MINUTE
        assert incident.monitoring_at == NOON + HOUR
        assert incident.resolved_at == incident.updated_at == NOON + 2 * HOUR
        told = incident.updates.order_by("published_at").values_list("phase", "published_at")
        assert list(told) == [
            ("investigating", NOON + 5 * MINUTE),
            ("monitoring", NOON + HOUR),
            ("resolved", NOON + 2 * HOUR),
        ]

    def test_notifies_nobody(self) -> None:
        incident = _backfilled()

        assert not incident.updates.filter(deliver_notifications=True).exists()

    def test_says_what_suffered_and_leaves_it_as_it_is(self) -> None:
        tours = _tours()

        incident = _backfilled(components={tours.pk: DOWN})

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL
        changes = [
            (update.phase, change.old_status, change.new_status)
            for update in incident.updates.order_by("published_at")
            for change in update.component_changes.all()
        ]
        assert changes == [
            ("investigating", "operational", "major_outage"),
            ("resolved", "major_outage", "operational"),
        ]

    @pytest.mark.parametrize("corrects", [True, False])
    def test_corrects_the_history_if_wanted(self, *, corrects: bool) -> None:
        tours = _tours()

        _backfilled(components={tours.pk: DOWN}, corrects_history=corrects)

        down = StatusInterval.objects.filter(component=tours, status=DOWN)
        stretches = list(down.values_list("began_at", "ended_at"))
        assert stretches == ([(NOON, NOON + 2 * HOUR)] if corrects else [])

    @pytest.mark.parametrize(
        ("changes", "refusal"),
        [
            ({"ended_at": NOON - HOUR}, operations.EndsBeforeStart),
            ({"ended_at": LATER + HOUR}, operations.StillToCome),
            (
                {"updates": [PastUpdate(at=NOON - HOUR, phase=Phase.RESOLVED, body="Early")]},
                operations.ToldBeforeItBegan,
            ),
            (
                {"updates": [
                    PastUpdate(at=NOON, phase=Phase.RESOLVED, body="Over"),
                    PastUpdate(at=NOON + HOUR, phase=Phase.MONITORING, body="Not quite"),
                ]},
                operations.PhasesRunBackwards,
            ),
        ],
    )  # fmt: skip
    def test_refuses_what_cannot_have_been(
        self, changes: dict[str, Any], refusal: type[Exception]
    ) -> None:
        with pytest.raises(refusal):
            _backfilled(**changes)

        assert not Incident.objects.exists()

    def test_keeps_nothing_when_the_history_begins_later(self) -> None:
        tours = operations.add_component(name="Tours", at=NOON + HOUR)

        with pytest.raises(Exception, match="begins later"):
            _backfilled(components={tours.pk: DOWN})

        assert not Incident.objects.exists()
