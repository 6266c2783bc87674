"""Action items across incidents: the list, the board, their file, saved views, closing times."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.action_file import action_file
from incidents.errors import Refused
from incidents.models import ActionItem, ActionView
from incidents.views import looks
from incidents.views.desk import PAGE, number, posted
from incidents.views.stretches import Stretch, stretch_of

_INVALID = 422
# So many cards of a column stand on the board; the others are in the list.
_CARDS = 10


@require_GET
@staff_required
def list_actions(request: HttpRequest) -> HttpResponse:
    """Show action items across incidents, the soonest due first."""
    now, form = timezone.now(), _filters(request)
    found: Stretch = Stretch(rows=[])
    try:
        narrowing = form.narrowing
        rows = queries.actions(actor(request), narrowing, at=now)
        by = queries.place_of_actions(narrowing)
        found = stretch_of(rows, request.GET, by=by, newest_first=False, size=PAGE)
    except Refused as refusal:
        form.add_error("q", str(refusal))
    _mark(found.rows, now=now)
    return render(
        request, "incidents/action_list.html", _shown(request, form, now) | {"found": found}
    )


@require_GET
@staff_required
def show_board(request: HttpRequest) -> HttpResponse:
    """Show action items across incidents by their state, the first of each, and how many."""
    now, form = timezone.now(), _filters(request)
    # The board has every state anyway.
    form.fields.pop("state")
    form.cleaned_data.pop("state", None)
    columns: list[queries.Column] = []
    try:
        columns = list(queries.board(actor(request), form.narrowing, at=now, size=_CARDS))
    except Refused as refusal:
        form.add_error("q", str(refusal))
    _mark([action for column in columns for action in column.actions], now=now)
    shown = _shown(request, form, now)
    return render(request, "incidents/action_board.html", shown | {"columns": columns})


@require_GET
@staff_required
def download_actions(request: HttpRequest) -> HttpResponseBase:
    """Answer with the list as it is narrowed, whole, as a file for a spreadsheet."""
    now, form = timezone.now(), _filters(request)
    try:
        rows = queries.actions(actor(request), form.narrowing, at=now)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("incidents:action-list")
    found: QuerySet[ActionItem] = rows.order_by("due_ends_at", "pk")
    return StreamingHttpResponse(
        action_file(found, desk_url=request.build_absolute_uri("/").rstrip("/")),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="actions-{now:%Y-%m-%d}.csv"'},
    )


@require_GET
@staff_required
def show_closing(request: HttpRequest) -> HttpResponse:
    """Show how long action items take until they are done, by severity."""
    rows = queries.closing_times(actor(request), at=timezone.now())
    return render(request, "incidents/action_closing.html", {"rows": rows})


@require_POST
@staff_required
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep what the list is narrowed to, under a name."""
    narrowed = forms.ActionFilterForm(QueryDict(request.POST.get("query", "")[:1000]))
    narrowed.is_valid()
    form = forms.ActionViewForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the view a name, of 60 signs at most."))
        return redirect(_list_at(narrowed.query))
    try:
        operations.save_action_view(
            owner=actor(request), query=narrowed.query, at=timezone.now(), **form.cleaned_data
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The view is saved."))
    return redirect(_list_at(narrowed.query))


@staff_required
def edit_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Give one's own view another name, or share it, or no longer."""
    view = get_object_or_404(ActionView, owner=actor(request), pk=pk)
    initial = {"name": view.name, "is_shared": view.is_shared}
    form = forms.ActionViewForm(posted(request), initial=initial)
    if form.is_bound and form.is_valid():
        try:
            operations.edit_action_view(view_id=pk, **form.cleaned_data)
        except Refused as refusal:
            form.add_error("name", str(refusal))
        else:
            messages.success(request, _("The view is changed."))
            return redirect(_list_at(view.query))
    context = {"view": view, "form": form, "list_address": _list_at(view.query)}
    status = _INVALID if form.errors else 200
    return render(request, "incidents/action_view.html", context, status=status)


@require_POST
@staff_required
def remove_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one's own view."""
    view = get_object_or_404(ActionView, owner=actor(request), pk=pk)
    operations.remove_action_view(view_id=pk)
    messages.success(request, _("The view is removed. No action item has changed."))
    return redirect(_list_at(view.query))


def _filters(request: HttpRequest) -> forms.ActionFilterForm:
    """Return what the address narrows to; what is wrong with it is said beside its field."""
    form = forms.ActionFilterForm(request.GET)
    form.is_valid()
    return form


def _mark(rows: Iterable[ActionItem], *, now: datetime) -> None:
    """Let each row say whether it is past the days that are agreed on."""
    days = queries.action_days()
    for action in rows:
        action.is_beyond = queries.is_beyond(action, days, at=now)  # type: ignore[attr-defined]


def _shown(request: HttpRequest, form: forms.ActionFilterForm, now: datetime) -> dict[str, Any]:
    """Return what the list and the board show alike."""
    query = form.query
    return {
        "form": form,
        "now": now,
        "tz": looks.chosen_zone(request),
        "query": query,
        "is_narrowed": bool(query),
        "back": f"{request.path}?{query}" if query else request.path,
        "views": list(queries.action_views(actor(request))),
        "view_form": forms.ActionViewForm(),
        "moved": _moved(request),
        "reader": actor(request),
    }


def _moved(request: HttpRequest) -> ActionItem | None:
    """Return what was just moved, for that to be undone."""
    pk = number(request.GET.get("moved", ""))
    if pk is None:
        return None
    everything = queries.ActionNarrowing(state=queries.ANY)
    return queries.actions(actor(request), everything, at=timezone.now()).filter(pk=pk).first()


def _list_at(query: str) -> str:
    address = reverse("incidents:action-list")
    return f"{address}?{query}" if query else address
