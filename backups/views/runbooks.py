"""Pages of the desk: the runbook of a database, staff's sections in it, and what is ticked."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import Database, RunbookSection
from backups.runbook import WITHOUT, prose
from incidents import queries as record
from incidents.errors import Refused
from incidents.models import Incident
from incidents.operations import EditedMeanwhile

_INVALID, _CONFLICT = 422, 409


@require_GET
@staff_required
def show_runbook(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what to do when this database is lost, and what was done of it in an incident."""
    database, now = _database(pk), timezone.now()
    incident = _incident(request, request.GET)
    ticks = queries.runbook_ticks(pk, incident.pk) if incident is not None else {}
    runbook = queries.runbook_of(database, at=now, incident=incident)
    return render(
        request,
        "backups/runbook.html",
        {
            "database": database,
            "runbook": runbook,
            "without": WITHOUT,
            "incident": incident,
            "incidents": record.open_incidents(actor(request)),
            "steps": [{"step": step, "tick": ticks.get(step.code)} for step in runbook.steps],
            "done": sum(1 for step in runbook.steps if step.code in ticks),
            "sections": [
                {"section": row, "html": _safe(row)} for row in queries.runbook_sections(pk)
            ],
            "now": now,
        },
    )


@require_POST
@staff_required
def tick_step(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down that a step is done."""
    return _tick(request, pk, is_done=True)


@require_POST
@staff_required
def untick_step(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a tick back."""
    return _tick(request, pk, is_done=False)


@staff_required
def add_section(request: HttpRequest, pk: int) -> HttpResponse:
    """Write a section of one's own."""
    database = _database(pk)
    form = forms.SectionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        section = operations.add_section(
            database_id=pk,
            title=said["title"],
            body=said["body"],
            by=actor(request),
            at=timezone.now(),
        )
        messages.success(request, _("The section stands in the runbook."))
        return redirect(_page(pk, section=section.pk))
    return _section_page(request, database, form)


@staff_required
def edit_section(request: HttpRequest, pk: int) -> HttpResponse:
    """Say something else in a section; whoever was quicker is not overwritten."""
    section = _section(pk)
    if request.method != "POST":
        form = forms.SectionForm.of(section)
        return _section_page(request, section.database, form, section=section)
    form = forms.SectionForm(request.POST)
    if not form.is_valid():
        return _section_page(request, section.database, form, section=section)
    said = form.cleaned_data
    try:
        operations.edit_section(
            section_id=pk,
            title=said["title"],
            body=said["body"],
            version=said["version"] or 0,
            by=actor(request),
            at=timezone.now(),
        )
    except EditedMeanwhile as refusal:
        # What was typed stays; the next save is made with what the section says now in sight.
        section.refresh_from_db()
        typed = request.POST.copy()
        typed["version"] = str(section.version)
        form = forms.SectionForm(typed)
        form.add_error(None, str(refusal))
        return _section_page(request, section.database, form, section=section, is_moved=True)
    messages.success(request, _("The section is changed."))
    return redirect(_page(section.database_id, section=pk))


@require_POST
@staff_required
def move_section(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a section stand one higher or lower."""
    section = _section(pk)
    operations.move_section(section_id=pk, to="up" if request.GET.get("to") == "up" else "down")
    return redirect(_page(section.database_id, section=pk))


@require_POST
@staff_required
def remove_section(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a section away, unless somebody has changed it since it was read."""
    section = _section(pk)
    version = request.POST.get("version", "")
    try:
        operations.remove_section(section_id=pk, version=int(version) if version.isdecimal() else 0)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_page(section.database_id, section=pk))
    messages.success(request, _("The section “%s” is gone.") % section.title)
    return redirect(_page(section.database_id))


def _tick(request: HttpRequest, pk: int, *, is_done: bool) -> HttpResponse:
    _database(pk)
    incident, step = _incident(request, request.POST), request.POST.get("step", "")
    if incident is None:
        messages.error(request, _("Choose an incident first: a tick stands on its timeline."))
        return redirect(_page(pk))
    deed = operations.tick_step if is_done else operations.untick_step
    try:
        deed(
            database_id=pk,
            incident_id=incident.pk,
            step=step,
            by=actor(request),
            at=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_page(pk, incident=incident))
    return redirect(_page(pk, incident=incident, step=step))


def _incident(request: HttpRequest, asked: QueryDict) -> Incident | None:
    """Return the incident that is named, if whoever asks may know of it; 404 if not."""
    named = asked.get("incident", "")
    if not named:
        return None
    seen = record.incidents_seen_by(actor(request))
    return get_object_or_404(seen, pk=int(named) if named.isdecimal() else 0)


def _database(pk: int) -> Database:
    return get_object_or_404(Database.objects.select_related("storage"), pk=pk)


def _section(pk: int) -> RunbookSection:
    rows = RunbookSection.objects.select_related("database", "edited_by")
    return get_object_or_404(rows, pk=pk)


def _safe(section: RunbookSection) -> str:
    return mark_safe(prose.as_html(section.body))  # noqa: S308 - it has just cleaned it


def _page(pk: int, *, incident: Incident | None = None, step: str = "", section: int = 0) -> str:
    page = reverse("backups:runbook", args=[pk])
    asked = f"?incident={incident.pk}" if incident is not None else ""
    place = f"#step-{step}" if step else f"#section-{section}" if section else ""
    return f"{page}{asked}{place}"


def _section_page(
    request: HttpRequest,
    database: Database,
    form: forms.SectionForm,
    *,
    section: RunbookSection | None = None,
    is_moved: bool = False,
) -> HttpResponse:
    context: dict[str, Any] = {
        "database": database,
        "form": form,
        "section": section,
        "says_now": section if is_moved else None,
        "now": timezone.now(),
    }
    status = _CONFLICT if is_moved else _INVALID if form.errors else 200
    return render(request, "backups/runbook_section.html", context, status=status)
