"""Pages of the desk: copies of archives in other places, and moves to them."""

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import staff_required
from backups import forms, operations, queries, runner
from backups.errors import EngineFailed
from backups.models import CopyJob, CopyKind, CopyPhase, JobState, StorageLocation
from incidents.errors import Refused

_INVALID = 422
_PAGE = 20
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Row:
    """A copy in the list: how far it is, and what can be done about it."""

    job: CopyJob
    percent: int | None
    can_cancel: bool
    can_switch: bool
    can_end: bool


@require_GET
@staff_required
def list_copies(request: HttpRequest) -> HttpResponse:
    """Show the copies, the newest first, and how far second places are behind."""
    chosen = {"database": request.GET.get("database", "")}
    return _page(request, forms.CopyForm(initial=chosen))


@require_GET
@staff_required
def list_copies_live(request: HttpRequest) -> HttpResponse:
    """Answer with the list alone."""
    return render(request, "backups/_copies.html", _list(request))


@require_POST
@staff_required
def begin_copy(request: HttpRequest) -> HttpResponse:
    """Begin a replication or a move."""
    form = forms.CopyForm(request.POST)
    if form.is_valid():
        database, place = form.cleaned_data["database"].pk, form.cleaned_data["destination"].pk
        now = timezone.now()
        try:
            if form.cleaned_data["kind"] == CopyKind.MIGRATION:
                job = operations.begin_migration(database_id=database, destination_id=place, at=now)
            else:
                job = operations.replicate_backups(database_id=database, location_id=place, at=now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is queued. A worker takes it.") % job)
            return redirect("backups:copy-list")
    return _page(request, form, status=_INVALID)


@require_POST
@staff_required
def cancel_copy(request: HttpRequest, pk: int) -> HttpResponse:
    """Call a copy off."""
    job = _copy_or_404(pk)
    try:
        operations.cancel_copy(copy_id=pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is called off. What was copied stays there.") % job)
    return redirect("backups:copy-list")


@staff_required
def switch_copy(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the new place the database's own, once its name is typed."""
    job = _copy_or_404(pk)
    form = forms.SwitchForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.switch_migration(
                copy_id=pk, typed=form.cleaned_data["typed"], at=timezone.now()
            )
        except Refused as refusal:
            form.add_error("typed", str(refusal))
        else:
            messages.success(request, _("%s is its place now.") % job.destination)
            return redirect("backups:copy-switch", pk=pk)
    archiving, fault = None, ""
    try:
        archiving = runner.archiving_at(job.database, job.destination)
    except EngineFailed as failure:
        fault = failure.advice
    return render(
        request,
        "backups/copy_switch.html",
        {"row": _row(job), "form": form, "archiving": archiving, "fault": fault},
        status=_INVALID if form.errors else 200,
    )


@require_POST
@staff_required
def end_copy(request: HttpRequest, pk: int) -> HttpResponse:
    """Let the old place of a move go."""
    job = _copy_or_404(pk)
    try:
        operations.end_migration(copy_id=pk, at=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("%s is let go. Nothing in it was deleted.") % job.source)
    return redirect("backups:copy-list")


def _copy_or_404(pk: int) -> CopyJob:
    try:
        return queries.copy_job(pk)
    except Refused as refusal:
        raise Http404(str(refusal)) from refusal


def _row(job: CopyJob) -> Row:
    is_open = not job.is_over and job.state != JobState.FAILED
    is_switched = job.switched_at is not None
    done, total = job.bytes_done, job.bytes_total
    if not total:
        # Nothing but small or empty objects, or nothing at all.
        done, total = job.objects_done, job.objects_total
    percent = None
    if is_open and job.phase == CopyPhase.COPY and total:
        percent = min(done * _WHOLE // total, _WHOLE)
    return Row(
        job=job,
        percent=percent,
        can_cancel=not job.is_over and not is_switched and job.state != JobState.FAILED,
        can_switch=is_open and job.phase == CopyPhase.SWITCH and not is_switched,
        can_end=is_open and is_switched,
    )


def _list(request: HttpRequest) -> dict[str, object]:
    page = Paginator(queries.copy_jobs(), _PAGE).get_page(request.GET.get("page"))
    rows = [_row(job) for job in page.object_list]
    return {
        "page": page,
        "rows": rows,
        "replicas": queries.replica_states(),
        "now": timezone.now(),
    }


def _page(request: HttpRequest, form: forms.CopyForm, *, status: int = 200) -> HttpResponse:
    context = {
        **_list(request),
        "form": form,
        "databases": queries.databases(),
        "has_places": StorageLocation.objects.count() > 1,
    }
    return render(request, "backups/copy_list.html", context, status=status)
