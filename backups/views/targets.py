"""Pages of the desk: the machines to restore to, as the workers beside them last saw them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from backups import forms, operations, queries
from backups.models import RecoveryTarget
from incidents.errors import Refused

_INVALID = 422


@require_GET
@staff_required
def list_targets(request: HttpRequest) -> HttpResponse:
    """Show the recovery targets, and whether each could take a restore now."""
    now = timezone.now()
    rows = queries.target_rows(at=now)
    return render(request, "backups/target_list.html", {"rows": rows, "now": now})


@require_POST
@staff_required
def look_at_targets(request: HttpRequest) -> HttpResponse:
    """Have every recovery target looked at by the worker beside it."""
    operations.look_at_targets()
    messages.success(request, _("The workers are asked. What they see appears here by itself."))
    return redirect("backups:target-list")


@staff_required
def unregister_target(request: HttpRequest, pk: int) -> HttpResponse:
    """Unregister a recovery target, once its name is typed."""
    target = get_object_or_404(RecoveryTarget, pk=pk)
    form = forms.UnregisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.unregister_recovery_target(
                target_id=pk, typed=form.cleaned_data["typed"], at=timezone.now()
            )
        except operations.TargetNameDiffers as refusal:
            form.add_error("typed", str(refusal))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is unregistered. Nothing was deleted.") % target)
            return redirect("backups:target-list")
    return render(
        request,
        "backups/target_unregister.html",
        {"target": target, "form": form},
        status=_INVALID if form.errors else 200,
    )


@require_GET
@staff_required
def show_targets_live(request: HttpRequest) -> HttpResponse:
    """Answer with the recovery targets alone."""
    now = timezone.now()
    rows = queries.target_rows(at=now)
    return render(request, "backups/_targets.html", {"rows": rows, "now": now})
