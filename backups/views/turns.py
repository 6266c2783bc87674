"""Pages of the desk: the tenants of a restore that come back one by one, and whose turn it is."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from accounts.models import User
from backups import forms, operations, queries
from backups.models import RestoreJob, TenantRestore, TenantRestoreState
from incidents.errors import Refused
from incidents.views.desk import PAGE

_INVALID = 422


@require_GET
@staff_required
def list_tenants(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the tenants of a restore: how far each is, and in which order they come."""
    context = _listed(request, pk)
    form = forms.LanesForm(initial={"lanes": context["job"].lanes})
    return render(request, "backups/turn_list.html", context | {"form": form})


@require_GET
@staff_required
def list_tenants_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with the list alone."""
    return render(request, "backups/_turns.html", _listed(request, pk))


@require_POST
@staff_required
def set_lanes(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how many tenants come back at once."""
    context = _listed(request, pk)
    form = forms.LanesForm(request.POST)
    if not form.is_valid():
        return render(request, "backups/turn_list.html", context | {"form": form}, status=_INVALID)
    return _done(
        request,
        pk,
        lambda _at: operations.set_lanes(restore_id=pk, lanes=form.cleaned_data["lanes"]),
        _("From the next seconds on it goes by that."),
    )


@require_POST
@staff_required
def move_tenant(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a tenant come back earlier or later."""
    row = _row(pk)
    to = request.POST.get("to", "")
    if to not in operations.Place.values:
        return redirect("backups:turn-list", pk=row.job_id)
    return _done(
        request,
        row.job_id,
        lambda _at: operations.move_tenant(tenant_restore_id=pk, to=operations.Place(to)),
        _("%(tenant)s is moved %(where)s.")
        % {"tenant": row.tenant, "where": operations.Place(to).label},
    )


@require_POST
@staff_required
def retry_tenant(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one tenant that has failed be tried again."""
    row = _row(pk)
    return _done(
        request,
        row.job_id,
        lambda at: operations.retry_tenant(tenant_restore_id=pk, at=at),
        _("%s is tried again when its turn comes.") % row.tenant,
    )


@staff_required
def decide_conflict(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide what becomes of a tenant that took writes after it was reopened."""
    row = _row(pk)
    decision, refusal = request.POST.get("decision", ""), ""
    if request.method == "POST" and decision in ("replace", "keep"):
        assert isinstance(request.user, User)
        try:
            operations.decide_conflict(
                tenant_restore_id=pk,
                replace=decision == "replace",
                at=timezone.now(),
                by=request.user,
            )
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, _("It is decided for %s.") % row.tenant)
            return redirect("backups:turn-list", pk=row.job_id)
    return render(
        request,
        "backups/turn_decide.html",
        {"row": row, "job": row.job, "refusal": refusal},
        status=_INVALID if refusal else 200,
    )


def _listed(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Return what the list shows: a page of it, and how many there are in each state."""
    job = get_object_or_404(RestoreJob.objects.select_related("database", "brings_forward"), pk=pk)
    state = request.GET.get("state", "")
    if state not in TenantRestoreState.values:
        state = ""
    named = request.GET.get("q", "").replace("\0", "")
    rows = queries.tenant_restores(pk, state=state, named=named)
    counts = queries.tenant_counts(pk)
    return {
        "job": job,
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "named": named,
        "state": state,
        "counts": [(each, counts[each]) for each in TenantRestoreState if each in counts],
        "total": sum(counts.values()),
        # Where deeds lead back to; also from the part that renews itself.
        "address": f"{reverse('backups:turn-list', args=[pk])}?{request.GET.urlencode()}",
    }


def _done(
    request: HttpRequest, restore_id: int, do: Callable[[datetime], Any], said: str
) -> HttpResponse:
    """Do it, say so or why not, and go back to where the list was."""
    try:
        do(timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, said)
    back = request.POST.get("back", "")
    listed = reverse("backups:turn-list", args=[restore_id])
    is_ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_ours and back.startswith(listed) else listed)


def _row(pk: int) -> TenantRestore:
    rows = TenantRestore.objects.select_related("tenant", "job__database", "job__brings_forward")
    try:
        return rows.get(pk=pk)
    except TenantRestore.DoesNotExist as error:
        raise Http404("There is no such tenant of a restore.") from error
