"""Action items: written down, changed, moved from state to state, and moved back."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import ActionItem, Incident
from incidents.values import ActionState, Priority, When
from incidents.views import looks, page
from incidents.views.desk import number, posted

_INVALID = 422
# What a form and a row call by the same name.
_NAMED = ("text", "kind", "owner", "owner_label", "priority", "check_by", "is_public")


@require_POST
@staff_required
def add_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what shall be done."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    causes = list(incident.causes.live().in_order())
    form = forms.ActionForm(request.POST, tz=incident.tz, causes=causes)
    if form.is_valid():
        try:
            action = operations.add_action_item(
                incident_id=pk,
                at=timezone.now(),
                author=actor(request),
                due=form.cleaned_data["due"],
                addresses=form.cleaned_data.get("addresses", ()),
                **_said(form),
            )
        except Refused as refusal:
            form.add_error("due", str(refusal))
        else:
            said = _("The action item is on record.")
            if action.due_at and not form.cleaned_data["due"]:
                said = _("The action item is on record, due %s as agreed on.") % action.due_said
            messages.success(request, said)
            return redirect(reverse("incidents:incident-detail", args=[pk]) + "#actions")
    return page.incident_page(request, incident, status=_INVALID, action_form=form)


@staff_required
def edit_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an action item. What somebody else has changed meanwhile is not overwritten unread."""
    action = _action(request, pk)
    tz, causes = action.incident.tz, list(action.incident.causes.live().in_order())
    initial = {name: getattr(action, name) for name in _NAMED} | {
        "due": When.of(action, "due_") if action.due_at else None,
        "addresses": list(action.addresses.values_list("pk", flat=True)),
        "version": action.version,
    }
    form = forms.ActionForm(posted(request), tz=tz, causes=causes, initial=initial)
    if form.is_bound and form.is_valid():
        try:
            operations.edit_action_item(
                action_id=pk,
                at=timezone.now(),
                author=actor(request),
                due=form.cleaned_data["due"] or When.unknown(),
                addresses=form.cleaned_data.get("addresses"),
                version=form.cleaned_data["version"],
                **_said(form),
            )
        except Refused as refusal:
            form = forms.ActionForm(_with_version(request, action), tz=tz, causes=causes)
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The action item is changed. What it said before is kept."))
            return redirect(_way_back(request, action))
    return _deed(request, action, form, title=_("Edit an action item"), label=_("Save"))


@staff_required
def move_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Move an action item to another state; what that state needs is asked for."""
    action = _action(request, pk)
    tz = action.incident.tz
    initial = {"state": request.GET.get("state", action.state), "version": action.version}
    form = forms.MoveActionForm(posted(request), tz=tz, initial=initial)
    if form.is_bound and form.is_valid():
        said = form.cleaned_data
        try:
            operations.move_action_item(
                action_id=pk,
                state=ActionState(said["state"]),
                at=timezone.now(),
                author=actor(request),
                done=said["done"] if said["state"] == ActionState.DONE else None,
                reason=said["reason"],
                proof=said["proof"],
                version=said["version"],
            )
        except Refused as refusal:
            form = forms.MoveActionForm(_with_version(request, action), tz=tz)
            form.add_error(None, str(refusal))
        else:
            return redirect(_marked(_way_back(request, action), moved=str(pk)))
    return _deed(request, action, form, title=_("Move an action item"), label=_("Move it"))


@require_POST
@staff_required
def undo_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring back the state that it had before it was moved."""
    action = _action(request, pk)
    try:
        operations.undo_move(
            action_id=pk,
            at=timezone.now(),
            author=actor(request),
            version=number(request.POST.get("version", "")) or 0,
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("It is back where it was."))
    return redirect(_marked(_way_back(request, action), moved=""))


def _said(form: forms.ActionForm) -> dict[str, Any]:
    said = {name: form.cleaned_data[name] for name in _NAMED}
    return said | {"priority": Priority(said["priority"])}


def _with_version(request: HttpRequest, action: ActionItem) -> QueryDict:
    """Return what was typed, to be saved over what it says now by whoever has read that."""
    typed = request.POST.copy()
    typed["version"] = str(action.version)
    return typed


def _action(request: HttpRequest, pk: int) -> ActionItem:
    seen = ActionItem.objects.filter(incident__in=Incident.objects.seen_by(actor(request)))
    return get_object_or_404(seen.select_related("incident", "owner"), pk=pk)


def _way_back(request: HttpRequest, action: ActionItem) -> str:
    """Return the page that the deed was begun on: the list, the board, or the incident."""
    back = request.POST.get("back") or request.GET.get("back", "")
    # Only within this house: an address that somebody slipped in is not followed.
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return back
    return reverse("incidents:incident-detail", args=[action.incident_id]) + "#actions"


def _marked(address: str, *, moved: str) -> str:
    """Return an address that also says what was moved, for that to be undone there."""
    parts = urlsplit(address)
    query = QueryDict(parts.query, mutable=True)
    query.pop("moved", None)
    if moved:
        query["moved"] = moved
    return urlunsplit(parts._replace(query=query.urlencode()))


def _deed(
    request: HttpRequest,
    action: ActionItem,
    form: forms.ActionForm | forms.MoveActionForm,
    *,
    title: str,
    label: str,
) -> HttpResponse:
    return render(
        request,
        "incidents/action_deed.html",
        {
            "incident": action.incident,
            "action": action,
            "form": form,
            "title": title,
            "label": label,
            "back": _way_back(request, action),
            "tz": looks.look_at(request, action.incident).tz,
            "revisions": queries.revisions(action).select_related("replaced_by"),
        },
        status=_INVALID if form.errors else 200,
    )
