"""Who holds a component: what becomes of it once an incident that said it was down is over."""

from typing import Any

import pytest

from accounts.models import User
from incidents import operations, queries
from incidents.models import Component, Incident, SeverityRule
from incidents.values import (
    AlertProvider,
    ComponentStatus,
    Phase,
    Severity,
    Visibility,
)
from tests.factories import HOUR, MINUTE, NOON, ComponentFactory, ResponderFactory
from tests.incidents.payloads import group, told

pytestmark = pytest.mark.django_db

DOWN = ComponentStatus.MAJOR_OUTAGE


@pytest.fixture
def tours() -> Component:
    return ComponentFactory.create()


@pytest.fixture
def robin() -> User:
    return ResponderFactory.create()


def _declare(author: User | None, tours: Component, **more: Any) -> Incident:
    named = {"title": "Tours", "severity": Severity.SEV2, "body": "We know."} | more
    return operations.declare_incident(**named, at=NOON, author=author, components={tours.pk: DOWN})


def _alert(tours: Component) -> Incident:
    """Return the incident of an alert: it names the component and says nothing of it."""
    hook, _token = operations.add_hook(
        name="Monitoring", provider=AlertProvider.ALERTMANAGER, severity=Severity.SEV4,
        visibility=Visibility.PUBLIC, components=[tours.pk], at=NOON, author=None,
    )  # fmt: skip
    alerts = told(AlertProvider.ALERTMANAGER, group(), at=NOON)
    (taken,) = operations.take_in(hook_id=hook.pk, alerts=alerts, at=NOON)
    assert taken.incident is not None
    return taken.incident


def _resolve(incident: Incident, **more: Any) -> None:
    operations.resolve_incident(
        incident_id=incident.pk, body="It is over.", at=NOON + HOUR, author=None, **more
    )


def _tell(incident: Incident, statuses: dict[int, ComponentStatus] | None = None) -> None:
    operations.post_status_update(
        incident_id=incident.pk, body="Still on it.", phase=Phase.IDENTIFIED,
        at=NOON + 5 * MINUTE, author=None, component_statuses=statuses,
    )  # fmt: skip


def _status(tours: Component) -> str:
    tours.refresh_from_db()
    return tours.status


class TestAnAlertThatNamesAComponent:
    def test_holds_nothing_down_while_customers_do_not_see_it(
        self, tours: Component, robin: User
    ) -> None:
        real, _other = _declare(robin, tours), _alert(tours)

        _resolve(real)

        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_nor_once_they_see_it_if_nobody_has_said_that_it_is_down(
        self, tours: Component, robin: User
    ) -> None:
        real, other = _declare(robin, tours), _alert(tours)
        _tell(other)

        _resolve(real)

        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_holds_it_once_customers_read_there_that_it_is_down(
        self, tours: Component, robin: User
    ) -> None:
        real, other = _declare(robin, tours), _alert(tours)
        # It is down by the word of the first one already: that this one says so counts all the same
        # and is no change that customers read.
        _tell(other, {tours.pk: DOWN})

        _resolve(real)

        assert _status(tours) == DOWN
        shown = {row.pk: row for row in queries.public_incidents()}
        assert shown[other.pk].told[0].changes == []
        _resolve(other)
        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_leaves_alone_what_it_only_named_when_it_ends_as_a_duplicate(
        self, tours: Component, robin: User
    ) -> None:
        operations.set_component_status(component_id=tours.pk, status=DOWN, at=NOON)
        elsewhere = operations.declare_incident(
            title="Database", severity=Severity.SEV2, at=NOON, author=robin
        )
        other = _alert(tours)

        operations.mark_duplicate(
            incident_id=other.pk, original_id=elsewhere.pk, at=NOON + HOUR, author=robin
        )

        assert _status(tours) == DOWN


class TestAnotherIncidentHolds:
    def test_what_it_was_declared_with_while_customers_see_it(
        self, tours: Component, robin: User
    ) -> None:
        first, second = _declare(robin, tours), _declare(robin, tours)

        assert operations.holders(first) == {tours.pk: [second]}
        _resolve(first)
        assert _status(tours) == DOWN
        _resolve(second)
        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_what_shows_already_while_its_first_words_wait_for_approval(
        self, tours: Component, robin: User
    ) -> None:
        first = _declare(robin, tours)
        SeverityRule.objects.create(severity=Severity.SEV1, needs_approval=True)
        second = _declare(robin, tours, severity=Severity.SEV1)
        assert second.published_at is None

        _resolve(first)

        assert _status(tours) == DOWN

    @pytest.mark.parametrize(
        "more", [{"visibility": Visibility.INTERNAL}, {"body": ""}, {"visibility": "private"}]
    )
    def test_nothing_while_customers_do_not_see_it(
        self, tours: Component, robin: User, more: dict[str, Any]
    ) -> None:
        first = _declare(robin, tours)
        _declare(robin, tours, **more)

        _resolve(first)

        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_nothing_any_more_once_it_has_said_that_it_works(
        self, tours: Component, robin: User
    ) -> None:
        first, second = _declare(robin, tours), _declare(robin, tours)
        _tell(second, {tours.pk: ComponentStatus.OPERATIONAL})
        _tell(first, {tours.pk: ComponentStatus.PARTIAL_OUTAGE})

        assert operations.holders(first) == {}
        _resolve(first)
        assert _status(tours) == ComponentStatus.OPERATIONAL

    def test_nothing_against_the_word_of_who_resolves(self, tours: Component, robin: User) -> None:
        first, _second = _declare(robin, tours), _declare(robin, tours)

        _resolve(first, component_statuses={tours.pk: ComponentStatus.OPERATIONAL})

        assert _status(tours) == ComponentStatus.OPERATIONAL
