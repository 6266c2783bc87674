"""Pages of the desk: the checks that staff ask of what comes back."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import staff_required
from backups import forms, operations
from backups.models import CheckDepth, Database, VerificationCheck
from incidents.errors import Refused

_INVALID = 422
# The button that only asks, and keeps nothing.
TRY = "try"


@staff_required
def list_checks(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the checks of a database; have one added, or tried where the database runs now."""
    database = get_object_or_404(Database, pk=pk)
    form = forms.CheckForm(request.POST or None, database=database)
    answers = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            if TRY in request.POST:
                answers = operations.try_check(
                    database_id=pk, sql=said["sql"], tenant_id=form.tenant_id
                )
            else:
                _read(request, pk, form)
                check = operations.add_check(
                    database_id=pk,
                    name=said["name"],
                    sql=said["sql"],
                    tenant_id=form.tenant_id,
                    at=timezone.now(),
                )
                messages.success(request, _("“%s” is asked after every restore.") % check)
                return redirect("backups:check-list", pk=pk)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return _list_page(request, database, form=form, answers=answers)


@staff_required
def edit_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a check, or try it where the database runs now."""
    check = get_object_or_404(VerificationCheck.objects.select_related("database"), pk=pk)
    form = (
        forms.CheckForm(request.POST, database=check.database)
        if request.method == "POST"
        else forms.CheckForm.of(check)
    )
    answers = None
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            if TRY in request.POST:
                answers = operations.try_check(
                    database_id=check.database_id, sql=said["sql"], tenant_id=form.tenant_id
                )
            else:
                _read(request, check.database_id, form)
                operations.edit_check(
                    check_id=pk, name=said["name"], sql=said["sql"], tenant_id=form.tenant_id
                )
                messages.success(request, _("The check is changed."))
                return redirect("backups:check-list", pk=check.database_id)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return render(
        request,
        "backups/check_edit.html",
        {"check": check, "database": check.database, "form": form, "answers": answers},
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def remove_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask a check no longer."""
    check = get_object_or_404(VerificationCheck, pk=pk)
    operations.remove_check(check_id=pk)
    messages.success(request, _("“%s” is not asked any more.") % check)
    return redirect("backups:check-list", pk=check.database_id)


@require_POST
@staff_required
def set_depth(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how much of a cluster is read before it is opened."""
    database = get_object_or_404(Database, pk=pk)
    form = forms.DepthForm(request.POST)
    if not form.is_valid():
        return _list_page(request, database, depth_form=form, status=_INVALID)
    operations.set_check_depth(database_id=pk, depth=CheckDepth(form.cleaned_data["depth"]))
    messages.success(request, _("The next restore is looked at like this."))
    return redirect("backups:check-list", pk=pk)


def _read(request: HttpRequest, database_id: int, form: forms.CheckForm) -> None:
    """Have the question read before it is kept; what does not hinder that is said."""
    warning = operations.read_check(
        database_id=database_id, sql=form.cleaned_data["sql"], tenant_id=form.tenant_id
    )
    if warning:
        messages.warning(request, warning)


def _list_page(
    request: HttpRequest,
    database: Database,
    *,
    form: forms.CheckForm | None = None,
    depth_form: forms.DepthForm | None = None,
    answers: Any = None,
    status: int = 200,
) -> HttpResponse:
    form = form or forms.CheckForm(database=database)
    return render(
        request,
        "backups/check_list.html",
        {
            "database": database,
            "checks": database.checks.select_related("tenant").order_by("name"),
            "form": form,
            "answers": answers,
            "depth_form": depth_form or forms.DepthForm(initial={"depth": database.check_depth}),
        },
        status=_INVALID if form.errors else status,
    )
