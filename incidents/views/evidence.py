"""What shows that an entry is so: attached, looked at, taken off and brought back."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.forms import Form
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.access import actor, staff_required
from incidents import forms, operations
from incidents.errors import Refused
from incidents.models import Evidence, Incident, TimelineEntry
from incidents.views import looks
from incidents.views.timeline import held

_INVALID = 422
# The browser that has shown it may show it again; nobody between may keep it.
_KEEP = "private, max-age=3600"
# Whatever the bytes are, they run nothing and reach nothing.
_POLICY = "default-src 'none'; sandbox"


@require_GET
@staff_required
def list_evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what is attached to an entry, and what was taken off."""
    return _page(request, held(request, pk))


@require_POST
@staff_required
def add_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Attach a link to an entry."""
    entry = held(request, pk)
    form = forms.LinkForm(request.POST)
    if form.is_valid():
        try:
            operations.add_link(
                entry_id=pk,
                url=form.cleaned_data["url"],
                caption=form.cleaned_data["caption"],
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error("url", str(refusal))
        else:
            return _back(request, pk, _("The link is attached."))
    return _page(request, entry, link_form=form)


@require_POST
@staff_required
def add_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Attach a file to an entry."""
    entry = held(request, pk)
    form = _file_form(request.POST, request.FILES)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            operations.add_file(
                entry_id=pk,
                file=file,
                name=file.name,
                caption=form.cleaned_data["caption"],
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error("file", str(refusal))
        else:
            return _back(request, pk, _("The file is attached."))
    return _page(request, entry, file_form=form)


@require_POST
@staff_required
def remove_evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """Take evidence off its entry. It can be brought back."""
    evidence = _seen(request, pk)
    operations.remove_evidence(evidence_id=pk, at=timezone.now())
    return _back(request, evidence.entry_id, _("It is taken off. It can be brought back below."))


@require_POST
@staff_required
def restore_evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring evidence back that was taken off."""
    evidence = _seen(request, pk)
    operations.restore_evidence(evidence_id=pk)
    return _back(request, evidence.entry_id, _("It is back."))


@require_safe
@staff_required
def show_evidence(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send a file: pictures to be looked at, everything else to be kept."""
    evidence = _seen(request, pk)
    if not evidence.file or evidence.deleted_at is not None:
        raise Http404
    try:
        file = operations.evidence_storage().open(evidence.file)
    except FileNotFoundError as fault:
        raise Http404 from fault
    response = FileResponse(
        file,
        as_attachment=not evidence.is_image,
        filename=evidence.name,
        content_type=evidence.content_type,
    )
    response["Cache-Control"] = _KEEP
    response["Content-Security-Policy"] = _POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["X-Content-Type-Options"] = "nosniff"
    response["ETag"] = f'"{evidence.sha256}"'
    return response


def _seen(request: HttpRequest, pk: int) -> Evidence:
    """Return the evidence, if whoever asks may know of its incident; 404 otherwise."""
    seen = Incident.objects.seen_by(actor(request))
    return get_object_or_404(Evidence.objects.filter(entry__incident__in=seen), pk=pk)


def _back(request: HttpRequest, entry_id: int, word: str) -> HttpResponse:
    messages.success(request, word)
    return redirect("incidents:entry-evidence", pk=entry_id)


def _page(request: HttpRequest, entry: TimelineEntry, **bound: Form) -> HttpResponse:
    context = {
        "incident": entry.incident,
        "entry": entry,
        "tz": looks.look_at(request, entry.incident).tz,
        "evidence": entry.evidence.select_related("created_by").order_by("pk"),
        "link_form": bound.get("link_form") or forms.LinkForm(),
        "file_form": bound.get("file_form") or _file_form(),
    }
    status = _INVALID if bound else 200
    return render(request, "incidents/entry_evidence.html", context, status=status)


def _file_form(*sent: Any) -> forms.FileForm:
    return forms.FileForm(*sent, limit=settings.EVIDENCE_MOST_BYTES)
