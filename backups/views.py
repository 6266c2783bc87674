"""The pages of the desk that show backups and restores, and ask for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from backups import forms, operations, queries
from backups.models import (
    Backup,
    Database,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePhase,
    RestoreStep,
    Tenant,
)
from incidents import queries as record
from incidents.errors import Refused
from incidents.models import Tenant as Known
from incidents.views.desk import PAGE

_INVALID = 422
_RECENT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A phase of a restore: to come, under way or done."""

    phase: RestorePhase
    state: str
    step: RestoreStep | None

    @property
    def took(self) -> timedelta | None:
        """How long it took; None while it is not done."""
        if self.step is None or self.step.ended_at is None:
            return None
        return self.step.ended_at - self.step.began_at


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
        {"databases": databases, "now": timezone.now()},
    )


@require_GET
@staff_required
def show_database(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one cluster with its backups and tenants."""
    return _database_page(request, get_object_or_404(_databases(), pk=pk))


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


@require_GET
@staff_required
def list_tenants(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the tenants of a database, each with its private link."""
    database = get_object_or_404(Database, pk=pk)
    named = request.GET.get("q", "").replace("\0", "")
    page = Paginator(queries.tenants_of(pk, named=named), PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "backups/tenant_list.html",
        {"database": database, "page": page, "named": named, "tenants": _with_codes(page)},
    )


@staff_required
def renew_code(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a tenant a new code, once that is confirmed."""
    tenant = get_object_or_404(Tenant.objects.select_related("database"), pk=pk)
    if request.method == "POST":
        operations.renew_code(tenant_id=pk, at=timezone.now())
        messages.success(request, _("%s has a new code. Hand it out again.") % tenant)
        return redirect("backups:tenant-list", pk=tenant.database_id)
    return render(request, "backups/tenant_code.html", {"tenant": tenant})


@staff_required
def remove_tenant(request: HttpRequest, pk: int) -> HttpResponse:
    """Unregister a tenant, once that is confirmed."""
    tenant = get_object_or_404(Tenant.objects.select_related("database"), pk=pk)
    if request.method == "POST":
        operations.unregister_tenant(tenant_id=pk)
        messages.success(request, _("%s is removed, and its page with it.") % tenant)
        return redirect("backups:tenant-list", pk=tenant.database_id)
    return render(request, "backups/tenant_remove.html", {"tenant": tenant})


@require_GET
@staff_required
def list_restores(request: HttpRequest) -> HttpResponse:
    """Show every restore, the newest first."""
    rows = RestoreJob.objects.select_related("database", "target", "incident").newest_first()
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, "backups/restore_list.html", {"page": page, "now": timezone.now()})


@require_GET
@staff_required
def show_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one restore with all that staff may know of it."""
    return render(request, "backups/restore_detail.html", _restore(pk, now=timezone.now()))


@require_GET
@staff_required
def show_restore_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with how far the restore is, alone."""
    return render(request, "backups/_restore.html", _restore(pk, now=timezone.now()))


@staff_required
def request_restore(request: HttpRequest) -> HttpResponse:
    """Ask what shall come back, and queue it."""
    now = timezone.now()
    named = {name: request.GET.get(name, "") for name in ("database", "incident")}
    form = forms.RestoreForm(request.POST or None, now=now, initial=named)
    if request.method == "POST" and form.is_valid():
        incident = form.cleaned_data["incident"]
        try:
            job = operations.request_restore(
                database_id=form.cleaned_data["database"].pk,
                recovery_target_id=form.cleaned_data["target"].pk,
                at=now,
                target_at=form.moment,
                incident_id=incident.pk if incident else None,
            )
        except Refused as refusal:
            form.add_error("target_at" if form.moment else None, str(refusal))
        else:
            messages.success(request, _("%s is queued. A worker takes it.") % job)
            return redirect("backups:restore-detail", pk=job.pk)
    return render(
        request,
        "backups/restore_request.html",
        {
            "form": form,
            "databases": Database.objects.order_by("name"),
            "has_targets": RecoveryTarget.objects.exists(),
            "now": now,
        },
        status=_INVALID if form.errors else 200,
    )


@staff_required
def resume_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a restore that has stopped go on, once that is confirmed."""
    context = _restore(pk, now=timezone.now())
    refusal = ""
    if request.method == "POST":
        try:
            job = operations.resume_restore(restore_id=pk, at=timezone.now())
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, _("%s is queued again, and goes on where it stopped.") % job)
            return redirect("backups:restore-detail", pk=pk)
    return render(
        request,
        "backups/restore_deed.html",
        context
        | {
            "title": _("Resume restore %s") % pk,
            "explanation": _(
                "It goes on where it stopped: what has arrived is kept. Mend first what stopped it."
            ),
            "label": _("Resume"),
            "is_grave": False,
            "refusal": refusal,
        },
        status=_INVALID if refusal else 200,
    )


@staff_required
def cancel_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """End a restore for good, once that is confirmed."""
    context = _restore(pk, now=timezone.now())
    refusal = ""
    if request.method == "POST":
        try:
            operations.cancel_restore(restore_id=pk, at=timezone.now())
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, _("The restore is asked to stop."))
            return redirect("backups:restore-detail", pk=pk)
    return render(
        request,
        "backups/restore_deed.html",
        context
        | {
            "title": _("Cancel restore %s") % pk,
            "explanation": _(
                "What has arrived at the recovery target is taken away. This cannot be undone; "
                "a new restore starts from nothing. The backups stay as they are."
            ),
            "label": _("Cancel the restore for good"),
            "is_grave": True,
            "refusal": refusal,
        },
        status=_INVALID if refusal else 200,
    )


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
    return render(
        request,
        "backups/database_detail.html",
        {
            "database": database,
            "form": form or forms.TakeBackupForm(),
            "proof_form": proof_form or forms.ProofForm.of(database),
            "tenants": _with_codes(queries.tenants_of(database.pk)[:_RECENT]),
            "tenant_count": database.tenants.count(),
            "backups": queries.backups_of(database.pk),
            "jobs": database.backup_jobs.newest_first()[:_RECENT],
            "restores": database.restores.select_related("target", "incident").newest_first()[
                :_RECENT
            ],
            "now": timezone.now(),
        },
        status=status,
    )


def _with_codes(tenants: Iterable[Tenant]) -> list[tuple[Tenant, Known | None]]:
    """Return tenants with what the record of incidents knows of each: its code above all."""
    found = list(tenants)
    known = record.tenants([tenant.key for tenant in found])
    return [(tenant, known.get(tenant.key)) for tenant in found]


def _restore(pk: int, *, now: datetime) -> dict[str, Any]:
    """Return what the pages of one restore show."""
    try:
        job = queries.restore(pk)
    except Refused as refusal:
        raise Http404(str(refusal)) from refusal
    silence = timedelta(seconds=settings.STALE_AFTER_SECONDS)
    running = job.state == JobState.RUNNING
    return {
        "job": job,
        "stages": _stages(job),
        "attempts": sorted(job.attempts.all(), key=lambda attempt: -attempt.number),
        "percent": job.done * 100 // job.total if job.total else None,
        "is_silent": bool(running and job.heartbeat_at and now - job.heartbeat_at > silence),
        "can_resume": job.state == JobState.FAILED and job.cancel_requested_at is None,
        "can_cancel": not job.is_over and job.cancel_requested_at is None,
        "evidence": sorted(job.evidence.items()),
        "now": now,
    }


def _stages(job: RestoreJob) -> list[Stage]:
    steps = {step.phase: step for step in job.steps.all()}
    stages = []
    for phase in RestorePhase:
        step = steps.get(phase.value)
        if job.state == JobState.SUCCEEDED or (step and step.ended_at):
            state = "done"
        elif phase.value == job.phase:
            state = {JobState.FAILED: "failed", JobState.CANCELLED: "withdrawn"}.get(
                JobState(job.state), "running"
            )
        else:
            state = "proposed"
        stages.append(Stage(phase=phase, state=state, step=step))
    return stages
