"""Updates that customers have not read: changed, handed in, approved, given back, put away."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import Incident, StatusUpdate
from incidents.values import Phase
from incidents.views import desk, looks, telling
from incidents.views.updates import say_where

_INVALID = 422


@require_GET
@staff_required
def show_drafts(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the drafts alone."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    context = telling.unsent(request, incident)
    return render(request, "incidents/_drafts.html", {"incident": incident, **context})


@staff_required
def edit_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what an update says and brings. What somebody else has changed meanwhile is shown."""
    update, now = _update(request, pk), timezone.now()
    tz = looks.look_at(request, update.incident).tz
    form = telling.draft_form(update, now=now, data=request.POST or None, typed_in=tz)
    says_now = ""
    if form.is_bound and form.is_valid():
        try:
            operations.edit_draft(
                update_id=pk,
                body=form.cleaned_data["body"],
                phase=Phase(form.cleaned_data["phase"]),
                plan=form.plan,
                at=now,
                author=actor(request),
                deliver_notifications=not form.cleaned_data["quiet"],
                version=form.cleaned_data["version"],
            )
        except operations.EditedMeanwhile as refusal:
            typed = request.POST.dict() | {"version": str(update.version)}
            form, says_now = telling.draft_form(update, now=now, data=typed), update.body
            form.add_error(None, str(refusal))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The update is changed. Customers have not read it yet."))
            return redirect(_place(update))
    answer = render(
        request,
        "incidents/draft_edit.html",
        {
            "incident": update.incident,
            "tz": tz,
            "update": update,
            "form": form,
            "says_now": says_now,
            "revisions": queries.revisions(update).select_related("replaced_by"),
        },
        status=_INVALID if form.errors else 200,
    )
    return looks.remember_zone(request, answer)


@require_POST
@staff_required
def publish_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell customers what a draft says, or hand it in where somebody else approves it first."""
    version = desk.number(request.POST.get("version", ""))
    return _do(
        request,
        pk,
        lambda: operations.publish_draft(
            update_id=pk, at=timezone.now(), approver=actor(request), version=version
        ),
    )


@require_POST
@staff_required
def approve_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Let customers read what somebody else has written: the version that was read."""
    version = desk.number(request.POST.get("version", ""))
    return _do(
        request,
        pk,
        lambda: operations.approve_update(
            update_id=pk,
            at=timezone.now(),
            approver=actor(request),
            version=version,
        ),
    )


@staff_required
def return_update(request: HttpRequest, pk: int) -> HttpResponse:
    """Give an update back, with the reason."""
    update = _update(request, pk)
    form = forms.ReasonForm(request.POST or None)
    if form.is_bound and form.is_valid():
        try:
            operations.return_update(
                update_id=pk,
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The update is a draft again. Its author reads why."))
            return redirect(_place(update))
    return _deed(
        request,
        update,
        form,
        title=_("Give an update back"),
        explanation=_("It becomes a draft again. Customers have not read it."),
        label=_("Give it back"),
    )


@staff_required
def publish_unapproved(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell customers although nobody could approve it, with the reason: the version shown here."""
    update = _update(request, pk)
    form = forms.ReasonForm(request.POST or None, initial={"version": update.version})
    if form.is_bound and form.is_valid():
        try:
            published = operations.publish_unapproved(
                update_id=pk,
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
                author=actor(request),
                version=form.cleaned_data["version"],
            )
        except Refused as refusal:
            # Shown again beside what it says now: sent again, it counts.
            form = forms.ReasonForm(request.POST.dict() | {"version": str(update.version)})
            form.add_error(None, str(refusal))
        else:
            say_where(request, published)
            return redirect(update.incident)
    return _deed(
        request,
        update,
        form,
        title=_("Publish without approval"),
        explanation=_(
            "Customers read it at once. That nobody else has read it before, and why, stands on "
            "the timeline."
        ),
        label=_("Publish it"),
    )


@require_POST
@staff_required
def discard_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Put an update away, and offer to undo that."""
    update = _update(request, pk)
    try:
        operations.discard_draft(update_id=pk, at=timezone.now(), author=actor(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(update.incident)
    return redirect(f"{update.incident.get_absolute_url()}?discarded={pk}#drafts")


@require_POST
@staff_required
def restore_draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring an update back that was put away."""
    update = _update(request, pk)
    try:
        operations.restore_draft(update_id=pk, at=timezone.now(), author=actor(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The draft is back."))
    return redirect(_place(update))


def _do(request: HttpRequest, pk: int, deed: Callable[[], StatusUpdate]) -> HttpResponse:
    update = _update(request, pk)
    try:
        done = deed()
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(_place(update))
    say_where(request, done)
    return redirect(update.incident)


def _update(request: HttpRequest, pk: int) -> StatusUpdate:
    seen = Incident.objects.seen_by(actor(request))
    found = StatusUpdate.objects.select_related("incident").filter(incident__in=seen)
    return get_object_or_404(found, pk=pk)


def _place(update: StatusUpdate) -> str:
    return f"{update.incident.get_absolute_url()}#drafts"


def _deed(
    request: HttpRequest,
    update: StatusUpdate,
    form: forms.ReasonForm,
    *,
    title: str,
    explanation: str,
    label: str,
) -> HttpResponse:
    return render(
        request,
        "incidents/deed.html",
        {
            "incident": update.incident,
            "form": form,
            "title": title,
            "explanation": explanation,
            "label": label,
            "says_now": update.body,
        },
        status=_INVALID if form.errors else 200,
    )
