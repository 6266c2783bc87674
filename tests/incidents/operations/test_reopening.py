"""Reopening: how components are from then on, said in the same deed."""

import pytest

from incidents import operations
from incidents.models import Component, Incident
from incidents.values import (
    ComponentStatus,
    IncidentKind,
    Phase,
    Severity,
    Visibility,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, IncidentFactory

pytestmark = pytest.mark.django_db

DOWN, PARTLY, SLOW = (
    ComponentStatus.MAJOR_OUTAGE,
    ComponentStatus.PARTIAL_OUTAGE,
    ComponentStatus.DEGRADED_PERFORMANCE,
)
WORKS = ComponentStatus.OPERATIONAL


@pytest.fixture
def tours() -> Component:
    return operations.add_component(name="Tours", at=NOON - HOUR)


@pytest.fixture
def uploads() -> Component:
    return operations.add_component(name="Uploads", at=NOON - HOUR)


def _declare(**fields: object) -> Incident:
    named = {"title": "Down", "severity": Severity.SEV1, "at": NOON, "author": None}
    return operations.declare_incident(**named | fields)  # type: ignore[arg-type]


def _resolve(incident: Incident) -> None:
    operations.resolve_incident(incident_id=incident.pk, body="Over.", at=NOON + HOUR, author=None)


def _reopen(incident: Incident, **fields: object) -> Incident:
    return operations.reopen_incident(
        incident_id=incident.pk, reason="again", at=NOON + 2 * HOUR, author=None,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def _status(component: Component) -> str:
    component.refresh_from_db()
    return component.status


def test_components_are_as_they_were_until_the_end(tours: Component, uploads: Component) -> None:
    incident = _declare(body="Down.", components={tours.pk: DOWN, uploads.pk: SLOW})
    operations.post_status_update(
        incident_id=incident.pk, body="Better.", phase=Phase.IDENTIFIED, at=NOON + MINUTE,
        author=None, component_statuses={tours.pk: PARTLY},
    )  # fmt: skip
    _resolve(incident)
    assert (_status(tours), _status(uploads)) == (WORKS, WORKS)

    _reopen(incident)

    assert (_status(tours), _status(uploads)) == (PARTLY, SLOW)
    # Customers read both with the word that it is open again.
    told = incident.updates.told().newest_first().first()
    assert told is not None
    assert "open again" in told.body
    changes = told.component_changes.values_list("component", "old_status", "new_status")
    assert set(changes) == {(tours.pk, WORKS, PARTLY), (uploads.pk, WORKS, SLOW)}


def test_what_is_said_counts_and_nothing_else(tours: Component, uploads: Component) -> None:
    incident = _declare(body="Down.", components={tours.pk: DOWN})
    _resolve(incident)

    _reopen(incident, component_statuses={uploads.pk: SLOW})

    assert (_status(tours), _status(uploads)) == (WORKS, SLOW)
    assert uploads in incident.components.all()


def test_what_others_have_said_since_stands(tours: Component) -> None:
    incident = _declare(body="Down.", components={tours.pk: DOWN})
    _resolve(incident)
    operations.set_component_status(component_id=tours.pk, status=SLOW, at=NOON + 90 * MINUTE)

    _reopen(incident)

    assert _status(tours) == SLOW


def test_a_maintenance_that_was_at_work_then_is_not_brought_back(tours: Component) -> None:
    incident = _declare(body="Down.", components={tours.pk: ComponentStatus.UNDER_MAINTENANCE})
    _resolve(incident)

    _reopen(incident)

    assert _status(tours) == WORKS


def test_of_one_that_ended_without_a_word_the_history_knows(tours: Component) -> None:
    incident = _declare(components={tours.pk: DOWN})
    operations.close_untold(
        incident_id=incident.pk, reason="The probe.", at=NOON + HOUR, author=None
    )
    assert _status(tours) == WORKS

    _reopen(incident)

    assert _status(tours) == DOWN
    assert not incident.updates.exists()


@pytest.mark.parametrize(
    "kept_apart", [{"kind": IncidentKind.DRILL}, {"visibility": Visibility.PRIVATE}]
)
def test_what_moves_no_component_moves_none_then(
    tours: Component, kept_apart: dict[str, str]
) -> None:
    incident = _declare(body="Down.", components={tours.pk: DOWN}, **kept_apart)
    _resolve(incident)

    _reopen(incident, component_statuses={tours.pk: DOWN})

    assert _status(tours) == WORKS


def test_a_refusal_leaves_all_as_it_is(tours: Component) -> None:
    incident = _declare(body="Down.", components={tours.pk: DOWN}, dedup_key="pg")
    _resolve(incident)
    IncidentFactory.create(dedup_key="pg")

    with pytest.raises(operations.AlreadyDeclared):
        _reopen(incident)

    assert _status(tours) == WORKS


def test_a_duplicate_that_is_none_takes_no_component_back(tours: Component) -> None:
    ComponentFactory.create(name="Other")
    original = _declare(body="Down.")
    copy = _declare(body="Down, too.", components={tours.pk: DOWN})
    operations.mark_duplicate(
        incident_id=copy.pk, original_id=original.pk, at=NOON + MINUTE, author=None
    )
    _resolve(original)

    operations.unmark_duplicate(incident_id=copy.pk, at=NOON + 2 * HOUR, author=None)

    assert _status(tours) == WORKS
