"""The page to read on waking, and the handover itself."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import actor, staff_required
from accounts.models import User
from incidents import forms, operations, queries
from incidents.errors import Refused
from incidents.models import DeskRules, Incident
from incidents.views import desk, looks, page, panels

_INVALID = 422


@staff_required
def hand_over(request: HttpRequest, pk: int) -> HttpResponse:
    """Show all that whoever takes over must know, and hand roles over."""
    incident, reader = _incident(request, pk), actor(request)
    now, tz = timezone.now(), looks.look_at(request, incident).tz
    shown = queries.handover_of(incident, reader=reader, at=now)
    form = forms.HandoverForm(desk.posted(request), held=shown.held, reader=reader, tz=tz, now=now)
    if request.method == "POST" and form.is_valid():
        try:
            operations.hand_over(
                incident_id=pk,
                assignment_ids=form.cleaned_data["roles"],
                holder=form.cleaned_data["holder"],
                at=now,
                author=reader,
                reason=form.cleaned_data["reason"],
                handover=form.cleaned_data["handover"],
                resting_until_at=form.cleaned_data["resting_until_at"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            _say(request, form.cleaned_data["holder"], reader)
            return redirect("incidents:incident-handover", pk=pk)
    answer = render(
        request,
        "incidents/incident_handover.html",
        {"form": form, "tz": tz, **_page(incident, shown, reader)},
        status=_INVALID if form.errors else 200,
    )
    return looks.remember_zone(request, answer)


def _incident(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)


def _page(incident: Incident, shown: queries.Handover, reader: User) -> dict[str, Any]:
    now = shown.at
    return {
        "incident": incident,
        "shown": shown,
        "now": now,
        "age": now - incident.started_at if incident.started_at else None,
        "duty_limit": DeskRules.objects.in_force().duty_limit,
        "due": page.falling_due(shown.promises, now=now),
        "watched": page.watched(shown.reports, now=now),
        **panels.relations(incident, reader),
    }


def _say(request: HttpRequest, holder: User, reader: User) -> None:
    if holder == reader:
        messages.success(request, _("You have it now. This is where it stands."))
    else:
        messages.success(
            request,
            _("%s has it now. Send them the address of this page: it is what to read first.")
            % holder.label(),
        )
