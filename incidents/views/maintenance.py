"""Planned work: listed, scheduled, shown, changed."""

import secrets
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Component, Maintenance, MaintenanceTemplate, MaintenanceUpdate
from incidents.operations.maintenance.record import words_for
from incidents.views import desk
from incidents.views.desk import PAGE
from incidents.views.stretches import stretch_of

_INVALID = 422


@require_GET
@staff_required
def list_maintenances(request: HttpRequest) -> HttpResponse:
    """Show what runs, what is to come, and stretch by stretch what is over."""
    rows = queries.maintenances()
    past = stretch_of(rows.past(), request.GET, by=F("scheduled_for"), newest_first=True, size=PAGE)
    return render(
        request,
        "incidents/maintenance_list.html",
        {
            "running": rows.running().soonest_first(),
            "upcoming": rows.upcoming().soonest_first(),
            "past": past,
            "templates": queries.maintenance_templates(),
            "now": timezone.now(),
        },
    )


@staff_required
def schedule_maintenance(request: HttpRequest) -> HttpResponse:
    """Ask what is planned, show it as customers will see it, and tell them."""
    now = timezone.now()
    form = forms.ScheduleForm(
        request.POST or None, components=queries.component_tree(), initial=_prefilled(request)
    )
    preview = None
    if form.is_bound and form.is_valid():
        if "preview" in request.POST:
            preview = _imagined(form, now=now)
        elif maintenance := _schedule(request, form):
            return redirect(maintenance)
    return render(
        request,
        "incidents/maintenance_schedule.html",
        {
            "form": form,
            "preview": preview,
            "templates": queries.maintenance_templates(),
            "chosen": request.GET.get("template", ""),
        },
        status=_INVALID if form.errors else 200,
    )


@require_GET
@staff_required
def show_maintenance(request: HttpRequest, pk: int) -> HttpResponse:
    """Show all that is on record of it."""
    return maintenance_page(request, get_object_or_404(Maintenance, pk=pk))


@staff_required
def edit_maintenance(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what it is called, what it touches and what goes by itself."""
    maintenance = get_object_or_404(Maintenance, pk=pk)
    form = edit_form(maintenance, data=request.POST or None)
    if form.is_bound and form.is_valid():
        edit(form, maintenance_id=pk, author=actor(request))
        messages.success(request, _("%s is changed.") % maintenance.ref)
        return redirect(maintenance)
    return _deed_page(
        request,
        maintenance,
        form,
        title=_("Edit %s"),
        label=_("Save"),
        preview=reverse("statuspage:preview-maintenance-edit", args=[pk]),
    )


@staff_required
def move_maintenance(request: HttpRequest, pk: int) -> HttpResponse:
    """Give it another time."""
    maintenance = get_object_or_404(Maintenance, pk=pk)
    form = move_form(maintenance, data=request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            move(form, maintenance_id=pk, author=actor(request))
        except Refused as refusal:
            _refuse(form, refusal)
        else:
            messages.success(request, _("%s has another time.") % maintenance.ref)
            _warn_of_others(request, *form.window, except_for=pk)
            return redirect(maintenance)
    _ask_only_what_came_up(form)
    return _deed_page(
        request,
        maintenance,
        form,
        title=_("Move %s"),
        label=_("Move it"),
        preview=reverse("statuspage:preview-maintenance-move", args=[pk]),
    )


@require_POST
@staff_required
def post_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell customers more, or show first how that looks."""
    maintenance = get_object_or_404(Maintenance, pk=pk)
    form = forms.MaintenanceUpdateForm(request.POST)
    if not form.is_valid():
        return maintenance_page(request, maintenance, status=_INVALID, form=form)
    if "preview" in request.POST:
        shown = (form.cleaned_data["body"], timezone.now())
        return maintenance_page(request, maintenance, form=form, preview=shown)
    try:
        tell_more(form, maintenance_id=pk, author=actor(request))
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return maintenance_page(request, maintenance, status=_INVALID, form=form)
    messages.success(request, _("The update is posted."))
    return redirect(maintenance)


@staff_required
def correct_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct what customers were told."""
    update = get_object_or_404(MaintenanceUpdate.objects.select_related("maintenance"), pk=pk)
    form = forms.CorrectForm(request.POST or None, initial={"body": update.body})
    if form.is_bound and form.is_valid():
        correct(form, update_id=pk, author=actor(request))
        messages.success(request, _("The update is corrected, and marked as edited."))
        return redirect(update.maintenance)
    return _deed_page(
        request,
        update.maintenance,
        form,
        title=_("Correct an update of %s"),
        label=_("Correct it"),
        preview=reverse("statuspage:preview-maintenance-correct", args=[pk]),
        explanation=_("Customers see that it was edited. What it said before is kept."),
    )


def maintenance_page(
    request: HttpRequest,
    maintenance: Maintenance,
    *,
    status: int = 200,
    form: forms.MaintenanceUpdateForm | None = None,
    preview: tuple[str, datetime] | None = None,
) -> HttpResponse:
    """Answer with the page of a maintenance; ``form`` stands there with its errors."""
    key = secrets.token_urlsafe(12)
    initial = {"deliver_notifications": maintenance.deliver_notifications, "key": key}
    beside = queries.maintenances_beside(
        maintenance.scheduled_for, maintenance.scheduled_until, except_for=maintenance.pk
    )
    return render(
        request,
        "incidents/maintenance_detail.html",
        {
            "maintenance": maintenance,
            "components": maintenance.components.select_related("group").in_order(),
            "updates": maintenance.updates.newest_first().select_related("author"),
            "revisions": queries.revisions(maintenance),
            "beside": [] if maintenance.is_over else beside,
            "form": form or forms.MaintenanceUpdateForm(initial=initial),
            "preview": preview,
            "now": timezone.now(),
        },
        status=status,
    )


def schedule(form: forms.ScheduleForm, *, author: User) -> Maintenance:
    """Schedule what a valid form says."""
    begins, ends = form.window
    return operations.schedule_maintenance(
        plan=form.plan(),
        scheduled_for=begins,
        scheduled_until=ends,
        at=timezone.now(),
        author=author,
        body=form.cleaned_data["body"],
        is_long_meant=form.cleaned_data["is_long_meant"],
    )


def tell_more(
    form: forms.MaintenanceUpdateForm, *, maintenance_id: int, author: User
) -> MaintenanceUpdate:
    """Post what a valid form says."""
    data = form.cleaned_data
    return operations.post_maintenance_update(
        maintenance_id=maintenance_id,
        body=data["body"],
        at=timezone.now(),
        author=author,
        deliver_notifications=data["deliver_notifications"],
        idempotency_key=desk.once(form),
    )


def edit_form(maintenance: Maintenance, *, data: Any) -> forms.EditMaintenanceForm:
    """Return the form of what can be changed at any time, filled with what is set."""
    shown = {"tz": maintenance.tz, "visibility": maintenance.visibility}
    return forms.EditMaintenanceForm(
        data, components=queries.component_tree(), initial=forms.plan_of(maintenance) | shown
    )


def edit(form: forms.EditMaintenanceForm, *, maintenance_id: int, author: User) -> Maintenance:
    """Change what a valid form says."""
    return operations.edit_maintenance(
        maintenance_id=maintenance_id, plan=form.plan(), at=timezone.now(), author=author
    )


def move_form(maintenance: Maintenance, *, data: Any) -> forms.MoveForm:
    """Return the form of another time, filled with the one that is planned."""
    window = {name: getattr(maintenance, name) for name in ("scheduled_for", "scheduled_until")}
    return forms.MoveForm(data, tz=maintenance.tz, initial=window)


def move(form: forms.MoveForm, *, maintenance_id: int, author: User) -> Maintenance:
    """Give it the time of a valid form."""
    begins, ends = form.window
    return operations.reschedule_maintenance(
        maintenance_id=maintenance_id,
        scheduled_for=begins,
        scheduled_until=ends,
        at=timezone.now(),
        author=author,
        body=form.cleaned_data["body"],
        is_long_meant=form.cleaned_data["is_long_meant"],
    )


def correct(form: forms.CorrectForm, *, update_id: int, author: User) -> MaintenanceUpdate:
    """Correct an update as a valid form says."""
    return operations.correct_maintenance_update(
        update_id=update_id,
        body=form.cleaned_data["body"],
        at=timezone.now(),
        author=author,
        reason=form.cleaned_data["reason"],
    )


def _schedule(request: HttpRequest, form: forms.ScheduleForm) -> Maintenance | None:
    begins, ends = form.window
    try:
        maintenance = schedule(form, author=actor(request))
    except Refused as refusal:
        _refuse(form, refusal)
        return None
    said = _("%s is on record.") if maintenance.is_over else _("%s is scheduled.")
    messages.success(request, said % maintenance.ref)
    if not maintenance.is_over:
        _warn_of_others(request, begins, ends, except_for=maintenance.pk)
    return maintenance


def _refuse(form: forms.WindowForm, refusal: Refused) -> None:
    form.refused |= {refusal.code}
    form.add_error(None, str(refusal))


def _ask_only_what_came_up(form: forms.WindowForm) -> None:
    if not form.asks_whether_long_is_meant:
        del form.fields["is_long_meant"]


def _warn_of_others(
    request: HttpRequest, begins: datetime, ends: datetime, *, except_for: int | None
) -> None:
    """Name those that share time with it: nothing is wrong with that, if it is known."""
    others = queries.maintenances_beside(begins, ends, except_for=except_for)
    if named := ", ".join(str(other) for other in others):
        messages.warning(request, _("It shares time with: %s") % named)


def _prefilled(request: HttpRequest) -> dict[str, Any]:
    """Return what the form shows at first: the usual zone, and what a template says."""
    shown: dict[str, Any] = {"tz": queries.usual_zone()}
    chosen = request.GET.get("template", "")
    template = MaintenanceTemplate.objects.filter(pk=chosen) if chosen.isdecimal() else None
    if template is not None and (found := template.first()):
        shown |= forms.plan_of(found)
        shown |= {"body": found.body, "minutes": int(found.duration.total_seconds()) // 60}
    return shown


def _imagined(form: forms.ScheduleForm, *, now: datetime) -> dict[str, Any]:
    """Return what the form would become, as the page shows it, and what stands beside it."""
    begins, ends = form.window
    plan = form.plan()
    maintenance = Maintenance(
        title=plan.title,
        tz=plan.tz,
        scheduled_for=begins,
        scheduled_until=ends,
        starts_by_itself=plan.starts_by_itself,
        ends_by_itself=plan.ends_by_itself,
        created_at=now,
        updated_at=now,
    )
    body = words_for(maintenance, "maintenance_scheduled", form.cleaned_data["body"]).text
    return {
        "maintenance": maintenance,
        "body": body,
        "components": list(
            Component.objects.in_order().filter(pk__in=plan.components).select_related("group")
        ),
        "now": now,
        "is_public": plan.visibility == "public",
        "beside": list(queries.maintenances_beside(begins, ends)),
    }


def _deed_page(
    request: HttpRequest,
    maintenance: Maintenance,
    form: Any,
    *,
    title: str,
    label: str,
    preview: str,
    explanation: str = "",
) -> HttpResponse:
    return render(
        request,
        "incidents/maintenance_deed.html",
        {
            "maintenance": maintenance,
            "form": form,
            "title": title % maintenance.ref,
            "label": label,
            "preview": preview,
            "explanation": explanation,
        },
        status=_INVALID if form.errors else 200,
    )
