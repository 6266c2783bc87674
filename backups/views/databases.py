"""Pages of the desk: what is protected, its backups, and what customers read of them."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import Backup, Database
from backups.views.tenants import with_codes
from backups.views.unregistering import past_database
from incidents.errors import Refused
from incidents.queries import hidden_incident_ids

_INVALID = 422
_RECENT = 10


@require_GET
@staff_required
def list_databases(request: HttpRequest) -> HttpResponse:
    """Show what is protected, and up to when it can be brought back."""
    newest = Backup.objects.usable().newest_first()
    databases = (
        Database.objects.select_related("storage")
        .annotate(tenant_count=Count("tenants", distinct=True))
        .prefetch_related(Prefetch("backups", newest, to_attr="usable"))
        .order_by("name")
    )
    return render(
        request,
        "backups/database_list.html",
        {"databases": databases, "past": queries.past_databases(), "now": timezone.now()},
    )


@require_GET
@staff_required
def show_database(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one cluster with its backups and tenants."""
    everything = Database.everything.select_related("storage", "unregistered_by")
    database = get_object_or_404(everything, pk=pk)
    if database.unregistered_at is not None:
        return past_database(request, database)
    return _database_page(request, database)


@require_POST
@staff_required
def take_backup(request: HttpRequest, pk: int) -> HttpResponse:
    """Have a full backup taken."""
    database = get_object_or_404(_databases(), pk=pk)
    form = forms.TakeBackupForm(request.POST)
    if not form.is_valid():
        return _database_page(request, database, form=form, status=_INVALID)
    job = operations.take_backup(
        database_id=pk, label=form.cleaned_data["label"], at=timezone.now()
    )
    messages.success(request, _("%s is queued. A worker takes it.") % job)
    return redirect("backups:database-detail", pk=pk)


@require_POST
@staff_required
def read_catalogue(request: HttpRequest, pk: int) -> HttpResponse:
    """Read anew what the archive holds."""
    get_object_or_404(Database, pk=pk)
    try:
        operations.sync_backups(database_id=pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("This is what the archive holds now."))
    return redirect("backups:database-detail", pk=pk)


@require_POST
@staff_required
def set_proof_terms(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what customers read of a database's backups."""
    database = get_object_or_404(_databases(), pk=pk)
    form = forms.ProofForm(request.POST)
    if form.is_valid():
        try:
            operations.set_proof_terms(
                database_id=pk,
                public_name=form.cleaned_data["public_name"],
                backup_stale_after=form.backup_stale_after,
                proof_stale_after=form.proof_stale_after,
                at=timezone.now(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("What customers read of these backups is set."))
            return redirect("backups:database-detail", pk=pk)
    return _database_page(request, database, proof_form=form, status=_INVALID)


def _databases() -> Any:
    return Database.objects.select_related("storage")


def _database_page(
    request: HttpRequest,
    database: Database,
    *,
    form: forms.TakeBackupForm | None = None,
    proof_form: forms.ProofForm | None = None,
    status: int = 200,
) -> HttpResponse:
    backups = queries.backups_of(database.pk)
    return render(
        request,
        "backups/database_detail.html",
        {
            "database": database,
            "manifest_jobs": queries.manifest_jobs(database.pk),
            "without_manifest": backups.filter(has_manifest=False).count(),
            "form": form or forms.TakeBackupForm(),
            "proof_form": proof_form or forms.ProofForm.of(database),
            "tenants": with_codes(queries.tenants_of(database.pk)[:_RECENT]),
            "tenant_count": database.tenants.count(),
            "backups": backups,
            "jobs": database.backup_jobs.newest_first()[:_RECENT],
            "restores": database.restores.select_related("target", "incident").newest_first()[
                :_RECENT
            ],
            "hidden": hidden_incident_ids(actor(request)),
            "now": timezone.now(),
        },
        status=status,
    )
