"""Who may know of a private incident."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations
from incidents.errors import Refused
from incidents.models import Incident
from incidents.views import page

_INVALID = 422


@require_POST
@staff_required
def add_member(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody know of it."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.MemberForm(request.POST)
    if form.is_valid():
        person = form.cleaned_data["person"]
        try:
            operations.add_member(
                incident_id=pk, user=person, at=timezone.now(), author=actor(request)
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s may know of it now.") % person.label())
            return redirect(_place(pk))
    return page.incident_page(request, incident, status=_INVALID, member_form=form)


@require_POST
@staff_required
def remove_member(request: HttpRequest, pk: int, person: int) -> HttpResponse:
    """Let somebody know of it no longer."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    member = get_object_or_404(incident.members, pk=person)
    try:
        operations.remove_member(
            incident_id=pk, user=member, at=timezone.now(), author=actor(request)
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_place(pk))
    messages.success(request, _("%s does not see it any more.") % member.label())
    if not Incident.objects.seen_by(actor(request)).filter(pk=pk).exists():
        return redirect("incidents:incident-list")
    return redirect(_place(pk))


def _place(pk: int) -> str:
    return reverse("incidents:incident-detail", args=[pk]) + "#people"
