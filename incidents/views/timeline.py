"""The timeline: one line in, one entry out; entries corrected, taken off and brought back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries, quickentry
from incidents.errors import Refused
from incidents.models import Incident, StatusUpdate, TimelineEntry
from incidents.values import EntryKind, Precision, Source, When
from incidents.views import page

_INVALID = 422


@require_GET
@staff_required
def show_timeline(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the list of entries alone; with nothing if it is the one that was seen."""
    incident = get_object_or_404(Incident, pk=pk)
    context = page.timeline(incident, order=request.GET.get("order", ""))
    if request.GET.get("seen") == context["stamp"]:
        return HttpResponse(status=204)
    return render(request, "incidents/_timeline.html", context)


@require_GET
@staff_required
def read_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how a line would be read, without writing it down."""
    incident = get_object_or_404(Incident, pk=pk)
    line = request.GET.get("line", "")
    context: dict[str, object] = {"tz": incident.tz}
    if line.strip():
        try:
            context["reading"] = _read(line, incident)
        except Refused as refusal:
            context["refusal"] = str(refusal)
    return render(request, "incidents/_entry_reading.html", context)


@require_POST
@staff_required
def add_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what happened."""
    incident = get_object_or_404(Incident, pk=pk)
    form = forms.QuickEntryForm(request.POST)
    if form.is_valid():
        key = form.cleaned_data["key"]
        try:
            reading = _read(form.cleaned_data["line"], incident)
            operations.add_entry(
                incident_id=pk,
                text=reading.text,
                when=reading.when,
                at=timezone.now(),
                author=actor(request),
                tags=reading.tags,
                outcome=reading.outcome,
                milestone=reading.milestone,
                is_public=form.cleaned_data["is_public"],
                source=Source.WEB,
                external_id=f"desk-{key}" if key else "",
            )
        except Refused as refusal:
            form.add_error("line", str(refusal))
        else:
            return redirect(reverse("incidents:incident-detail", args=[pk]) + "#entry")
    return page.incident_page(request, incident, status=_INVALID, entry_form=form)


@staff_required
def edit_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an entry; show what it said before."""
    entry = get_object_or_404(TimelineEntry.objects.select_related("incident"), pk=pk)
    incident = entry.incident
    if entry.kind == EntryKind.UPDATE:
        # Customers read its text: it is changed as an update, not behind their backs.
        update = get_object_or_404(StatusUpdate, entry=entry)
        return redirect("incidents:update-correct", pk=update.pk)
    form = _edit_form(request, entry)
    if request.method == "POST" and form.is_valid():
        changes = {
            name: form.cleaned_data[name]
            for name in ("text", "tags", "outcome", "milestone", "is_public")
        }
        try:
            operations.edit_entry(
                entry_id=pk,
                at=timezone.now(),
                author=actor(request),
                when=form.when,
                reason=form.cleaned_data["reason"],
                **changes,
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The entry is changed. What it said before is kept."))
            return redirect(reverse("incidents:incident-detail", args=[incident.pk]) + f"#e{pk}")
    return render(
        request,
        "incidents/entry_edit.html",
        {
            "incident": incident,
            "entry": entry,
            "form": form,
            "revisions": queries.revisions(entry).select_related("replaced_by"),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def delete_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an entry off the timeline, and offer to bring it back."""
    entry = get_object_or_404(TimelineEntry, pk=pk)
    operations.delete_entry(entry_id=pk, at=timezone.now(), author=actor(request))
    address = reverse("incidents:incident-detail", args=[entry.incident_id])
    return redirect(f"{address}?deleted={pk}#timeline")


@require_POST
@staff_required
def restore_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring an entry back."""
    entry = get_object_or_404(TimelineEntry, pk=pk)
    try:
        operations.restore_entry(entry_id=pk, at=timezone.now(), author=actor(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The entry is back."))
    address = reverse("incidents:incident-detail", args=[entry.incident_id])
    return redirect(f"{address}#e{pk}")


@require_GET
@staff_required
def list_deleted(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was taken off the timeline."""
    incident = get_object_or_404(Incident, pk=pk)
    return render(
        request,
        "incidents/entry_deleted.html",
        {"incident": incident, "entries": queries.deleted_entries(pk)},
    )


def _edit_form(request: HttpRequest, entry: TimelineEntry) -> forms.EditEntryForm:
    exact = entry.precision in (Precision.MINUTE, Precision.HOUR)
    return forms.EditEntryForm(
        request.POST or None,
        tz=entry.incident.tz,
        before=When.of(entry),
        initial={
            "text": entry.text,
            "starts": entry.at if exact else None,
            "ends": entry.until if exact else None,
            "approx": entry.approx,
            "tags": " ".join(entry.tags),
            "outcome": entry.outcome,
            "milestone": entry.milestone,
            "is_public": entry.is_public,
        },
    )


def _read(line: str, incident: Incident) -> quickentry.Reading:
    return quickentry.read_line(
        line, tz=incident.tz, now=timezone.now(), needs_day=incident.is_resolved
    )
