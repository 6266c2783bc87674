"""Pages of the desk: what a recovery target keeps warm, and having it do so or no more."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import RecoveryTarget, Standby
from incidents.errors import Refused

_INVALID = 422


@require_GET
@staff_required
def show_standby(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a recovery target keeps warm, or ask what it is to keep."""
    return _page(request, pk)


@require_GET
@staff_required
def show_standby_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with how the standby stands, and nothing else."""
    target, now = get_object_or_404(RecoveryTarget, pk=pk), timezone.now()
    return render(
        request,
        "backups/_standby.html",
        {"target": target, "warmth": queries.standby_at(pk, at=now), "now": now},
    )


@require_POST
@staff_required
def keep_warm(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a standby of a database warm at this target."""
    target, form = get_object_or_404(RecoveryTarget, pk=pk), forms.KeepWarmForm(request.POST)
    if form.is_valid():
        try:
            operations.keep_warm(
                database_id=form.cleaned_data["database"].pk,
                target_id=pk,
                by=actor(request),
                at=timezone.now(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("A standby is kept at %s from now on.") % target)
            return redirect("backups:standby", pk=pk)
    return _page(request, pk, keep=form, status=_INVALID)


@require_POST
@staff_required
def stop_keeping(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the standby away, once the name of the target is typed."""
    standby = get_object_or_404(Standby.objects.select_related("target"), target_id=pk)
    form = forms.StopKeepingForm(request.POST)
    if form.is_valid():
        try:
            operations.stop_keeping_warm(
                standby_id=standby.pk, typed=form.cleaned_data["typed"], by=actor(request)
            )
        except Refused as refusal:
            form.add_error("typed", str(refusal))
        else:
            messages.success(request, _("The standby is taken away; the target is free then."))
            return redirect("backups:target-list")
    return _page(request, pk, stop=form, status=_INVALID)


def _page(
    request: HttpRequest,
    pk: int,
    *,
    keep: forms.KeepWarmForm | None = None,
    stop: forms.StopKeepingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    target, now = get_object_or_404(RecoveryTarget, pk=pk), timezone.now()
    return render(
        request,
        "backups/standby.html",
        {
            "target": target,
            "warmth": queries.standby_at(pk, at=now),
            "databases": queries.databases(),
            "keep": keep or forms.KeepWarmForm(),
            "stop": stop or forms.StopKeepingForm(),
            "now": now,
        },
        status=status,
    )
