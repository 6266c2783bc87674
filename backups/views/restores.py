"""Pages of the desk: restores, how far they are, and what can be asked of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.errors import VerificationFailed
from backups.models import (
    Database,
    FindingState,
    JobState,
    RecoveryTarget,
    RestoreJob,
    RestorePhase,
    RestoreStep,
)
from backups.views.counted import counted_in
from backups.views.predictions import predictions_of
from incidents.errors import Refused
from incidents.queries import hidden_incident_ids
from incidents.views.desk import PAGE

_INVALID = 422
# More than fit on a page; the worst come first.
_FINDINGS = 50


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
def list_restores(request: HttpRequest) -> HttpResponse:
    """Show every restore, the newest first."""
    rows = RestoreJob.objects.select_related("database", "target", "incident").newest_first()
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "backups/restore_list.html",
        {"page": page, "hidden": hidden_incident_ids(actor(request)), "now": timezone.now()},
    )


@require_GET
@staff_required
def show_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one restore with all that staff may know of it."""
    return render(request, "backups/restore_detail.html", _restore(request, pk))


@require_GET
@staff_required
def show_restore_live(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer with how far the restore is, alone."""
    return render(request, "backups/_restore.html", _restore(request, pk))


@staff_required
def request_restore(request: HttpRequest) -> HttpResponse:
    """Ask what shall come back, and queue it."""
    now = timezone.now()
    named = {name: request.GET.get(name, "") for name in ("database", "incident")}
    form = forms.RestoreForm(request.POST or None, now=now, reader=actor(request), initial=named)
    if request.method == "POST" and form.is_valid():
        incident = form.cleaned_data["incident"]
        try:
            job = operations.request_restore(
                database_id=form.cleaned_data["database"].pk,
                recovery_target_id=form.cleaned_data["target"].pk,
                at=now,
                target_at=form.moment,
                replaces=form.cleaned_data["replaces"].strip(),
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


def restore_or_404(pk: int) -> RestoreJob:
    """Return a restore with what it belongs to."""
    try:
        return queries.restore(pk)
    except Refused as refusal:
        raise Http404(str(refusal)) from refusal


def has_pause_ahead(job: RestoreJob, *, now: datetime) -> bool:
    """Whether a restore that goes on is to rest later, so that this can be withdrawn."""
    goes_on = job.state in (JobState.QUEUED, JobState.RUNNING) and job.cancel_requested_at is None
    return goes_on and job.pause_at is not None and job.pause_at > now


def _restore(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Return what the pages of one restore show.

    A restore is everybody's to see, for it takes a machine. A private incident is not named.
    """
    job, now = restore_or_404(pk), timezone.now()
    return {
        "job": job,
        "hidden": hidden_incident_ids(actor(request)),
        "stages": _stages(job),
        "attempts": sorted(job.attempts.all(), key=lambda attempt: -attempt.number),
        "percent": job.done * 100 // job.total if job.total else None,
        "is_silent": job.is_silent(at=now),
        "can_resume": job.state in (JobState.FAILED, JobState.PAUSED)
        and job.cancel_requested_at is None,
        "can_pause": job.state in (JobState.QUEUED, JobState.RUNNING)
        and job.cancel_requested_at is None,
        "can_pivot": not job.is_over
        and job.cancel_requested_at is None
        and job.phase not in (RestorePhase.TENANTS, RestorePhase.READY),
        "can_withdraw": has_pause_ahead(job, now=now),
        "pause": job.pause_stage(at=now),
        # Once more, where something was in the way the first time.
        "can_cancel": not job.is_over
        and (job.cancel_requested_at is None or job.state in (JobState.FAILED, JobState.PAUSED)),
        "counted": counted_in(job),
        **_findings(job),
        "predictions": predictions_of(job.pk),
        "now": now,
    }


def _findings(job: RestoreJob) -> dict[str, Any]:
    """Return what was found when it was looked at: the worst, and how many more there are."""
    shown = list(job.findings.worst_first()[: _FINDINGS + 1])
    more = job.findings.count() - _FINDINGS if len(shown) > _FINDINGS else 0
    return {
        "findings": shown[:_FINDINGS],
        "more_findings": more,
        "can_accept": job.state == JobState.FAILED
        and job.failure_code == VerificationFailed.code
        and any(finding.state == FindingState.FAILED for finding in shown),
    }


def _stages(job: RestoreJob) -> list[Stage]:
    steps = {step.phase: step for step in job.steps.all()}
    stages = []
    for phase in RestorePhase:
        step = steps.get(phase.value)
        if step is None and _is_left_out(job, phase):
            continue
        if job.state == JobState.SUCCEEDED or (step and step.ended_at):
            state = "done"
        elif phase.value == job.phase:
            state = {
                JobState.FAILED: "failed",
                JobState.CANCELLED: "withdrawn",
                JobState.PAUSED: "paused",
            }.get(JobState(job.state), "running")
        else:
            state = "proposed"
        stages.append(Stage(phase=phase, state=state, step=step))
    return stages


def _is_left_out(job: RestoreJob, phase: RestorePhase) -> bool:
    """Whether this restore has no such phase."""
    if job.is_base:
        # Whoever looks after the standby does the rest.
        return phase not in (RestorePhase.PLAN, RestorePhase.FETCH, RestorePhase.UNPACK)
    if phase == RestorePhase.UNPACK:
        # A standby comes unpacked.
        return job.continues_id is not None
    # Most restores bring all tenants back at once.
    return phase == RestorePhase.TENANTS and not job.tenant_restores.exists()
