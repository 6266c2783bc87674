"""The hooks at which monitoring speaks: listed, added, shown with what came in, changed."""

from datetime import timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import AlertHook, Incident
from incidents.views import looks
from incidents.views.desk import PAGE

_INVALID = 422
_TOKEN = "alert_token"  # noqa: S105  (the name under which it waits to be shown)
_REFUSALS_SHOWN = 20
_RECENTLY = timedelta(days=7)


@require_GET
@staff_required
def list_hooks(request: HttpRequest) -> HttpResponse:
    """Show every hook that one may know of, and what was sent to addresses that do not exist."""
    now = timezone.now()
    strangers = queries.refusals_at(None).filter(received_at__gt=now - _RECENTLY)
    return render(
        request,
        "incidents/alert_hooks.html",
        {"hooks": queries.hooks(actor(request)), "stranger": strangers.first(), "now": now},
    )


@staff_required
def add_hook(request: HttpRequest) -> HttpResponse:
    """Ask what is to speak, and open a hook for it. Its token is shown once, on its page."""
    form = forms.AlertHookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            hook, token = operations.add_hook(
                **form.said(),
                provider=form.speaker,
                signing_secret=form.secret or "",
                at=timezone.now(),
                author=actor(request),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return _show_token(request, hook, token)
    return _edit_page(request, form, hook=None)


@require_GET
@staff_required
def show_hook(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what came in at a hook and what was refused, how to send to it, and a new token once."""
    hook = _hook(request, pk)
    token = ""
    if request.session.get(_TOKEN, {}).get("hook") == pk:
        token = request.session.pop(_TOKEN)["token"]
    alerts = Paginator(queries.alerts_at(hook, user=actor(request)), PAGE)
    response = render(
        request,
        "incidents/alert_hook.html",
        {
            "hook": hook,
            "token": token,
            "host": request.build_absolute_uri(reverse("alerts-take")),
            "address": request.build_absolute_uri(reverse("alerts-take", args=[token or "TOKEN"])),
            "page": alerts.get_page(request.GET.get("page")),
            "refusals": queries.refusals_at(hook)[:_REFUSALS_SHOWN],
            "now": timezone.now(),
        },
    )
    if token:
        # Neither the way back nor a cache shows it again.
        response.headers["Cache-Control"] = "no-store"
    return response


@staff_required
def edit_hook(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what a hook is called and what is made of its alerts."""
    hook = _hook(request, pk)
    form = forms.AlertHookForm(request.POST or None, hook=hook)
    if request.method == "POST" and form.is_valid():
        try:
            operations.edit_hook(hook_id=pk, **form.said(), signing_secret=form.secret)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is changed.") % form.cleaned_data["name"])
            return redirect("incidents:alert-hook-list")
    return _edit_page(request, form, hook=hook)


@staff_required
def renew_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether the address shall stop to work, and give the hook another one."""
    hook = _hook(request, pk)
    if request.method == "POST":
        return _show_token(request, *operations.renew_token(hook_id=pk))
    return render(request, "incidents/alert_hook_renew.html", {"hook": hook})


@require_POST
@staff_required
def switch_hook(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch a hook on or off."""
    hook = _hook(request, pk)
    hook = operations.switch_hook(hook_id=pk, is_enabled="on" in request.POST)
    said = _("%s takes alerts in.") if hook.is_enabled else _("%s takes nothing in any more.")
    messages.success(request, said % hook)
    return redirect(hook)


@staff_required
def remove_hook(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a hook shall go, and take it away for good."""
    hook = _hook(request, pk)
    refusal = ""
    if request.method == "POST":
        try:
            operations.remove_hook(hook_id=pk)
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, _("%s is gone.") % hook)
            return redirect("incidents:alert-hook-list")
    return render(
        request,
        "incidents/alert_hook_remove.html",
        {"hook": hook, "refusal": refusal},
        status=_INVALID if refusal else 200,
    )


@require_GET
@staff_required
def show_alerts(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with an incident's alerts alone."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    context = {
        "incident": incident,
        "alerts": queries.alerts_of(incident.pk),
        "tz": looks.look_at(request, incident).tz,
    }
    return render(request, "incidents/_alerts.html", context)


def _hook(request: HttpRequest, pk: int) -> AlertHook:
    return get_object_or_404(AlertHook.objects.seen_by(actor(request)), pk=pk)


def _show_token(request: HttpRequest, hook: AlertHook, token: str) -> HttpResponse:
    """Go to the page of the hook, which shows the token once."""
    request.session[_TOKEN] = {"hook": hook.pk, "token": token}
    return redirect(hook)


def _edit_page(
    request: HttpRequest, form: forms.AlertHookForm, *, hook: AlertHook | None
) -> HttpResponse:
    return render(
        request,
        "incidents/alert_hook_edit.html",
        {"form": form, "hook": hook},
        status=_INVALID if form.errors else 200,
    )
