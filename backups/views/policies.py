"""Pages of the desk: how a database is backed up, what a change would do, and who made which."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from backups import forms, operations, queries
from backups.models import Database, PolicyChange
from backups.options.terms import LABELS, described, in_words
from backups.options.words import brief_range
from incidents.errors import Refused

_INVALID = 422
_SHOWN = 50


@staff_required
def edit_policy(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the policy; of a change first what it does, and save it once that was seen."""
    database = get_object_or_404(Database.objects.select_related("storage"), pk=pk)
    now = timezone.now()
    form = _form(request, database)
    effect = None
    if request.method == "POST":
        effect, change = _look_or_save(request, database, form, now=now)
        if change is not None:
            messages.success(request, _("The policy is changed: version %s.") % change.version)
            return redirect("backups:policy", pk=pk)
    return _policy_page(request, database, form, effect, now=now)


@require_POST
@staff_required
def show_effect(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what a change would do, as a fragment beside what is typed."""
    database = get_object_or_404(Database.objects.select_related("storage"), pk=pk)
    form = _form(request, database)
    effect = _effect(database, form, now=timezone.now())
    return render(request, "backups/_policy_effect.html", {"effect": effect, "form": form})


@require_POST
@staff_required
def review_workaround(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what became of a workaround."""
    change = get_object_or_404(PolicyChange.objects.select_related("policy__database"), pk=pk)
    database, now = change.policy.database, timezone.now()
    form = forms.ReviewForm(request.POST)
    if form.is_valid():
        try:
            operations.review_workaround(
                change_id=pk, words=form.cleaned_data["words"], by=actor(request), at=now
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The workaround is reviewed."))
            return redirect("backups:policy", pk=database.pk)
    return _policy_page(
        request, database, _form(None, database, request), None, now=now, review=(pk, form)
    )


def _form(
    request: HttpRequest | None, database: Database, asked: HttpRequest | None = None
) -> forms.PolicyForm:
    reader = request or asked
    assert reader is not None
    policy = queries.policy_of(database.pk)
    return forms.PolicyForm(
        request.POST if request is not None and request.method == "POST" else None,
        database=database,
        terms=queries.terms_of(database) or queries.no_terms(database),
        version=policy.version if policy is not None else 0,
        reader=actor(reader),
    )


def _look_or_save(
    request: HttpRequest, database: Database, form: forms.PolicyForm, *, now: datetime
) -> tuple[Mapping[str, Any] | None, PolicyChange | None]:
    """Return what a change would do; or the change, if just that was seen and it is to be saved."""
    effect = _effect(database, form, now=now)
    if effect is None or "save" not in request.POST or request.POST.get("seen") != effect["seen"]:
        return effect, None
    cleaned = form.cleaned_data
    try:
        change = operations.change_policy(
            database_id=database.pk,
            changes=form.changes,
            why=cleaned["why"],
            by=actor(request),
            at=now,
            based_on=cleaned["version"],
            review_on=cleaned["review_on"],
            incident_id=cleaned["incident"] and cleaned["incident"].pk,
        )
    except operations.PolicyReasonMissing as refusal:
        form.add_error("why", str(refusal))
    except operations.ReviewNotAhead as refusal:
        form.add_error("review_on", str(refusal))
    except Refused as refusal:
        form.add_error(None, str(refusal))
    else:
        return effect, change
    return effect, None


def _effect(
    database: Database, form: forms.PolicyForm, *, now: datetime
) -> Mapping[str, Any] | None:
    """Return what a change would do, for the page; None if it cannot be, the form says why."""
    if not form.is_valid():
        return None
    try:
        preview = operations.preview_policy(database_id=database.pk, changes=form.changes, at=now)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return None
    # What was seen is what is saved: anything typed since is shown first.
    told = json.dumps([preview.version, preview.changed], sort_keys=True)
    return {
        "words": preview.effect.words,
        "breaks": preview.effect.breaks,
        "changed": described(preview.changed),
        "before": _figures(preview.effect.before),
        "after": _figures(preview.effect.after),
        "seen": hashlib.sha256(told.encode()).hexdigest(),
    }


def _figures(outlook: Any) -> Mapping[str, Any]:
    return {
        "back": brief_range(outlook.back) if outlook.back is not None else "",
        "basis": outlook.basis,
        "unknown": outlook.unknown,
    }


def _policy_page(
    request: HttpRequest,
    database: Database,
    form: forms.PolicyForm,
    effect: Mapping[str, Any] | None,
    *,
    now: datetime,
    review: tuple[int, forms.ReviewForm] | None = None,
) -> HttpResponse:
    policy = queries.policy_of(database.pk)
    terms = queries.terms_of(database)
    verdicts = queries.retention_of(database, at=now)
    going = [verdict for verdict in verdicts if not verdict.is_kept]
    # Not while it was only looked at; whoever reads the form shall know that it is asked for.
    form.fields["why"].required = True
    is_wrong = bool(form.errors) or review is not None
    return render(
        request,
        "backups/policy.html",
        {
            "database": database,
            "policy": policy,
            "terms": _told(terms),
            "standing": operations.policy_standing(database_id=database.pk, at=now),
            "form": form,
            "effect": effect,
            "changes": _history(queries.policy_changes(database.pk)[:_SHOWN], review, now=now),
            "kept": len(verdicts) - len(going),
            "going": len(going),
            # What may go is what somebody looks for.
            "verdicts": sorted(verdicts, key=lambda verdict: verdict.is_kept)[:_SHOWN],
            "now": now,
        },
        status=_INVALID if is_wrong else 200,
    )


def _told(terms: Any) -> list[tuple[str, str]]:
    if terms is None:
        return []
    return [(LABELS[name], words) for name, words in in_words(terms).items()]


def _history(
    changes: Iterable[PolicyChange], review: tuple[int, forms.ReviewForm] | None, *, now: datetime
) -> list[Mapping[str, Any]]:
    """Return the changes in words, with the form for those that wait for a review."""
    due = {change.pk for change in queries.workarounds_due(at=now)}
    return [
        {
            "change": change,
            "words": described(change.changes),
            "is_due": change.pk in due,
            "review": _review_form(change, review),
        }
        for change in changes
    ]


def _review_form(
    change: PolicyChange, review: tuple[int, forms.ReviewForm] | None
) -> forms.ReviewForm | None:
    if not change.is_workaround or change.reviewed_at is not None:
        return None
    if review is not None and review[0] == change.pk:
        return review[1]
    return forms.ReviewForm(auto_id=f"review_{change.pk}_%s")
