"""The trackers to which action items go: listed, added, tried, changed; and each item's issue."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.access import actor, staff_required
from incidents import forms, operations, queries, syncing
from incidents.errors import Refused
from incidents.models import ActionItem, Incident, Tracker, TrackerIssue
from incidents.trackers import adapters
from incidents.views.desk import PAGE

_INVALID = 422
_TOKEN = "tracker_token"  # noqa: S105  (the name under which it waits to be shown)


@require_GET
@staff_required
def list_trackers(request: HttpRequest) -> HttpResponse:
    """Show every tracker, and what waits or is stuck there."""
    rows = [(tracker, _label(tracker)) for tracker in queries.trackers()]
    context = {"trackers": rows, "now": timezone.now()}
    return render(request, "incidents/tracker_list.html", context)


@staff_required
def add_tracker(request: HttpRequest) -> HttpResponse:
    """Ask where a tracker is, write it down, and look whether it works."""
    form = forms.TrackerForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            tracker, token = operations.connect_tracker(
                at=now, author=actor(request), **form.cleaned_data
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return _show_token(request, tracker, token)
    return _edit_page(request, form, tracker=None)


@require_GET
@staff_required
def show_tracker(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a tracker stands, its issues, and where its webhooks go; a new token once."""
    tracker = get_object_or_404(Tracker, pk=pk)
    token = ""
    if request.session.get(_TOKEN, {}).get("tracker") == pk:
        token = request.session.pop(_TOKEN)["token"]
    issues = Paginator(queries.issues_in(tracker, actor(request)), PAGE)
    response = render(
        request,
        "incidents/tracker_detail.html",
        {
            "tracker": tracker,
            "label": _label(tracker),
            "token": token,
            "address": request.build_absolute_uri(reverse("tracker-word", args=[token or "TOKEN"])),
            "page": issues.get_page(request.GET.get("page")),
            "now": timezone.now(),
        },
    )
    if token:
        # Neither the way back nor a cache shows it again.
        response.headers["Cache-Control"] = "no-store"
    return response


@staff_required
def edit_tracker(request: HttpRequest, pk: int) -> HttpResponse:
    """Change where a tracker is, or what opens it."""
    tracker = get_object_or_404(Tracker, pk=pk)
    form = forms.TrackerForm(request.POST or None, tracker=tracker)
    if request.method == "POST" and form.is_valid():
        try:
            operations.edit_tracker(tracker_id=pk, at=timezone.now(), **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{form.cleaned_data['name']} is changed. Try it out.")
            return redirect(tracker)
    return _edit_page(request, form, tracker=tracker)


@require_POST
@staff_required
def try_tracker(request: HttpRequest, pk: int) -> HttpResponse:
    """Look whether a tracker works, and say what is wrong if it does not."""
    tracker = get_object_or_404(Tracker, pk=pk)
    works, words = syncing.look(tracker_id=pk, at=timezone.now())
    (messages.success if works else messages.error)(request, words)
    return redirect(tracker)


@require_POST
@staff_required
def switch_tracker(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause a tracker, or let it go on."""
    get_object_or_404(Tracker, pk=pk)
    tracker = operations.switch_tracker(
        tracker_id=pk, is_enabled="on" in request.POST, at=timezone.now()
    )
    messages.success(request, f"{tracker} {'goes on' if tracker.is_enabled else 'is paused'}.")
    return redirect(tracker)


@staff_required
def renew_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether the webhooks' address shall stop to work, and give the tracker another one."""
    tracker = get_object_or_404(Tracker, pk=pk)
    if request.method == "POST":
        return _show_token(request, *operations.renew_tracker_token(tracker_id=pk))
    return render(request, "incidents/tracker_renew.html", {"tracker": tracker})


@staff_required
def remove_tracker(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a tracker shall go, and let it go."""
    tracker = get_object_or_404(Tracker, pk=pk)
    if request.method == "POST":
        operations.remove_tracker(tracker_id=pk)
        messages.success(request, f"{tracker} is gone. Its issues stay where they are.")
        return redirect("incidents:tracker-list")
    context = {"tracker": tracker, "linked": tracker.issues.count()}
    return render(request, "incidents/tracker_remove.html", context)


@staff_required
def show_issue(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how an action item stands in its tracker; without one, ask which shall have it."""
    action = _action(request, pk)
    form = forms.SendForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _send(request, action, form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("incidents:action-tracker", pk=pk)
    context = {
        "action": action,
        "incident": action.incident,
        "issue": queries.issue_of(pk),
        "form": form,
        "has_trackers": queries.usable_trackers().exists(),
        "now": timezone.now(),
    }
    status = _INVALID if form.errors else 200
    return render(request, "incidents/tracker_action.html", context, status=status)


@require_POST
@staff_required
def do_deed(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Retry, unlink, or decide which state holds."""
    action = _action(request, pk)
    link = get_object_or_404(TrackerIssue, action=action)
    deeds: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
        "retry": (operations.retry_sync, {}, "It is looked at within seconds."),
        "unlink": (operations.unlink_action, {}, "The issue is unlinked. It stays as it is."),
        "theirs": (
            operations.decide_conflict,
            {"takes_theirs": True, "author": actor(request)},
            "The action item is as its issue now.",
        ),
        "ours": (
            operations.decide_conflict,
            {"takes_theirs": False, "author": actor(request)},
            "The issue follows the action item, within seconds.",
        ),
    }
    deed, said, words = deeds[name]
    try:
        deed(issue_id=link.pk, at=timezone.now(), **said)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, words)
    return redirect("incidents:action-tracker", pk=pk)


def _send(request: HttpRequest, action: ActionItem, said: dict[str, Any]) -> None:
    tracker, now = said["tracker"], timezone.now()
    if not said["url"]:
        operations.send_action(
            action_id=action.pk, tracker_id=tracker.pk, at=now, author=actor(request)
        )
        messages.success(request, f"It is on its way to {tracker}.")
        return
    remote = syncing.read_by_address(tracker_id=tracker.pk, url=said["url"])
    operations.follow_issue(
        action_id=action.pk, tracker_id=tracker.pk, remote=remote, at=now, author=actor(request)
    )
    messages.success(request, f"It follows {remote.key} of {tracker}.")


def _action(request: HttpRequest, pk: int) -> ActionItem:
    seen = Incident.objects.seen_by(actor(request))
    rows = ActionItem.objects.select_related("incident").filter(incident__in=seen)
    return get_object_or_404(rows, pk=pk)


def _label(tracker: Tracker) -> str:
    speaks = adapters().get(tracker.kind)
    return speaks.label if speaks else tracker.kind


def _show_token(request: HttpRequest, tracker: Tracker, token: str) -> HttpResponse:
    """Go to the page of the tracker, which shows the token once."""
    request.session[_TOKEN] = {"tracker": tracker.pk, "token": token}
    return redirect(tracker)


def _edit_page(
    request: HttpRequest, form: forms.TrackerForm, *, tracker: Tracker | None
) -> HttpResponse:
    return render(
        request,
        "incidents/tracker_edit.html",
        {"form": form, "tracker": tracker},
        status=_INVALID if form.errors else 200,
    )
