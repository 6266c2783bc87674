"""Causes and action items."""

from datetime import UTC, datetime

from django.contrib import messages
from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import ActionItem, Incident, RootCause
from incidents.values import ActionState, CauseKind, Priority, When
from incidents.views import looks, page
from incidents.views.desk import PAGE
from incidents.views.stretches import stretch_of

_INVALID = 422
# What has no due date stands behind all that has one.
_DUE = Coalesce("due_at", Value(datetime(9999, 1, 1, tzinfo=UTC)))


@staff_required
def add_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down one reason, on a page of its own: it offers every entry of the timeline."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.CauseForm(request.POST or None, entries=queries.timeline(pk))
    if not form.is_valid():
        return _cause_page(request, incident, form, title=_("Add a cause"), label=_("Add cause"))
    operations.record_root_cause(
        incident_id=pk,
        kind=CauseKind(form.cleaned_data["kind"]),
        text=form.cleaned_data["text"],
        at=timezone.now(),
        author=actor(request),
        evidence=form.cleaned_data["evidence"],
    )
    messages.success(request, _("The cause is on record."))
    return redirect(reverse("incidents:incident-detail", args=[pk]) + "#causes")


@staff_required
def edit_cause(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a reason."""
    seen = RootCause.objects.filter(incident__in=Incident.objects.seen_by(actor(request)))
    cause = get_object_or_404(seen.select_related("incident"), pk=pk)
    form = forms.CauseForm(
        request.POST or None,
        entries=queries.timeline(cause.incident_id),
        initial={
            "kind": cause.kind,
            "text": cause.text,
            "evidence": list(cause.evidence.values_list("pk", flat=True)),
        },
    )
    if request.method == "POST" and form.is_valid():
        operations.edit_root_cause(
            cause_id=pk,
            at=timezone.now(),
            author=actor(request),
            kind=CauseKind(form.cleaned_data["kind"]),
            text=form.cleaned_data["text"],
            evidence=form.cleaned_data["evidence"],
        )
        messages.success(request, _("The cause is changed. What it said before is kept."))
        return redirect(reverse("incidents:incident-detail", args=[cause.incident_id]) + "#causes")
    return _cause_page(request, cause.incident, form, title=_("Edit a cause"), label=_("Save"))


@require_POST
@staff_required
def add_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Write down what shall be done."""
    incident = get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)
    form = forms.ActionForm(
        request.POST, tz=incident.tz, causes=list(incident.causes.order_by("pk"))
    )
    if not form.is_valid():
        return page.incident_page(request, incident, status=_INVALID, action_form=form)
    data = form.cleaned_data
    operations.add_action_item(
        incident_id=pk,
        text=data["text"],
        at=timezone.now(),
        author=actor(request),
        kind=data["kind"],
        owner=data["owner"],
        owner_label=data["owner_label"],
        priority=Priority(data["priority"]),
        due=data["due"],
        addresses=data.get("addresses", ()),
        check_by=data["check_by"],
        is_public=data["is_public"],
    )
    messages.success(request, _("The action item is on record."))
    return redirect(reverse("incidents:incident-detail", args=[pk]) + "#actions")


@staff_required
def edit_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an action item."""
    action = _action(request, pk)
    named = ("text", "kind", "owner", "owner_label", "priority", "check_by", "is_public")
    form = forms.ActionForm(
        request.POST or None,
        tz=action.incident.tz,
        initial={name: getattr(action, name) for name in named}
        | {"due": When.of(action, "due_") if action.due_at else None},
    )
    if request.method == "POST" and form.is_valid():
        operations.edit_action_item(
            action_id=pk,
            at=timezone.now(),
            author=actor(request),
            due=form.cleaned_data["due"] or When.unknown(),
            **{name: form.cleaned_data[name] for name in named},
        )
        messages.success(request, _("The action item is changed. What it said before is kept."))
        return redirect(_way_back(request, action))
    return _deed(request, action, form, title=_("Edit an action item"), label=_("Save"))


@staff_required
def move_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Move an action item to another state."""
    action = _action(request, pk)
    form = forms.MoveActionForm(
        request.POST or None,
        tz=action.incident.tz,
        initial={"state": request.GET.get("state", action.state)},
    )
    if request.method == "POST" and form.is_valid():
        state = ActionState(form.cleaned_data["state"])
        try:
            operations.move_action_item(
                action_id=pk,
                state=state,
                at=timezone.now(),
                author=actor(request),
                done=form.cleaned_data["done"] if state == ActionState.DONE else None,
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{action}: {state.label}")
            return redirect(_way_back(request, action))
    return _deed(request, action, form, title=_("Move an action item"), label=_("Move it"))


@require_GET
@staff_required
def list_actions(request: HttpRequest) -> HttpResponse:
    """Show action items across incidents, the soonest due first."""
    now = timezone.now()
    form = forms.ActionFilterForm(request.GET)
    found = _narrowed(form, now=now) if form.is_valid() else queries.open_actions()
    found = found.filter(incident__in=Incident.objects.seen_by(actor(request)))
    return render(
        request,
        "incidents/action_list.html",
        {
            "found": stretch_of(found, request.GET, by=_DUE, newest_first=False, size=PAGE),
            "form": form,
            "now": now,
            "tz": looks.chosen_zone(request),
            "is_narrowed": any(request.GET.get(name) for name in ("state", "owner", "overdue")),
        },
    )


def _cause_page(
    request: HttpRequest, incident: Incident, form: forms.CauseForm, *, title: str, label: str
) -> HttpResponse:
    return render(
        request,
        "incidents/deed.html",
        {"incident": incident, "form": form, "title": title, "explanation": "", "label": label},
        status=_INVALID if form.errors else 200,
    )


def _narrowed(form: forms.ActionFilterForm, *, now: datetime) -> QuerySet[ActionItem]:
    match form.cleaned_data["state"]:
        case "":
            found = queries.open_actions()
        case "any":
            found = queries.actions_by_state(list(ActionState))
        case state:
            found = queries.actions_by_state([ActionState(state)])
    match form.cleaned_data["owner"]:
        case "":
            pass
        case "none":
            found = found.filter(owner__isnull=True, owner_label="")
        case owner:
            found = found.filter(owner=owner)
    if form.cleaned_data["overdue"]:
        late = [action.pk for action in found if action.is_overdue(at=now)]
        found = found.filter(pk__in=late)
    return found


def _action(request: HttpRequest, pk: int) -> ActionItem:
    seen = ActionItem.objects.filter(incident__in=Incident.objects.seen_by(actor(request)))
    return get_object_or_404(seen.select_related("incident", "owner"), pk=pk)


def _way_back(request: HttpRequest, action: ActionItem) -> str:
    """Return the page that the deed was begun on: the list across incidents, or the incident."""
    back = request.POST.get("back") or request.GET.get("back", "")
    # Only within this house: an address that somebody slipped in is not followed.
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        return back
    return reverse("incidents:incident-detail", args=[action.incident_id]) + "#actions"


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
