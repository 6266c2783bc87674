"""What an incident is a part of, and what it is a duplicate of."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations
from incidents.errors import Refused
from incidents.models import Incident
from incidents.views import desk

_INVALID = 422


@staff_required
def set_parent(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask of what it is a part, and say so."""
    incident = _incident(request, pk)
    form = forms.OtherIncidentForm(desk.posted(request), reader=actor(request))
    if request.method == "POST" and form.is_valid():
        try:
            operations.set_parent(
                incident_id=pk,
                parent_id=form.cleaned_data["other"].pk,
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error("other", desk.refused(refusal))
        else:
            other = form.cleaned_data["other"]
            messages.success(request, _("It is part of %s now.") % other.ref)
            return redirect(incident)
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": incident,
            "form": form,
            "title": _("Make %s part of another incident") % incident.ref,
            "explanation": _(
                "Both name each other, at the desk and, where customers know of both, on the page. "
                "Each keeps its own timeline, updates and end."
            ),
            "label": _("Make it a part"),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def remove_parent(request: HttpRequest, pk: int) -> HttpResponse:
    """Let it stand on its own."""
    incident = _incident(request, pk)
    operations.remove_parent(incident_id=pk, at=timezone.now(), author=actor(request))
    messages.success(request, _("%s stands on its own.") % incident.ref)
    return redirect(incident)


@staff_required
def mark_duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask of what it is a duplicate, and end it as one."""
    incident = _incident(request, pk)
    form = forms.OtherIncidentForm(desk.posted(request), reader=actor(request))
    if request.method == "POST" and form.is_valid():
        other = form.cleaned_data["other"]
        try:
            operations.mark_duplicate(
                incident_id=pk, original_id=other.pk, at=timezone.now(), author=actor(request)
            )
        except Refused as refusal:
            form.add_error("other", desk.refused(refusal))
        else:
            messages.success(request, _("It is a duplicate of %s.") % other.ref)
            return redirect(incident)
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": incident,
            "form": form,
            "title": _("Mark %s as a duplicate") % incident.ref,
            "explanation": _what_follows(incident),
            "label": _("Mark it as a duplicate"),
        },
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def unmark_duplicate(request: HttpRequest, pk: int) -> HttpResponse:
    """Take that back."""
    incident = _incident(request, pk)
    try:
        changed = operations.unmark_duplicate(
            incident_id=pk, at=timezone.now(), author=actor(request)
        )
    except Refused as refusal:
        messages.error(request, desk.refused(refusal))
    else:
        words = _("%s stands as it did.") if changed.is_resolved else _("%s is open again.")
        messages.success(request, words % incident.ref)
    return redirect(incident)


def _incident(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)


def _what_follows(incident: Incident) -> str:
    if incident.is_resolved:
        return _("It is over already: only the mark is set.")
    if incident.is_public:
        return _(
            "It ends now. Customers read that it is the same as the other one, by its title if "
            "they may know of that, and the other one takes over its components. It can be undone."
        )
    return _("It ends now, and customers hear nothing. It can be undone.")
