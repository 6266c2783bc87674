"""The timeline: one line in, one entry out; the list as it is now; entries taken off and back."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries, quickentry
from incidents.errors import Refused
from incidents.models import Incident, TimelineEntry
from incidents.values import Source
from incidents.views import desk, looks, page

_INVALID = 422


@gzip_page
@require_GET
@staff_required
def show_timeline(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the list of entries alone; with nothing if it is the one that was seen."""
    seen_by = Incident.objects.seen_by(actor(request))
    stamp = queries.timeline_stamp(seen_by, pk)
    if stamp is not None and request.GET.get("seen") == stamp:
        return HttpResponse(status=204)
    incident = get_object_or_404(seen_by, pk=pk)
    context = looks.timeline(incident, looks.look_at(request, incident), stamp=stamp or "")
    return render(request, "incidents/_timeline.html", context)


@require_http_methods(["GET", "POST"])
@staff_required
def read_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how a line would be read, without writing it down."""
    incident = _incident(request, pk)
    look = looks.look_at(request, incident)
    line = (request.POST if request.method == "POST" else request.GET).get("line", "")
    context: dict[str, object] = {"tz": look.tz}
    if line.strip():
        try:
            reading = _read(line[: forms.LONGEST_LINE], incident, look)
            context |= {"reading": reading, "holder": queries.marked(pk, reading.milestone)}
        except quickentry.Unreadable as refusal:
            context |= {"refusal": str(refusal), "ways": refusal.ways}
    return render(request, "incidents/_entry_reading.html", context)


@require_POST
@staff_required
def add_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what happened, and show the page."""
    incident = _incident(request, pk)
    form = _typed(request)
    look = looks.look_at(request, incident)
    if _add(request, incident, form, look) is None:
        return page.incident_page(request, incident, status=_INVALID, entry_form=form)
    return redirect(f"{incident.get_absolute_url()}{look.but()}#entry")


@require_POST
@staff_required
def add_line(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what happened, and answer with what came of it alone."""
    incident = _incident(request, pk)
    form = _typed(request)
    look = looks.look_at(request, incident)
    entry = _add(request, incident, form, look)
    return render(
        request,
        "incidents/_entry_answer.html",
        {"form": form, "entry": entry, "incident": incident, "tz": look.tz},
        status=_INVALID if entry is None else 200,
    )


@require_POST
@staff_required
def delete_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an entry off the timeline, and offer to bring it back."""
    entry = held(request, pk)

    def delete() -> TimelineEntry:
        return operations.delete_entry(
            entry_id=pk, at=timezone.now(), author=actor(request), version=read_version(request)
        )

    return _deed(request, entry, delete, said="deleted")


@require_POST
@staff_required
def restore_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring an entry back."""
    entry = held(request, pk)

    def restore() -> TimelineEntry:
        return operations.restore_entry(entry_id=pk, at=timezone.now(), author=actor(request))

    return _deed(request, entry, restore, said="restored")


@require_POST
@staff_required
def pin_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Pin an entry, or take the pin off, as the address says."""
    return _switch(request, pk, "pinned", is_pinned=request.GET.get("to") == "pinned")


@require_POST
@staff_required
def show_entry(request: HttpRequest, pk: int) -> HttpResponse:
    """Say whether an entry may be told to customers, as the address says."""
    return _switch(request, pk, "shown", is_public=request.GET.get("to") == "public")


@require_GET
@staff_required
def list_deleted(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was taken off the timeline."""
    incident = _incident(request, pk)
    return render(
        request,
        "incidents/entry_deleted.html",
        {
            "incident": incident,
            "entries": queries.deleted_entries(pk),
            "tz": looks.look_at(request, incident).tz,
        },
    )


def held(request: HttpRequest, pk: int) -> TimelineEntry:
    """Return the entry with its incident, if whoever asks may know of that; 404 otherwise."""
    seen = Incident.objects.seen_by(actor(request))
    entries = TimelineEntry.objects.select_related("incident").filter(incident__in=seen)
    return get_object_or_404(entries, pk=pk)


def read_version(request: HttpRequest) -> int | None:
    """Return the version that was read, if the address says."""
    return desk.number(request.GET.get("version", ""))


def _incident(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)


def _switch(request: HttpRequest, pk: int, said: str, **change: Any) -> HttpResponse:
    entry = held(request, pk)

    def switch() -> TimelineEntry:
        return operations.edit_entry(
            entry_id=pk,
            at=timezone.now(),
            author=actor(request),
            version=read_version(request),
            **change,
        )

    return _deed(request, entry, switch, said=said)


def _deed(request: HttpRequest, entry: TimelineEntry, deed: Any, *, said: str) -> HttpResponse:
    """Do it, and answer with the page, or with word of it alone where a script asks."""
    refusal = ""
    try:
        entry = deed()
    except Refused as refused:
        refusal, said = desk.refused(refused), "refused"
    if request.headers.get("HX-Request"):
        return render(
            request,
            "incidents/_entry_undo.html",
            {"entry": entry, "said": said, "refusal": refusal},
        )
    if refusal:
        messages.error(request, refusal)
    elif said == "restored":
        messages.success(request, _("The entry is back."))
    incident = entry.incident
    look = looks.look_at(request, incident, asked=QueryDict(request.POST.get("look", "")))
    # What can be undone is named in the address, so that the page offers it.
    undo = {said: str(entry.pk)} if said in ("deleted", "shown") else {}
    anchor = "timeline" if said == "deleted" else f"e{entry.pk}"
    return redirect(f"{incident.get_absolute_url()}{look.but(**undo)}#{anchor}")


def _add(
    request: HttpRequest, incident: Incident, form: forms.QuickEntryForm, look: looks.Look
) -> TimelineEntry | None:
    """Write the line down; None, with what is wrong on the form, if it cannot be."""
    if not form.is_valid():
        return None
    try:
        reading = _read(form.cleaned_data["line"], incident, look)
        return operations.add_entry(
            incident_id=incident.pk,
            text=reading.text,
            when=reading.when,
            at=timezone.now(),
            author=actor(request),
            tags=reading.tags,
            outcome=reading.outcome,
            milestone=reading.milestone,
            is_public=form.cleaned_data["is_public"],
            source=Source.WEB,
            external_id=desk.once(form),
            moves_from=desk.number(request.POST.get("moves_from", "")),
        )
    except quickentry.Unreadable as refusal:
        form.ways = refusal.ways
        form.add_error("line", str(refusal))
    except operations.MilestoneTaken as refusal:
        form.holder = refusal.holder
        form.add_error("line", desk.refused(refusal))
    except Refused as refusal:
        form.add_error("line", str(refusal))
    return None


def _typed(request: HttpRequest) -> forms.QuickEntryForm:
    """Return the line as it was typed, or the one that was chosen in its place."""
    data = request.POST.copy()
    if instead := data.pop("instead", None):
        data["line"] = instead[-1]
    return forms.QuickEntryForm(data)


def _read(line: str, incident: Incident, look: looks.Look) -> quickentry.Reading:
    return quickentry.read_line(
        line, tz=look.tz, now=timezone.now(), needs_day=incident.is_resolved
    )
