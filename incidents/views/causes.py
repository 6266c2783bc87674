"""Causes: written down, put in order, linked, taken off the record; and cases at vendors."""

from typing import Any

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
from incidents.models import Incident, RootCause, VendorCase
from incidents.values import When
from incidents.views import looks
from incidents.views.desk import number, posted

_INVALID = 422


@staff_required
def add_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down one reason, on a page of its own: it offers every entry of the timeline."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = _form(incident, posted(request))
    if not form.is_valid():
        title = _("Add a cause")
        return _page(request, incident, form, title=title, label=_("Add cause"))
    operations.record_root_cause(
        incident_id=pk, at=timezone.now(), author=actor(request), **form.meant()
    )
    messages.success(request, _("The cause is on record."))
    return redirect(_place(pk))


@staff_required
def edit_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a reason. What somebody else has changed meanwhile is not overwritten unread."""
    cause = _cause(request, pk)
    initial = {
        "kind": cause.kind,
        "text": cause.text,
        "evidence": list(cause.evidence.values_list("pk", flat=True)),
        "addressed_by": list(cause.addressed_by.values_list("pk", flat=True)),
        "version": cause.version,
    }
    form = _form(cause.incident, posted(request), initial=initial)
    if form.is_bound and form.is_valid():
        try:
            operations.edit_root_cause(
                cause_id=pk,
                at=timezone.now(),
                author=actor(request),
                version=form.cleaned_data["version"],
                **form.meant(),
            )
        except Refused as refusal:
            form = _form(cause.incident, _with_version(request, cause.version))
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The cause is changed. What it said before is kept."))
            return redirect(_place(cause.incident_id))
    title = _("Edit a cause")
    return _page(request, cause.incident, form, title=title, label=_("Save"), cause=cause)


@require_POST
@staff_required
def move_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a cause change places with its neighbour."""
    cause = _cause(request, pk)
    down = request.POST.get("direction") == "down"
    try:
        operations.move_root_cause(cause_id=pk, direction="down" if down else "up")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect(_place(cause.incident_id))


@require_POST
@staff_required
def remove_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a cause off the record, and offer to undo that."""
    cause = _cause(request, pk)
    operations.remove_root_cause(cause_id=pk, at=timezone.now(), author=actor(request))
    return redirect(_place(cause.incident_id, query=f"?cause={pk}"))


@require_POST
@staff_required
def restore_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring a cause back."""
    cause = _cause(request, pk)
    operations.restore_root_cause(cause_id=pk, at=timezone.now(), author=actor(request))
    messages.success(request, _("The cause is back on record."))
    return redirect(_place(cause.incident_id))


@staff_required
def write_case(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down the case at a vendor's support, or what it has come to."""
    cause = _cause(request, pk)
    case = VendorCase.objects.filter(cause=cause).first()
    version, tz = (case.version if case else 0), cause.incident.tz
    form = forms.VendorCaseForm(posted(request), tz=tz, initial=_initial(case, version))
    if form.is_bound and form.is_valid():
        try:
            operations.write_vendor_case(
                cause_id=pk, at=timezone.now(), author=actor(request), **form.meant()
            )
        except Refused as refusal:
            form = forms.VendorCaseForm(_with_version(request, version), tz=tz)
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The support case is on record."))
            return redirect(_place(cause.incident_id))
    return render(
        request,
        "incidents/cause_case.html",
        {
            "incident": cause.incident,
            "cause": cause,
            "case": case,
            "form": form,
            "tz": looks.look_at(request, cause.incident).tz,
            "revisions": queries.revisions(case).select_related("replaced_by") if case else [],
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def remove_case(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a support case off that was written down by mistake."""
    cause = _cause(request, pk)
    version = number(request.POST.get("version", "")) or 0
    try:
        operations.remove_vendor_case(
            cause_id=pk, version=version, at=timezone.now(), author=actor(request)
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The support case is taken off this cause."))
    return redirect(_place(cause.incident_id))


def _form(incident: Incident, data: Any, **more: Any) -> forms.CauseForm:
    entries = queries.timeline(incident.pk)
    actions = list(incident.actions.soonest_first())
    return forms.CauseForm(data, entries=entries, actions=actions, tz=incident.tz, **more)


def _with_version(request: HttpRequest, version: int) -> Any:
    """Return what was typed, to be saved over what it says now by whoever has read that."""
    typed = request.POST.copy()
    typed["version"] = str(version)
    return typed


def _initial(case: VendorCase | None, version: int) -> dict[str, Any]:
    if case is None:
        return {"version": version}
    named = ("provider", "reference", "url", "state", "note")
    return {name: getattr(case, name) for name in named} | {
        "opened": When.of(case, "opened_") if case.opened_at else None,
        "promised": When.of(case, "promised_") if case.promised_at else None,
        "version": version,
    }


def _page(
    request: HttpRequest,
    incident: Incident,
    form: forms.CauseForm,
    *,
    title: str,
    label: str,
    cause: RootCause | None = None,
) -> HttpResponse:
    return render(
        request,
        "incidents/cause_edit.html",
        {
            "incident": incident,
            "form": form,
            "title": title,
            "label": label,
            "tz": looks.look_at(request, incident).tz,
            "revisions": queries.revisions(cause).select_related("replaced_by") if cause else [],
        },
        status=_INVALID if form.errors else 200,
    )


def _cause(request: HttpRequest, pk: int) -> RootCause:
    seen = RootCause.objects.filter(incident__in=Incident.objects.seen_by(actor(request)))
    return get_object_or_404(seen.select_related("incident"), pk=pk)


def _place(incident_id: int, *, query: str = "") -> str:
    return reverse("incidents:incident-detail", args=[incident_id]) + f"{query}#causes"
