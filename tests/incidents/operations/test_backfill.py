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

    def test_makes_the_history_worse_and_never_better(self) -> None:
        tours = _tours()
        for status, at in ((DOWN, NOON), (ComponentStatus.OPERATIONAL, NOON + HOUR)):
            operations.set_component_status(component_id=tours.pk, status=status, at=at)

        _backfilled(
            began_at=NOON - HOUR,
            updates=[],
            components={tours.pk: ComponentStatus.DEGRADED_PERFORMANCE},
        )

        rows = tours.intervals.oldest_first().values_list("status", "began_at", "ended_at")
        assert list(rows) == [
            ("operational", NOON - 100 * HOUR, NOON - HOUR),
            ("degraded_performance", NOON - HOUR, NOON),
            ("major_outage", NOON, NOON + HOUR),
            ("degraded_performance", NOON + HOUR, NOON + 2 * HOUR),
            ("operational", NOON + 2 * HOUR, None),
        ]

    def test_can_be_told_as_over_later_than_it_was(self) -> None:
        update = PastUpdate(at=NOON + 3 * HOUR, phase=Phase.RESOLVED, body="It is over.")

        assert _backfilled(updates=[update]).resolved_at == NOON + 2 * HOUR

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
            (
                {"updates": [
                    PastUpdate(at=NOON + 2 * HOUR, phase=Phase.INVESTIGATING, body="We look"),
                ]},
                operations.ToldAfterItsEnd,
            ),
            (
                {"updates": [
                    PastUpdate(at=NOON + 3 * HOUR, phase=Phase.MONITORING, body="It is back"),
                    PastUpdate(at=NOON + 4 * HOUR, phase=Phase.RESOLVED, body="It is over"),
                ]},
                operations.ToldAfterItsEnd,
            ),
            ({"began_at": NOON.replace(year=202)}, operations.OutOfTime),
            ({"ended_at": NOON.replace(year=9999)}, operations.OutOfTime),
        ],
    )  # fmt: skip
    def test_refuses_what_cannot_have_been(
        self, changes: dict[str, Any], refusal: type[Exception]
    ) -> None:
        with pytest.raises(refusal):
            _backfilled(**changes)

        assert not Incident.objects.exists()

    def test_corrects_only_what_lies_behind_the_start_of_a_component(self) -> None:
        tours = operations.add_component(name="Tours", at=NOON + HOUR)

        _backfilled(components={tours.pk: DOWN})

        rows = tours.intervals.oldest_first().values_list("status", "began_at", "ended_at")
        assert list(rows) == [
            ("major_outage", NOON + HOUR, NOON + 2 * HOUR),
            ("operational", NOON + 2 * HOUR, None),
        ]

    def test_leaves_the_history_alone_that_begins_after_it(self) -> None:
        tours = operations.add_component(name="Tours", at=NOON + 3 * HOUR)

        incident = _backfilled(components={tours.pk: DOWN})

        rows = tours.intervals.values_list("status", "began_at", "ended_at")
        assert list(rows) == [("operational", NOON + 3 * HOUR, None)]
        assert list(incident.components.all()) == [tours]


def test_says_of_which_components_not_all_can_be_corrected() -> None:
    whole, part, nothing = (
        operations.add_component(name=name, at=at)
        for name, at in (("A", NOON), ("B", NOON + HOUR), ("C", NOON + 2 * HOUR))
    )

    found = operations.beyond_history(
        [whole.pk, part.pk, nothing.pk], began_at=NOON, ended_at=NOON + 2 * HOUR
    )

    assert [(row.component, row.corrected_from) for row in found] == [
        (part, NOON + HOUR),
        (nothing, None),
    ]
