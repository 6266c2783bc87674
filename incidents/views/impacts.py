"""What customers go without: written down, said otherwise, and said to be there again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Impact, Incident
from incidents.views import looks, page

_INVALID = 422


@require_POST
@staff_required
def record_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what customers go without."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    tz = looks.look_at(request, incident).tz
    form = forms.ImpactForm(request.POST, now=timezone.now(), tz=tz)
    if form.is_valid():
        try:
            operations.record_impact(
                incident_id=pk, at=form.now, author=actor(request), **form.meant()
            )
        except Refused as refusal:
            form.add_error("ended_at", str(refusal))
        else:
            messages.success(request, _("The impact is on record."))
            return redirect(_place(pk))
    return page.incident_page(request, incident, status=_INVALID, impact_form=form)


@staff_required
def edit_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Say it otherwise. What somebody else has changed meanwhile is not overwritten unread."""
    impact, now = _impact(request, pk), timezone.now()
    initial = forms.impact_initial(impact)
    tz = looks.look_at(request, impact.incident).tz
    form = forms.ImpactForm(request.POST or None, now=now, tz=tz, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            operations.edit_impact(
                impact_id=pk,
                at=now,
                author=actor(request),
                version=form.cleaned_data["version"],
                **form.meant(),
            )
        except operations.EditedMeanwhile as refusal:
            typed = request.POST.dict() | {"version": str(impact.version)}
            form = forms.ImpactForm(typed, now=now, tz=tz)
            form.add_error(None, str(refusal))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The impact is changed."))
            return redirect(_place(impact.incident_id))
    answer = render(
        request,
        "incidents/impact_edit.html",
        {
            "incident": impact.incident,
            "tz": tz,
            "impact": impact,
            "form": form,
            "revisions": queries.revisions(impact).select_related("replaced_by"),
        },
        status=_INVALID if form.errors else 200,
    )
    return looks.remember_zone(request, answer)


@require_POST
@staff_required
def end_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that customers have it again."""
    impact = _impact(request, pk)
    operations.end_impact(impact_id=pk, at=timezone.now())
    messages.success(request, _("The impact is over."))
    return redirect(_place(impact.incident_id))


@require_POST
@staff_required
def remove_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an impact off the record, and offer to undo that."""
    impact = _impact(request, pk)
    operations.remove_impact(impact_id=pk, at=timezone.now(), author=actor(request))
    return redirect(_place(impact.incident_id, query=f"?removed={pk}"))


@require_POST
@staff_required
def restore_impact(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring an impact back."""
    impact = _impact(request, pk)
    operations.restore_impact(impact_id=pk, at=timezone.now(), author=actor(request))
    messages.success(request, _("The impact is back on record."))
    return redirect(_place(impact.incident_id))


@require_GET
@staff_required
def search_tenants(request: HttpRequest) -> HttpResponse:
    """Answer with the few tenants whose name holds what was typed, for the browser to offer."""
    found = queries.tenants_like(request.GET.get("tenant", ""))
    return render(request, "incidents/_tenant_options.html", {"names": queries.called(found)})


def _impact(request: HttpRequest, pk: int) -> Impact:
    seen = Incident.objects.seen_by(actor(request))
    found = Impact.objects.select_related("incident", "tenant").filter(incident__in=seen)
    return get_object_or_404(found, pk=pk)


def _place(incident_id: int, *, query: str = "") -> str:
    return reverse("incidents:incident-detail", args=[incident_id]) + f"{query}#impacts"
