"""Pages of the desk: every way back side by side, and the start of the one that is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from backups import forms, operations
from backups.models import Database
from backups.options import RecoveryOption
from backups.options.words import PHASES, POINTS, STRATEGIES, amount, told_range
from incidents.errors import Refused

_INVALID = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """An option in words, with the address at which it is started; none if it cannot be."""

    option: RecoveryOption
    title: str
    strategy: str
    usable: str
    whole: str
    phases: list[tuple[str, str]]
    disk_needed: str
    disk_free: str
    start_url: str


@require_GET
@staff_required
def show_options(request: HttpRequest, pk: int) -> HttpResponse:
    """Show every way back as of what is on record; nothing is asked, so it is there at once."""
    return _options_page(request, pk)


@require_POST
@staff_required
def look_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the storage, its copies and the machines anew; within seconds, whatever they do."""
    get_object_or_404(Database, pk=pk)
    operations.look_at_targets()
    unheard = operations.unheard_places(database_id=pk, at=timezone.now())
    if unheard:
        messages.warning(request, _("Not every place has answered. What is known stands here."))
    else:
        messages.success(request, _("This is what the archive holds now."))
    query = _query(request, unheard=[f"{place}:{code}" for place, code in unheard.items()])
    return redirect(f"{reverse('backups:option-list', args=[pk])}?{query}")


@require_POST
@staff_required
def set_objectives(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what ways back are held against."""
    get_object_or_404(Database, pk=pk)
    form = forms.ObjectivesForm(request.POST)
    if form.is_valid():
        try:
            change = operations.set_objectives(
                database_id=pk,
                may_lose=form.may_lose,
                back_within=form.back_within,
                why=form.cleaned_data["why"],
                by=actor(request),
                at=timezone.now(),
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Ways back are held against this now."))
            messages.info(request, change.effect_words)
            return redirect("backups:option-list", pk=pk)
    return _options_page(request, pk, objectives=form, status=_INVALID)


@staff_required
def start_option(request: HttpRequest, pk: int) -> HttpResponse:
    """Start a way back, once it is confirmed and the reasons are given."""
    database = get_object_or_404(Database, pk=pk)
    now, code = timezone.now(), request.GET.get("option", "")
    try:
        option = operations.option_named(database_id=pk, code=code, at=now)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("backups:option-list", pk=pk)
    form = forms.OptionForm(
        request.POST or None,
        option=option,
        reader=actor(request),
        initial={"incident": request.GET.get("incident", "")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            job = _start(request, pk, code, form.cleaned_data, now=now)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("%s is queued. A worker takes it.") % job)
            return redirect("backups:restore-detail", pk=job.pk)
    return render(
        request,
        "backups/option_start.html",
        {"database": database, "form": form, "card": _card(pk, option, ""), "now": now},
        status=_INVALID if form.errors else 200,
    )


def _options_page(
    request: HttpRequest,
    pk: int,
    *,
    objectives: forms.ObjectivesForm | None = None,
    status: int = 200,
) -> HttpResponse:
    database = get_object_or_404(Database.objects.select_related("storage"), pk=pk)
    now = timezone.now()
    form = forms.MomentForm(request.GET or None)
    moment = form.cleaned_data["at"] if form.is_bound and form.is_valid() else None
    board = operations.recovery_options(
        database_id=pk,
        at=now,
        moment=moment,
        everything=bool(request.GET.get("all")),
        unheard=_codes(request.GET.getlist("unheard")),
    )
    incident = request.GET.get("incident", "")
    return render(
        request,
        "backups/options.html",
        {
            "database": database,
            "form": form,
            "objectives": objectives or forms.ObjectivesForm.of(database),
            "board": board,
            "cards": [_card(pk, option, incident) for option in board.options],
            "query": request.GET.urlencode(),
            "all_url": "?" + _query(request, all="1"),
            "now": now,
        },
        status=_INVALID if form.errors else status,
    )


def _start(
    request: HttpRequest, pk: int, code: str, cleaned: Mapping[str, Any], *, now: datetime
) -> Any:
    incident = cleaned["incident"]
    return operations.choose_option(
        database_id=pk,
        code=code,
        reasons=cleaned["reasons"],
        replaces=cleaned.get("replaces", ""),
        incident_id=incident.pk if incident else None,
        by=actor(request),
        at=now,
    )


def _card(pk: int, option: RecoveryOption, incident: str) -> Card:
    query = {"option": option.code} | ({"incident": incident} if incident else {})
    start_url = f"{reverse('backups:option-start', args=[pk])}?{urlencode(query)}"
    return Card(
        option=option,
        title=POINTS[option.point],
        strategy=STRATEGIES[option.strategy],
        usable=told_range(option.usable),
        whole=told_range(option.seconds),
        phases=[(PHASES[each.name], told_range(each.seconds)) for each in option.phases],
        disk_needed=amount(option.disk_needed),
        disk_free="" if option.disk_free is None else amount(option.disk_free),
        start_url=start_url if option.can_start else "",
    )


def _query(request: HttpRequest, **changes: str | list[str]) -> str:
    """Return what the page was asked with, changed."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.setlist(name, [value] if isinstance(value, str) else value)
    return query.urlencode()


def _codes(words: list[str]) -> dict[int, str]:
    """Return the codes by the ids before them: 3:credentials-refused."""
    parts = [word.partition(":") for word in words]
    # Longer ones name no row.
    return {
        int(number): code
        for number, _colon, code in parts
        if number.isdecimal() and len(number) < 10  # noqa: PLR2004
    }
