"""What customers are told: seen before it is sent, drafts approved, mistakes corrected."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident, StatusUpdate
from incidents.values import Phase, When
from incidents.views import desk, page

_INVALID = 422


@require_POST
@staff_required
def preview_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with the update as customers would see it. Nothing is sent."""
    incident = get_object_or_404(Incident, pk=pk)
    form = page.update_form(incident, now=timezone.now(), data=request.POST, may_have_blanks=True)
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID, update_form=form)
    return page.incident_page(request, incident, preview=_imagined(form), update_form=form)


@require_POST
@staff_required
def fill_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with the chosen template in what was left empty. Nothing is sent."""
    incident = get_object_or_404(Incident, pk=pk)
    form = page.update_form(incident, now=timezone.now())
    desk.fill(request, form, request.POST)
    return page.incident_page(request, incident, update_form=form)


@require_POST
@staff_required
def post_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell customers."""
    incident = get_object_or_404(Incident, pk=pk)
    form = page.update_form(incident, now=timezone.now(), data=request.POST)
    if form.is_valid():
        try:
            tell(form, incident_id=pk, author=actor(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            _say_where(request, pk)
            return redirect(incident)
    return page.incident_page(request, incident, status=_INVALID, update_form=form)


def tell(form: forms.UpdateForm, *, incident_id: int, author: User) -> StatusUpdate:
    """Post what a valid form says."""
    key = form.cleaned_data["key"]
    return operations.post_status_update(
        incident_id=incident_id,
        body=form.cleaned_data["body"],
        phase=Phase(form.cleaned_data["phase"]),
        at=form.now,
        author=author,
        component_statuses=form.component_statuses,
        next_update_at=form.next_update_at,
        eta=form.eta,
        eta_basis=form.cleaned_data["eta_basis"],
        idempotency_key=f"desk-{key}" if key else "",
        deliver_notifications=not form.cleaned_data["quiet"],
    )


@require_GET
@staff_required
def show_drafts(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the drafts alone."""
    incident = get_object_or_404(Incident, pk=pk)
    return render(
        request, "incidents/_drafts.html", {"incident": incident, "drafts": queries.drafts(pk)}
    )


@require_POST
@staff_required
def publish_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve what a job proposes, and tell customers."""
    draft = get_object_or_404(StatusUpdate.objects.select_related("incident"), pk=pk)
    try:
        operations.publish_draft(update_id=pk, at=timezone.now(), approver=actor(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        _say_where(request, draft.incident_id)
    return redirect(draft.incident)


@require_POST
@staff_required
def discard_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a draft away."""
    draft = get_object_or_404(StatusUpdate.objects.select_related("incident"), pk=pk)
    try:
        operations.discard_draft(update_id=pk, at=timezone.now(), author=actor(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The draft is put away."))
    return redirect(draft.incident)


@staff_required
def correct_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct what customers were told."""
    update = get_object_or_404(StatusUpdate.objects.published().select_related("incident"), pk=pk)
    form = forms.CorrectForm(request.POST or None, initial={"body": update.body})
    if request.method == "POST" and form.is_valid():
        correct(form, update_id=pk, author=actor(request))
        messages.success(request, _("The update is corrected, and marked as edited."))
        return redirect(update.incident)
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": update.incident,
            "form": form,
            "title": _("Correct an update"),
            "explanation": _("Customers see that it was edited. What it said before is kept."),
            "label": _("Correct it"),
            "preview": "statuspage:preview-correct",
            "pk": pk,
        },
        status=_INVALID if form.errors else 200,
    )


def correct(form: forms.CorrectForm, *, update_id: int, author: User) -> StatusUpdate:
    """Correct an update as a valid form says."""
    return operations.correct_status_update(
        update_id=update_id,
        body=form.cleaned_data["body"],
        at=timezone.now(),
        author=author,
        reason=form.cleaned_data["reason"],
    )


def _say_where(request: HttpRequest, incident_id: int) -> None:
    """Say whether customers can read what was just posted."""
    if Incident.objects.get(pk=incident_id).is_public:
        messages.success(request, _("The update is on the status page."))
    else:
        messages.warning(
            request, _("The update is on record. The status page does not show this incident.")
        )


def _imagined(form: forms.UpdateForm) -> dict[str, object]:
    """Return the update that the form would become, as the page shows one."""
    return {
        "phase": form.cleaned_data["phase"],
        "body": form.cleaned_data["body"],
        "at": form.now,
        "components": form.chosen_components(),
        "eta": form.eta,
        "next_at": When(at=form.next_update_at) if form.next_update_at else None,
    }
