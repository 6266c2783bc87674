"""Deeds on components."""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from incidents.errors import Refused
from incidents.models import Component, ComponentChange, Impact
from incidents.operations.history import (
    GroupHasNoStatus,
    drop_history,
    move_component,
    start_history,
)
from incidents.operations.record import announce
from incidents.times import refuse_out_of_time
from incidents.values import ComponentStatus


class NotAGroup(Refused):
    code = "not-a-group"
    message = _("A component stands in a group, not in another component. Choose a group.")


class GroupInGroup(Refused):
    code = "group-in-group"
    message = _("A group cannot stand in another group. Leave its group empty.")


class GroupHasMembers(Refused):
    code = "group-has-members"
    message = _("The group has members. Move them out of it, or remove them, first.")


class ComponentOnRecord(Refused):
    code = "component-on-record"
    message = _(
        "It was part of an incident or a maintenance, and the record names it, so it stays a "
        "component. "
        "Rename it, or have it shown only while it is degraded."
    )


def add_component(
    *,
    name: str,
    at: datetime,
    description: str = "",
    group_id: int | None = None,
    is_group: bool = False,
    position: int | None = None,
    only_show_if_degraded: bool = False,
    start_on: date | None = None,
    showcase: bool = True,
) -> Component:
    """Put a component, or a group of them, on the page: behind its siblings, unless told where.

    :raises OutOfTime: if it starts in a year that cannot be meant
    :raises NotAGroup: if it shall stand in what is no group
    :raises GroupInGroup: if a group shall stand in a group
    """
    refuse_out_of_time(start_on)
    with transaction.atomic():
        _lock_components()
        _refuse_place(group_id, is_group=is_group)
        component = Component(
            name=name,
            description=description,
            group_id=group_id,
            is_group=is_group,
            only_show_if_degraded=only_show_if_degraded,
            start_on=start_on,
            showcase=showcase,
            created_at=at,
            updated_at=at,
        )
        component.save(force_insert=True)
        if not is_group:
            start_history(component, at=at)
        _place(component, position)
        announce(None)
    return component


def edit_component(
    *,
    component_id: int,
    at: datetime,
    name: str,
    description: str = "",
    group_id: int | None = None,
    is_group: bool = False,
    position: int | None = None,
    only_show_if_degraded: bool = False,
    start_on: date | None = None,
    showcase: bool | None = None,
) -> Component:
    """Change what the page says of a component and where; without a position it goes last.

    ``showcase`` is what clients of the API are told of it; None: as before.

    :raises OutOfTime: if it starts in a year that cannot be meant
    :raises NotAGroup: if it shall stand in what is no group
    :raises GroupInGroup: if a group shall stand in a group
    :raises GroupHasMembers: if a group with members shall become a component
    :raises ComponentOnRecord: if what was part of an incident shall become a group
    """
    refuse_out_of_time(start_on)
    with transaction.atomic():
        _lock_components()
        component = Component.objects.get(pk=component_id)
        _refuse_place(group_id, is_group=is_group)
        _refuse_turn(component, is_group=is_group)
        if is_group and not component.is_group:
            # Its own is never shown; its members' are.
            move_component(component, ComponentStatus.OPERATIONAL, at=at)
            drop_history(component)
        before = component.group_id
        component.name, component.description = name, description
        component.group_id, component.is_group = group_id, is_group
        component.only_show_if_degraded, component.start_on = only_show_if_degraded, start_on
        component.showcase = component.showcase if showcase is None else showcase
        component.updated_at = at
        component.save(
            update_fields=[
                "name", "description", "group", "is_group", "only_show_if_degraded",
                "showcase", "start_on", "updated_at",
            ]
        )  # fmt: skip
        if not is_group:
            start_history(component, at=at)
        _place(component, position)
        if before != group_id:
            _number(_siblings(before))
        announce(None)
    return component


def set_component_status(*, component_id: int, status: ComponentStatus, at: datetime) -> Component:
    """Say how a component is, outside any incident.

    :raises GroupHasNoStatus: if it is a group
    """
    with transaction.atomic():
        component = Component.objects.select_for_update().get(pk=component_id)
        if component.is_group:
            raise GroupHasNoStatus
        move_component(component, status, at=at)
        announce(None)
    return component


def move_among_siblings(*, component_id: int, places: int) -> Component:
    """Move a component or group down by so many places among its siblings, or up by a negative.

    Beyond the first or the last of them there is no place: there it stays.
    """
    with transaction.atomic():
        _lock_components()
        component = Component.objects.get(pk=component_id)
        siblings = _siblings(component.group_id)
        place = siblings.index(component)
        siblings.insert(max(place + places, 0), siblings.pop(place))
        _number(siblings)
        announce(None)
    component.refresh_from_db(fields=["position"])
    return component


def remove_component(*, component_id: int) -> None:
    """Take a component, or an empty group, off the page for good.

    :raises GroupHasMembers: if it is a group with members
    :raises ComponentOnRecord: if it ever was part of an incident
    """
    with transaction.atomic():
        _lock_components()
        component = Component.objects.get(pk=component_id)
        if component.members.exists():
            raise GroupHasMembers
        if _is_on_record(component):
            raise ComponentOnRecord
        component.delete()
        _number(_siblings(component.group_id))
        announce(None)


def _lock_components() -> None:
    # All of them, in the order in which updates lock theirs: positions concern neighbours.
    list(Component.objects.select_for_update().order_by("pk"))


def _refuse_place(group_id: int | None, *, is_group: bool) -> None:
    if group_id is None:
        return
    if is_group:
        raise GroupInGroup
    if not Component.objects.filter(pk=group_id, is_group=True).exists():
        raise NotAGroup


def _refuse_turn(component: Component, *, is_group: bool) -> None:
    """Refuse to make a group of a component, or the reverse, where something hangs on it."""
    if component.is_group and not is_group and component.members.exists():
        raise GroupHasMembers
    if is_group and not component.is_group and _is_on_record(component):
        raise ComponentOnRecord


def _is_on_record(component: Component) -> bool:
    return (
        component.incidents.exists()
        or ComponentChange.objects.filter(component=component).exists()
        or Impact.objects.filter(component=component).exists()
        or component.maintenances.exists()
        or component.maintenance_changes.exists()
    )


def _siblings(group_id: int | None) -> list[Component]:
    return list(Component.objects.in_order().filter(group_id=group_id))


def _place(component: Component, position: int | None) -> None:
    siblings = [row for row in _siblings(component.group_id) if row.pk != component.pk]
    siblings.insert(position - 1 if position else len(siblings), component)
    _number(siblings)


def _number(siblings: Sequence[Component]) -> None:
    """Give siblings the positions 1, 2, 3 and so on, in this order."""
    for number, sibling in enumerate(siblings, start=1):
        if sibling.position != number:
            sibling.position = number
            sibling.save(update_fields=["position"])
