"""Pages of the desk that change the course of a restore: resume, pause, change the plan, cancel."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import actor, staff_required
from backups import forms, operations
from backups.models import RestoreJob
from backups.views.restores import has_pause_ahead, restore_or_404
from incidents.errors import Refused

_INVALID = 422


@staff_required
def resume_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a restore that rests or has stopped go on, or not rest at all, once that is confirmed."""
    job = restore_or_404(pk)
    if has_pause_ahead(job, now=timezone.now()):
        return _withdraw_pause(request, job)
    return _deed(
        request,
        job,
        lambda at: operations.resume_restore(restore_id=pk, at=at, by=actor(request)),
        done=_("The restore is queued again, and goes on where it stopped."),
        title=_("Resume restore %s") % pk,
        explanation=_(
            "It goes on where it stopped: what has arrived is kept. Mend first what stopped it."
        ),
        label=_("Resume"),
    )


def _withdraw_pause(request: HttpRequest, job: RestoreJob) -> HttpResponse:
    return _deed(
        request,
        job,
        lambda at: operations.resume_restore(restore_id=job.pk, at=at, by=actor(request)),
        done=_("The pause is withdrawn. The restore goes on without it."),
        title=_("Withdraw the pause of restore %s") % job.pk,
        explanation=_(
            "The pause that is planned does not come, and the estimate no longer counts it in."
        ),
        label=_("Withdraw the pause"),
    )


@staff_required
def cancel_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """End a restore for good, once that is confirmed."""
    return _deed(
        request,
        restore_or_404(pk),
        lambda at: operations.cancel_restore(restore_id=pk, at=at),
        done=_("The restore is asked to stop."),
        title=_("Cancel restore %s") % pk,
        explanation=_(
            "What has arrived at the recovery target is taken away. This cannot be undone; "
            "a new restore starts from nothing. The backups stay as they are."
        ),
        label=_("Cancel the restore for good"),
        is_grave=True,
    )


@staff_required
def pause_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a restore rest, now or later."""
    form = forms.PauseForm(request.POST if request.method == "POST" else None)
    return _deed(
        request,
        restore_or_404(pk),
        lambda at: operations.pause_restore(
            restore_id=pk,
            at=at,
            by=actor(request),
            begins_at=form.cleaned_data["begins_at"],
            ends_at=form.cleaned_data["ends_at"],
            reasons=form.cleaned_data["reasons"],
        ),
        form=form,
        done=_("The pause is noted."),
        title=_("Pause restore %s") % pk,
        explanation=_("What has arrived is kept, and the work goes on from there."),
        label=_("Pause"),
    )


@staff_required
def pivot_restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a restore go on by another plan."""
    job, now = restore_or_404(pk), timezone.now()
    if request.method == "POST":
        form = forms.CourseForm(request.POST, job=job, now=now)
    else:
        form = forms.CourseForm.of(job, now=now)
    return _deed(
        request,
        job,
        lambda at: operations.pivot_restore(
            restore_id=pk,
            course=form.course,
            at=at,
            by=actor(request),
            reasons=form.cleaned_data["reasons"],
        ),
        form=form,
        done=_("The plan is changed. A worker goes on by it."),
        title=_("Change the plan of restore %s") % pk,
        explanation=_(
            "The work stops where it is and goes on by the new plan. What has been fetched is used "
            "as far as it serves."
        ),
        label=_("Change the plan"),
    )


@staff_required
def accept_findings(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a restore be opened although checks have failed, once somebody says why."""
    form = forms.AcceptForm(request.POST if request.method == "POST" else None)
    return _deed(
        request,
        restore_or_404(pk),
        lambda at: operations.accept_findings(
            restore_id=pk, because=form.cleaned_data["because"], by=actor(request), at=at
        ),
        form=form,
        done=_("It is opened without another look. What has failed stays on the record."),
        title=_("Open restore %s all the same") % pk,
        explanation=_(
            "What has failed stays as it was found: customers may miss rows, or meet errors. They "
            "are told that not everything could be checked. This cannot be undone."
        ),
        label=_("Open it all the same"),
        is_grave=True,
    )


def _deed(
    request: HttpRequest,
    job: RestoreJob,
    do: Callable[[datetime], Any],
    *,
    done: str,
    form: forms.PauseForm | forms.CourseForm | forms.AcceptForm | None = None,
    is_grave: bool = False,
    **words: str,
) -> HttpResponse:
    """Ask for confirmation, and what else is to be known; then do it, or say why not."""
    refusal = ""
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            do(timezone.now())
        except Refused as answer:
            refusal = str(answer)
        else:
            messages.success(request, done)
            return redirect("backups:restore-detail", pk=job.pk)
    return render(
        request,
        "backups/restore_deed.html",
        {"job": job, "form": form, "refusal": refusal, "is_grave": is_grave} | words,
        status=_INVALID if refusal or (form is not None and form.errors) else 200,
    )
