"""Roles: given, taken, left empty; mistakes undone, times corrected."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident, RoleAssignment
from incidents.values import Role
from incidents.views import desk, looks, page

_INVALID = 422


@require_POST
@staff_required
def assign_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a role to somebody."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.RoleForm(request.POST)
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID, role_form=form)
    assignment = operations.assign_role(
        incident_id=pk,
        role=Role(form.cleaned_data["role"]),
        holder=form.cleaned_data["holder"],
        at=timezone.now(),
        author=actor(request),
        reason=form.cleaned_data["reason"],
    )
    messages.success(request, f"{assignment.get_role_display()}: {assignment.holder.label()}.")
    return redirect(_place(incident))


@require_POST
@staff_required
def take_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a role oneself, from whoever was seen to hold it."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    role, seen = request.POST.get("role", ""), request.POST.get("seen", "")
    if role not in Role.values:
        messages.error(request, _("There is no such role. Choose one of those shown."))
        return redirect(_place(incident))
    try:
        assignment = operations.take_role(
            incident_id=pk,
            role=Role(role),
            seen_id=desk.number(seen),
            at=timezone.now(),
            author=actor(request),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("You are: %s.") % assignment.get_role_display())
    return redirect(_place(incident))


@staff_required
def leave_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what whoever comes next must know, and leave the role empty."""
    row = _assignment(request, pk)
    tz = looks.look_at(request, row.incident).tz
    form = forms.PartingForm(desk.posted(request), tz=tz, now=timezone.now())
    if request.method == "POST" and form.is_valid():
        try:
            operations.leave_role(
                assignment_id=pk,
                at=form.now,
                author=actor(request),
                reason=form.cleaned_data["reason"],
                handover=form.cleaned_data["handover"],
                resting_until_at=form.cleaned_data["resting_until_at"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.warning(request, _("%s: empty now.") % row.get_role_display())
            return redirect(_place(row.incident))
    answer = render(
        request,
        "incidents/deed.html",
        {
            "incident": row.incident,
            "tz": tz,
            "form": form,
            "title": _("Leave a role empty: %s") % row.get_role_display(),
            "explanation": _(
                "%s gives it up and nobody takes it. If somebody can, hand it over instead."
            )
            % row.holder.label(),
            "label": _("Leave it empty"),
        },
        status=_INVALID if form.errors else 200,
    )
    return looks.remember_zone(request, answer)


@require_POST
@staff_required
def undo_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Take back what was a mistake a moment ago."""
    row = _assignment(request, pk)
    try:
        before = operations.undo_role(assignment_id=pk, at=timezone.now(), author=actor(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        name = before.holder.label() if before else _("nobody")
        messages.success(
            request, _("Undone. %(role)s: %(name)s.") % {"role": Role(row.role).label, "name": name}
        )
        if row.incident.is_private:
            messages.warning(request, _("%s still may know of the incident.") % row.holder.label())
    return redirect(_place(row.incident))


@staff_required
def correct_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct from when until when somebody held a role; show what it said before."""
    row = _assignment(request, pk)
    tz = looks.look_at(request, row.incident).tz
    form = forms.CorrectRoleForm(desk.posted(request), assignment=row, tz=tz)
    if request.method == "POST" and form.is_valid():
        from_at = form.moment("from_at")
        assert from_at is not None
        try:
            operations.correct_role(
                assignment_id=pk,
                from_at=from_at,
                until_at=form.moment("until_at"),
                at=timezone.now(),
                author=actor(request),
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The times are corrected. What they were is kept."))
            return redirect(_place(row.incident))
    answer = render(
        request,
        "incidents/role_correct.html",
        {
            "incident": row.incident,
            "tz": tz,
            "assignment": row,
            "form": form,
            "revisions": queries.revisions(row).select_related("replaced_by"),
        },
        status=_INVALID if form.errors else 200,
    )
    return looks.remember_zone(request, answer)


def _assignment(request: HttpRequest, pk: int) -> RoleAssignment:
    seen = Incident.objects.seen_by(actor(request))
    rows = RoleAssignment.objects.filter(incident__in=seen)
    return get_object_or_404(rows.select_related("incident", "holder"), pk=pk)


def _place(incident: Incident) -> str:
    return reverse("incidents:incident-detail", args=[incident.pk]) + "#people"
