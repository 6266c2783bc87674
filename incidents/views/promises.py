"""Promises: made, kept or missed, and openly taken back."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations
from incidents.errors import Refused
from incidents.models import Incident, Promise
from incidents.values import PromiseKind, PromiseOutcome
from incidents.views import looks, page

_INVALID = 422


@require_GET
@staff_required
def show_promises(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the promises alone."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    context = page.promises(incident, now=timezone.now(), tz=looks.look_at(request, incident).tz)
    return render(request, "incidents/_promises.html", context)


@require_POST
@staff_required
def make_promise(request: HttpRequest, pk: int) -> HttpResponse:
    """Give customers a time."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.PromiseForm(
        request.POST,
        now=timezone.now(),
        tz=incident.tz,
        typed_in=looks.look_at(request, incident).tz,
    )
    if form.is_valid():
        try:
            operations.make_promise(
                incident_id=pk,
                kind=PromiseKind(form.cleaned_data["kind"]),
                due=form.due,
                at=form.now,
                author=actor(request),
                text=form.cleaned_data["text"],
                basis=form.cleaned_data["basis"],
                confidence=form.cleaned_data["confidence"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The promise is made, and customers see it."))
            return redirect(incident)
    return page.incident_page(request, incident, status=_INVALID, promise_form=form)


@staff_required
def settle_promise(request: HttpRequest, pk: int) -> HttpResponse:
    """Say whether a promise was kept, where no clock can tell."""
    promise = _promise(request, pk)
    form = forms.SettleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.settle_promise(
                promise_id=pk,
                outcome=PromiseOutcome(form.cleaned_data["outcome"]),
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The promise is settled."))
            return redirect(promise.incident)
    return _deed(request, promise, form, title=_("Settle a promise"), label=_("Settle it"))


@staff_required
def withdraw_promise(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a promise back, with the reason."""
    promise = _promise(request, pk)
    form = forms.WithdrawForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.withdraw_promise(
                promise_id=pk,
                reason=form.cleaned_data["reason"],
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The promise is withdrawn. It stays on record."))
            return redirect(promise.incident)
    return _deed(request, promise, form, title=_("Withdraw a promise"), label=_("Withdraw it"))


@require_POST
@staff_required
def set_long(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell customers of the incident at the pace of a long one, or at the usual one."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    is_long = request.POST.get("is_long") == "1"
    try:
        operations.set_long(
            incident_id=pk, is_long=is_long, at=timezone.now(), author=actor(request)
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request,
            _("A long incident from now on: fewer updates, each with the time of the next.")
            if is_long
            else _("No long incident any more: updates at the usual pace."),
        )
    return redirect(f"{incident.get_absolute_url()}#update")


def _promise(request: HttpRequest, pk: int) -> Promise:
    seen = Incident.objects.seen_by(actor(request))
    found = Promise.objects.select_related("incident").filter(incident__in=seen)
    return get_object_or_404(found, pk=pk)


def _deed(
    request: HttpRequest,
    promise: Promise,
    form: forms.SettleForm | forms.WithdrawForm,
    *,
    title: str,
    label: str,
) -> HttpResponse:
    return render(
        request,
        "incidents/promise_deed.html",
        {
            "incident": promise.incident,
            "promise": promise,
            "tz": looks.look_at(request, promise.incident).tz,
            "form": form,
            "title": title,
            "label": label,
        },
        status=_INVALID if form.errors else 200,
    )
