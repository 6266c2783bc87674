"""What customers go without: written down, and said to be there again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations
from incidents.models import Impact, Incident
from incidents.values import ImpactKind
from incidents.views import page

_INVALID = 422


@require_POST
@staff_required
def record_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what customers go without."""
    incident = get_object_or_404(Incident, pk=pk)
    form = forms.ImpactForm(request.POST, now=timezone.now(), tz=incident.tz)
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID, impact_form=form)
    component = form.cleaned_data["component"]
    operations.record_impact(
        incident_id=pk,
        kind=ImpactKind(form.cleaned_data["kind"]),
        began_at=form.cleaned_data["began_at"],
        at=form.now,
        author=actor(request),
        component_id=component.pk if component else None,
        data_from_at=form.cleaned_data["data_from_at"],
        text=form.cleaned_data["text"],
    )
    messages.success(request, _("The impact is on record."))
    return redirect(_place(pk))


@require_POST
@staff_required
def end_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that customers have it again."""
    impact = get_object_or_404(Impact, pk=pk)
    operations.end_impact(impact_id=pk, at=timezone.now())
    messages.success(request, _("The impact is over."))
    return redirect(_place(impact.incident_id))


def _place(incident_id: int) -> str:
    return reverse("incidents:incident-detail", args=[incident_id]) + "#impacts"
