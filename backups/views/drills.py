"""Pages of the desk: drills, held and to be held."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import Database, Drill
from incidents.errors import Refused

_INVALID = 422
_PAGE = 25


@require_GET
@staff_required
def list_drills(request: HttpRequest) -> HttpResponse:
    """Show the drills that were held, the newest first."""
    chosen = request.GET.get("database", "")
    return _page(request, forms.DrillForm(initial={"database": chosen}))


@require_POST
@staff_required
def hold_drill(request: HttpRequest) -> HttpResponse:
    """Begin a drill."""
    form = forms.DrillForm(request.POST)
    if form.is_valid():
        target = form.cleaned_data["target"]
        try:
            drill = operations.hold_drill(
                database_id=form.cleaned_data["database"].pk,
                target_id=target.pk if target else None,
                by=actor(request),
                at=timezone.now(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is under way.") % drill)
            return redirect("backups:drill-list")
    return _page(request, form, status=_INVALID)


@require_POST
@staff_required
def cancel_drill(request: HttpRequest, pk: int) -> HttpResponse:
    """Call a drill off."""
    drill = get_object_or_404(Drill, pk=pk)
    try:
        operations.cancel_drill(drill_id=drill.pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is called off; its worker takes back what it did.") % drill)
    return redirect("backups:drill-list")


def _page(request: HttpRequest, form: forms.DrillForm, *, status: int = 200) -> HttpResponse:
    number = request.GET.get("database", "")
    database = Database.everything.filter(pk=number).first() if number.isdigit() else None
    rows = queries.drills(database_id=database.pk if database else None)
    return render(
        request,
        "backups/drill_list.html",
        {
            "page": Paginator(rows, _PAGE).get_page(request.GET.get("page")),
            "database": database,
            "databases": queries.databases(),
            "form": form,
            "now": timezone.now(),
        },
        status=status,
    )
