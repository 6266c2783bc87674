"""Components: put on the page, changed, moved, and taken off it where nothing names them."""

from datetime import date
from typing import Any

import pytest

from incidents import operations
from incidents.models import Component
from incidents.values import ComponentStatus, ImpactKind, Severity
from tests.factories import HOUR, NOON, ComponentFactory, IncidentFactory

pytestmark = pytest.mark.django_db


def _edit(component: Component, **values: Any) -> Component:
    kept = {
        "name": component.name,
        "group_id": component.group_id,
        "is_group": component.is_group,
        "position": component.position,
    }
    return operations.edit_component(component_id=component.pk, at=NOON + HOUR, **(kept | values))


def _order(group: Component | None = None) -> list[tuple[int, str]]:
    rows = Component.objects.in_order().filter(group=group)
    return list(rows.values_list("position", "name"))


class TestAddComponent:
    def test_goes_behind_its_siblings_unless_told_where(self) -> None:
        for name in ("Tours", "Uploads"):
            operations.add_component(name=name, at=NOON)

        operations.add_component(name="Login", at=NOON, position=1)

        assert _order() == [(1, "Login"), (2, "Tours"), (3, "Uploads")]

    def test_a_group_counts_its_own_members(self) -> None:
        operations.add_component(name="Tours", at=NOON)
        group = operations.add_component(name="Europe", is_group=True, at=NOON)

        operations.add_component(name="API", group_id=group.pk, at=NOON)

        assert _order() == [(1, "Tours"), (2, "Europe")]
        assert _order(group) == [(1, "API")]

    def test_stands_in_groups_only(self) -> None:
        tours = ComponentFactory.create()

        with pytest.raises(operations.NotAGroup):
            operations.add_component(name="API", group_id=tours.pk, at=NOON)

    def test_a_group_stands_in_no_group(self) -> None:
        group = ComponentFactory.create(is_group=True)

        with pytest.raises(operations.GroupInGroup):
            operations.add_component(name="API", group_id=group.pk, is_group=True, at=NOON)


class TestEditComponent:
    def test_changes_what_the_page_says(self) -> None:
        tours = ComponentFactory.create()

        _edit(
            tours,
            name="Virtual tours",
            description="All that can be walked through",
            only_show_if_degraded=True,
            start_on=date(2020, 5, 1),
        )

        tours.refresh_from_db()
        assert tours.name == "Virtual tours"
        assert tours.description == "All that can be walked through"
        assert tours.only_show_if_degraded
        assert tours.start_on == date(2020, 5, 1)
        assert tours.updated_at == NOON + HOUR

    def test_moves_it_and_its_neighbours(self) -> None:
        rows = [operations.add_component(name=name, at=NOON) for name in "abcd"]

        _edit(rows[3], position=2)

        assert _order() == [(1, "a"), (2, "d"), (3, "b"), (4, "c")]

    def test_moves_it_into_a_group_and_closes_the_gap(self) -> None:
        group = operations.add_component(name="Europe", is_group=True, at=NOON)
        operations.add_component(name="API", group_id=group.pk, at=NOON)
        tours = operations.add_component(name="Tours", at=NOON)
        operations.add_component(name="Uploads", at=NOON)

        _edit(tours, group_id=group.pk, position=None)

        assert _order() == [(1, "Europe"), (2, "Uploads")]
        assert _order(group) == [(1, "API"), (2, "Tours")]

    def test_a_component_is_no_member_of_itself(self) -> None:
        tours = ComponentFactory.create()

        with pytest.raises(operations.NotAGroup):
            _edit(tours, group_id=tours.pk)

    def test_a_group_with_members_stays_a_group(self) -> None:
        group = ComponentFactory.create(is_group=True)
        ComponentFactory.create(group=group)

        with pytest.raises(operations.GroupHasMembers):
            _edit(group, is_group=False)

    def test_an_empty_group_becomes_a_component(self) -> None:
        group = ComponentFactory.create(is_group=True)

        assert not _edit(group, is_group=False).is_group

    def test_what_was_part_of_an_incident_becomes_no_group(self) -> None:
        tours = ComponentFactory.create()
        IncidentFactory.create().components.add(tours)

        with pytest.raises(operations.ComponentOnRecord):
            _edit(tours, is_group=True)

    def test_a_group_keeps_no_status_of_its_own(self) -> None:
        tours = ComponentFactory.create(status=ComponentStatus.MAJOR_OUTAGE)

        _edit(tours, is_group=True)

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.OPERATIONAL


class TestSetComponentStatus:
    def test_says_how_it_is(self) -> None:
        tours = ComponentFactory.create()

        operations.set_component_status(
            component_id=tours.pk, status=ComponentStatus.UNDER_MAINTENANCE, at=NOON + HOUR
        )

        tours.refresh_from_db()
        assert tours.status == ComponentStatus.UNDER_MAINTENANCE

    def test_a_group_has_none(self) -> None:
        group = ComponentFactory.create(is_group=True)

        with pytest.raises(operations.GroupHasNoStatus):
            operations.set_component_status(
                component_id=group.pk, status=ComponentStatus.PARTIAL_OUTAGE, at=NOON
            )


class TestRemoveComponent:
    def test_takes_it_off_and_closes_the_gap(self) -> None:
        rows = [operations.add_component(name=name, at=NOON) for name in "abc"]

        operations.remove_component(component_id=rows[1].pk)

        assert _order() == [(1, "a"), (2, "c")]

    def test_leaves_a_group_with_members(self) -> None:
        group = ComponentFactory.create(is_group=True)
        ComponentFactory.create(group=group)

        with pytest.raises(operations.GroupHasMembers):
            operations.remove_component(component_id=group.pk)

    def test_leaves_what_an_incident_began_with(self) -> None:
        tours = ComponentFactory.create()
        operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            at=NOON,
            author=None,
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        )

        with pytest.raises(operations.ComponentOnRecord):
            operations.remove_component(component_id=tours.pk)

        assert Component.objects.filter(pk=tours.pk).exists()

    def test_leaves_what_an_update_spoke_of(self) -> None:
        tours, incident = ComponentFactory.create(), IncidentFactory.create()
        operations.declare_incident(
            title="Tours do not open",
            severity=Severity.SEV2,
            at=NOON,
            author=None,
            body="Looking.",
            components={tours.pk: ComponentStatus.MAJOR_OUTAGE},
        ).components.clear()
        assert not incident.components.exists()

        with pytest.raises(operations.ComponentOnRecord):
            operations.remove_component(component_id=tours.pk)

    def test_leaves_what_an_impact_names(self) -> None:
        tours = ComponentFactory.create()
        IncidentFactory.create().impacts.create(component=tours, kind=ImpactKind.OUTAGE, at=NOON)

        with pytest.raises(operations.ComponentOnRecord):
            operations.remove_component(component_id=tours.pk)
