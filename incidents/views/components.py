"""Components: what the page lists, and how each of its parts is outside an incident."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Component, Incident
from incidents.values import ComponentStatus

_INVALID = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A component, or a group with its members, and how it is."""

    component: Component
    status: ComponentStatus
    members: "list[Row]"


@require_GET
@staff_required
def list_components(request: HttpRequest) -> HttpResponse:
    """Show every component where it stands on the page."""
    return render(request, "incidents/component_list.html", {"rows": _rows()})


@staff_required
def add_component(request: HttpRequest) -> HttpResponse:
    """Ask what it is called and where it stands, and put it on the page."""
    named = {"group": request.GET.get("group"), "is_group": request.GET.get("kind") == "group"}
    form = forms.ComponentForm(request.POST or None, initial=named)
    if request.method == "POST" and form.is_valid():
        try:
            component = operations.add_component(at=timezone.now(), **form.values)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is on the page.") % component)
            return redirect("incidents:component-list")
    return _edit_page(request, form, component=None)


@staff_required
def edit_component(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what the page says of a component, and where it stands."""
    component = get_object_or_404(Component, pk=pk)
    form = forms.ComponentForm(request.POST or None, component=component)
    if request.method == "POST" and form.is_valid():
        try:
            operations.edit_component(component_id=pk, at=timezone.now(), **form.values)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is changed.") % form.cleaned_data["name"])
            return redirect("incidents:component-list")
    return _edit_page(request, form, component=component)


@staff_required
def set_status(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask how a component is, show what customers will see, and then say so on the page."""
    component = get_object_or_404(Component, pk=pk)
    form = forms.ComponentStatusForm(request.POST or None, initial={"status": component.status})
    chosen: ComponentStatus | None = None
    if request.method == "POST" and form.is_valid():
        chosen = ComponentStatus(form.cleaned_data["status"])
        if "confirm" in request.POST:
            try:
                operations.set_component_status(component_id=pk, status=chosen, at=timezone.now())
            except Refused as refusal:
                form.add_error(None, str(refusal))
            else:
                said = _("The page says: %(name)s, %(status)s.")
                messages.success(
                    request, said % {"name": component, "status": str(chosen.label).lower()}
                )
                return redirect("incidents:component-list")
    return render(
        request,
        "incidents/component_status.html",
        {
            "component": component,
            "form": form,
            "chosen": None if form.errors else chosen,
            "is_hidden": component.only_show_if_degraded and chosen == ComponentStatus.OPERATIONAL,
            "incidents": Incident.objects.seen_by(actor(request))
            .open()
            .moving_components()
            .filter(components=component)
            .newest_first(),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def move_component(request: HttpRequest, pk: int) -> HttpResponse:
    """Move a component up or down among its siblings; the button that did it keeps the focus."""
    component = get_object_or_404(Component, pk=pk)
    way = "up" if "up" in request.POST else "down"
    operations.move_among_siblings(component_id=component.pk, places=-1 if way == "up" else 1)
    return redirect(f"{reverse('incidents:component-list')}#{way}-{pk}")


@staff_required
def remove_component(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether it shall go, and take it off the page for good."""
    component = get_object_or_404(Component, pk=pk)
    refusal = ""
    if request.method == "POST":
        try:
            operations.remove_component(component_id=pk)
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, _("%s is off the page.") % component)
            return redirect("incidents:component-list")
    return render(
        request,
        "incidents/component_remove.html",
        {"component": component, "refusal": refusal},
        status=_INVALID if refusal else 200,
    )


def _edit_page(
    request: HttpRequest, form: forms.ComponentForm, *, component: Component | None
) -> HttpResponse:
    return render(
        request,
        "incidents/component_edit.html",
        {"form": form, "component": component},
        status=_INVALID if form.errors else 200,
    )


def _rows() -> list[Row]:
    """Return components as they stand on the page; a group is as well as its worst member."""
    found = list(queries.components())
    members: dict[int | None, list[Row]] = {}
    for component in found:
        row = Row(component=component, status=ComponentStatus(component.status), members=[])
        members.setdefault(component.group_id, []).append(row)
    return [
        Row(
            component=row.component,
            status=max(
                (member.status for member in members.get(row.component.pk, [])),
                key=lambda status: status.rank,
                default=row.status,
            ),
            members=members.get(row.component.pk, []),
        )
        for row in members.get(None, [])
    ]
