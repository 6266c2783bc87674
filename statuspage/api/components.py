"""Components and groups of them."""

from datetime import date
from typing import Any

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from incidents import operations
from incidents.models import Component
from incidents.values import ComponentStatus
from statuspage.api.base import ManagementView, created, gone, status_of
from statuspage.api.bodies import Body
from statuspage.api.faults import Unfit
from statuspage.api.objects import component_object, group_object
from statuspage.operations import choose_content


class ComponentView(ManagementView):
    def shown(self, public_id: str) -> dict[str, Any]:
        """Return what is said of a component after a deed: the page is read anew."""
        self.read_anew()
        return component_object(self.facts, self.component(public_id))

    def shown_group(self, public_id: str) -> dict[str, Any]:
        """Return the same of a group."""
        self.read_anew()
        return group_object(self.facts, self.component(public_id, is_group=True))

    def place(self, body: Body, now: int | None) -> int | None:
        """Return our id of the group that is asked for; an empty one means none.

        :raises Unfit: if the page has no such group
        """
        if "group_id" not in body:
            return now
        wanted = body.line("group_id")
        if not wanted:
            return None
        for part in self.facts.components:
            if part.is_group and part.public_id == wanted:
                return part.pk
        raise Unfit("group_id: this page has no group with such an id.")

    def put_on_page(self, part: Component) -> None:
        """Let a page that shows chosen components show a new one, too."""
        if self.touching is None or part.group_id is not None:
            return
        shown = {*self.page.components.values_list("pk", flat=True), part.pk}
        choose_content(
            page_id=self.page.pk,
            shows_everything=False,
            component_ids=shown,
            has_my_data=self.page.has_my_data,
            has_backup_proof=self.page.has_backup_proof,
            at=self.at,
        )

    def write(
        self,
        part: Component,
        *,
        name: str = "",
        description: str | None = None,
        group_id: int | None,
        only_show_if_degraded: bool | None = None,
        start_on: date | None = None,
        showcase: bool | None = None,
    ) -> None:
        """Change a component, and leave the rest of it, and its place, as they are."""
        hides = part.only_show_if_degraded
        operations.edit_component(
            component_id=part.pk,
            at=self.at,
            name=name or part.name,
            description=part.description if description is None else description,
            group_id=group_id,
            is_group=part.is_group,
            position=part.position if group_id == part.group_id else None,
            only_show_if_degraded=hides if only_show_if_degraded is None else only_show_if_degraded,
            start_on=start_on or part.start_on,
            showcase=showcase,
        )


class Components(ComponentView):
    def get(self, _request: Request, **_ids: str) -> Response:
        shown = self.paged(self.facts.components)
        return Response([component_object(self.facts, part) for part in shown])

    def post(self, _request: Request, **_ids: str) -> Response:
        body = self.body("component")
        name = body.line("name")
        if not name:
            raise Unfit("name can't be blank.")
        with transaction.atomic():
            part = operations.add_component(
                name=name,
                at=self.at,
                description=body.text("description"),
                group_id=self.place(body, None),
                only_show_if_degraded=body.flag("only_show_if_degraded", default=False),
                start_on=body.day("start_date"),
                showcase=body.flag("showcase", default=True),
            )
            _set_status(self, part, body)
            self.put_on_page(part)
        return created(self.shown(part.public_id))


class ComponentOne(ComponentView):
    def get(self, _request: Request, component: str, **_ids: str) -> Response:
        return Response(component_object(self.facts, self.component(component)))

    def patch(self, _request: Request, component: str, **_ids: str) -> Response:
        part = self.component(component)
        body = self.body("component")
        with transaction.atomic():
            if any(body.has(name) or name in _EMPTIED & set(body) for name in _OWN):
                self.write(
                    part,
                    name=body.line("name"),
                    description=body.text("description") if "description" in body else None,
                    group_id=self.place(body, part.group_id),
                    only_show_if_degraded=body.flag(
                        "only_show_if_degraded", default=part.only_show_if_degraded
                    ),
                    start_on=body.day("start_date"),
                    showcase=body.flag("showcase", default=part.showcase),
                )
            _set_status(self, part, body)
        return Response(self.shown(component))

    put = patch

    def delete(self, _request: Request, component: str, **_ids: str) -> Response:
        """Take it off for good, if the record does not name it."""
        operations.remove_component(component_id=self.component(component).pk)
        return gone()


# What is said of the component itself, and what of that an empty word takes away.
_OWN = ("name", "description", "group_id", "only_show_if_degraded", "showcase", "start_date")
_EMPTIED = {"description", "group_id"}


class Groups(ComponentView):
    def get(self, _request: Request, **_ids: str) -> Response:
        groups = [part for part in self.facts.components if part.is_group]
        return Response([group_object(self.facts, group) for group in self.paged(groups)])

    def post(self, request: Request, **_ids: str) -> Response:
        body = self.body("component_group")
        name = body.line("name")
        members = self.parts(body.listing("components"))
        if not name:
            raise Unfit("name can't be blank.")
        if not members:
            raise Unfit("components can't be blank: a group has at least one member.")
        with transaction.atomic():
            group = operations.add_component(
                name=name, at=self.at, description=_described(self, body) or "", is_group=True
            )
            self.put_on_page(group)
            for part in members:
                self.write(part, group_id=group.pk)
        return created(self.shown_group(group.public_id))


class GroupOne(ComponentView):
    def get(self, _request: Request, group: str, **_ids: str) -> Response:
        return Response(group_object(self.facts, self.component(group, is_group=True)))

    def patch(self, _request: Request, group: str, **_ids: str) -> Response:
        """Name it anew, or say who its members are."""
        row = self.component(group, is_group=True)
        body = self.body("component_group")
        with transaction.atomic():
            self.write(
                row, name=body.line("name"), description=_described(self, body), group_id=None
            )
            if "components" in body:
                self._gather(row, body)
        return Response(self.shown_group(group))

    put = patch

    def delete(self, _request: Request, group: str, **_ids: str) -> Response:
        """Take it away. Its members stay, in no group."""
        row = self.component(group, is_group=True)
        answer = group_object(self.facts, row)
        with transaction.atomic():
            for part in self._members(row):
                self.write(part, group_id=None)
                self.put_on_page(Component.objects.get(pk=part.pk))
            operations.remove_component(component_id=row.pk)
        return Response(answer)

    def _gather(self, row: Component, body: Body) -> None:
        wanted = self.parts(body.listing("components"))
        if not wanted:
            raise Unfit("components can't be blank: a group has at least one member.")
        kept = {part.pk for part in wanted}
        for part in self._members(row):
            if part.pk not in kept:
                self.write(part, group_id=None)
                self.put_on_page(Component.objects.get(pk=part.pk))
        for part in wanted:
            if part.group_id != row.pk:
                self.write(part, group_id=row.pk)

    def _members(self, row: Component) -> list[Component]:
        return [part for part in self.facts.components if part.group_id == row.pk]


def _set_status(view: ManagementView, part: Component, body: Body) -> None:
    status = status_of(body.line("status"), part)
    if status != ComponentStatus(part.status):
        operations.set_component_status(component_id=part.pk, status=status, at=view.at)


def _described(view: ManagementView, body: Body) -> str | None:
    """Return the description: clients send it beside the group, or within it. None: no word."""
    beside = view.body()
    for place in (body, beside):
        if "description" in place:
            return place.text("description")
    return None
