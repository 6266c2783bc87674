"""What customers are told: written, seen before it is sent, posted; mistakes corrected."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import drafting, forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident, StatusUpdate
from incidents.operations.promises import quiet_until
from incidents.values import Phase, UpdateState, When
from incidents.views import desk, looks, page, telling

_INVALID = 422


@require_POST
@staff_required
def preview_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with the update as customers would see it. Nothing is sent."""
    incident = _incident(request, pk)
    form = telling.update_form(
        incident, now=timezone.now(), data=request.POST, may_have_blanks=True
    )
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID, update_form=form)
    return page.incident_page(request, incident, preview=_imagined(form), update_form=form)


@require_POST
@staff_required
def fill_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with the chosen template in what was left empty. Nothing is sent."""
    incident = _incident(request, pk)
    form = telling.update_form(
        incident, now=timezone.now(), typed_in=looks.look_at(request, incident).tz
    )
    desk.fill(request, form, request.POST)
    form.is_shown_again = True
    return page.incident_page(request, incident, update_form=form)


@require_http_methods(["GET", "POST"])
@staff_required
def propose_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the page with a first draft of the update, behind what was typed. Nothing is sent."""
    incident, now = _incident(request, pk), timezone.now()
    quiet = quiet_until(incident, at=now)
    proposal = drafting.propose(queries.since_last_update(incident, at=now, quiet_until=quiet))
    form = telling.update_form(incident, now=now, typed_in=looks.look_at(request, incident).tz)
    if request.method == "POST":
        form.fill(request.POST.dict() | {"template": ""})
    typed = str(form.initial.get("body", "")).replace("\r\n", "\n").strip()
    if proposal.body not in typed:
        form.initial["body"] = f"{typed}\n\n{proposal.body}".strip()
    form.made_from, form.is_shown_again = proposal.sources, True
    form.ask_for_blanks()
    return page.incident_page(request, incident, update_form=form)


@require_POST
@staff_required
def post_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell customers, or hand it in where somebody else approves it first."""
    incident = _incident(request, pk)
    form = telling.update_form(incident, now=timezone.now(), data=request.POST)
    if form.is_valid():
        try:
            update = tell(form, incident_id=pk, author=actor(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            say_where(request, update)
            return redirect(incident)
    return page.incident_page(request, incident, status=_INVALID, update_form=form)


@require_POST
@staff_required
def save_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Put an update aside, blanks and all. Customers read nothing of it."""
    incident = _incident(request, pk)
    form = telling.update_form(
        incident, now=timezone.now(), data=request.POST, may_have_blanks=True
    )
    if form.is_valid():
        once = desk.once(form)
        try:
            operations.draft_status_update(
                incident_id=pk,
                body=form.cleaned_data["body"],
                phase=Phase(form.cleaned_data["phase"]),
                at=form.now,
                author=actor(request),
                plan=form.plan,
                # Another than that of posting: who goes back and posts the same form means it.
                idempotency_key=once and f"draft-{once}",
                deliver_notifications=not form.cleaned_data["quiet"],
                title=form.new_title,
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The update is saved as a draft. Customers see nothing."))
            return redirect(f"{incident.get_absolute_url()}#drafts")
    return page.incident_page(request, incident, status=_INVALID, update_form=form)


def tell(form: forms.UpdateForm, *, incident_id: int, author: User) -> StatusUpdate:
    """Post what a valid form says, or hand it in."""
    plan = form.plan
    return operations.post_status_update(
        incident_id=incident_id,
        body=form.cleaned_data["body"],
        phase=Phase(form.cleaned_data["phase"]),
        at=form.now,
        author=author,
        component_statuses=plan.component_statuses,
        next_update_at=plan.next_update_at,
        next_update_in=plan.next_update_in,
        eta=plan.eta,
        eta_basis=plan.eta_basis,
        eta_confidence=plan.eta_confidence,
        idempotency_key=desk.once(form),
        deliver_notifications=not form.cleaned_data["quiet"],
        title=form.new_title,
    )


@staff_required
def correct_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct what customers were told. What somebody else has corrected meanwhile is shown."""
    update = get_object_or_404(
        StatusUpdate.objects.published()
        .select_related("incident")
        .filter(incident__in=Incident.objects.seen_by(actor(request))),
        pk=pk,
    )
    form = forms.CorrectForm(
        request.POST or None, initial={"body": update.body, "version": update.version}
    )
    says_now = ""
    if request.method == "POST" and form.is_valid():
        try:
            correct(form, update_id=pk, author=actor(request))
        except operations.EditedMeanwhile as refusal:
            form = _read_anew(form, update, str(refusal))
            says_now = update.body
        else:
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
            "says_now": says_now,
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
        version=form.cleaned_data["version"],
    )


def say_where(request: HttpRequest, update: StatusUpdate) -> None:
    """Say whether customers can read what was just posted."""
    if update.state == UpdateState.IN_REVIEW:
        messages.warning(
            request,
            _(
                "The update waits for approval by somebody else; customers have not read it. If "
                "nobody can approve it now, publish it without, and say why."
            ),
        )
        return
    incident = Incident.objects.get(pk=update.incident_id)
    if incident.is_public:
        messages.success(request, _("The update is on the status page."))
    else:
        messages.warning(
            request,
            _(
                "The update is on record for staff. The status page does not show this incident: "
                "show it there, and post again, if customers are to know."
            ),
        )
    if incident.is_resolved:
        say_what_stays(request, incident)


def say_what_stays(request: HttpRequest, incident: Incident) -> None:
    """Name the components that the end of an incident left as they are, and who holds them."""
    for words in telling.held_words(incident).values():
        messages.warning(request, words)


def _read_anew(form: forms.CorrectForm, update: StatusUpdate, said: str) -> forms.CorrectForm:
    """Return the form as it was typed, now knowing of what stands there: sent again, it counts."""
    again = forms.CorrectForm(dict(form.data.items()) | {"version": update.version})
    again.add_error(None, said)
    return again


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


def _incident(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
