"""The deeds by which planned work takes its course, each asked for once more before it is done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations
from incidents.errors import Refused
from incidents.models import Maintenance
from incidents.operations.maintenance.record import words_for

_INVALID = 422

# Translated when they are shown.
_Words = Promise | str


class _Operation(Protocol):
    def __call__(self, *, maintenance_id: int, at: Any, author: Any, body: str) -> Maintenance: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A deed with the words around it; ``code`` names the usual ones to customers."""

    do: _Operation
    title: _Words
    explanation: _Words
    label: _Words
    done: _Words
    code: str


_DEEDS = {
    "start": Deed(
        do=operations.start_maintenance,
        title=_lazy("Start %s"),
        explanation=_lazy(
            "Components that work go under maintenance, and the page says that it has begun."
        ),
        label=_lazy("Start now"),
        done=_lazy("%s has begun."),
        code="maintenance_started",
    ),
    "verify": Deed(
        do=operations.verify_maintenance,
        title=_lazy("Verify %s"),
        explanation=_lazy(
            "The page says that the work is done and is being checked. Components stay under "
            "maintenance until it is finished."
        ),
        label=_lazy("Say so"),
        done=_lazy("%s is being verified."),
        code="maintenance_verifying",
    ),
    "finish": Deed(
        do=operations.finish_maintenance,
        title=_lazy("Finish %s"),
        explanation=_lazy(
            "Components that are still under maintenance work again, unless another maintenance "
            "is at work on them."
        ),
        label=_lazy("Finish it"),
        done=_lazy("%s is finished."),
        code="maintenance_finished",
    ),
    "cancel": Deed(
        do=operations.cancel_maintenance,
        title=_lazy("Cancel %s"),
        explanation=_lazy(
            "It is called off for good: the page and every calendar say so. It cannot be taken "
            "up again; schedule another one instead."
        ),
        label=_lazy("Cancel the maintenance"),
        done=_lazy("%s is called off."),
        code="maintenance_cancelled",
    ),
}


@staff_required
def do_deed(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Ask once more, with words for customers, and do it."""
    deed = deed_named(name)
    maintenance = get_object_or_404(Maintenance, pk=pk)
    form = forms.DeedForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            carry_out(deed, form, maintenance_id=pk, author=actor(request))
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, str(deed.done) % maintenance.ref)
            return redirect(maintenance)
    usual = words_for(maintenance, deed.code).text
    form.fields["body"].help_text = _("Empty: “%s”") % usual
    return _ask(
        request,
        maintenance,
        form,
        title=str(deed.title) % maintenance.ref,
        preview=reverse("statuspage:preview-maintenance-deed", args=[pk, name]),
        deed=deed,
    )


@staff_required
def extend_maintenance(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask by how much, and give it a later end."""
    maintenance, now = get_object_or_404(Maintenance, pk=pk), timezone.now()
    form = forms.ExtendForm(request.POST or None, maintenance=maintenance, now=now)
    if form.is_bound and form.is_valid():
        try:
            extend(form, maintenance_id=pk, author=actor(request), at=now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s has a later end.") % maintenance.ref)
            return redirect(maintenance)
    return _ask(
        request,
        maintenance,
        form,
        title=_("Extend %s") % maintenance.ref,
        preview=reverse("statuspage:preview-maintenance-extend", args=[pk]),
    )


def deed_named(name: str) -> Deed:
    """Return a deed by its name in addresses.

    :raises Http404: if there is none
    """
    if name not in _DEEDS:
        raise Http404
    return _DEEDS[name]


def carry_out(
    deed: Deed, form: forms.DeedForm, *, maintenance_id: int, author: User
) -> Maintenance:
    """Do it, with the words of a valid form."""
    return deed.do(
        maintenance_id=maintenance_id,
        at=timezone.now(),
        author=author,
        body=form.cleaned_data["body"],
    )


def extend(
    form: forms.ExtendForm, *, maintenance_id: int, author: User, at: datetime
) -> Maintenance:
    """Give it the later end of a valid form, whose minutes count from ``at``."""
    until = form.ends_at
    assert until is not None
    return operations.extend_maintenance(
        maintenance_id=maintenance_id,
        until=until,
        at=at,
        author=author,
        body=form.cleaned_data["body"],
    )


def _ask(
    request: HttpRequest,
    maintenance: Maintenance,
    form: forms.DeedForm | forms.ExtendForm,
    *,
    title: str,
    preview: str,
    deed: Deed | None = None,
) -> HttpResponse:
    return render(
        request,
        "incidents/maintenance_deed.html",
        {
            "maintenance": maintenance,
            "form": form,
            "title": title,
            "label": deed.label if deed else _("Extend it"),
            "preview": preview,
            "explanation": deed.explanation if deed else _("The page and calendars say so."),
        },
        status=_INVALID if form.errors else 200,
    )
