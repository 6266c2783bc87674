"""What the incident page holds. Each deed that is refused shows the page again, with its form."""

import secrets
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from incidents import forms, queries
from incidents.models import (
    Incident,
    ProgressReport,
    Promise,
    TimelineEntry,
)
from incidents.operations.promises import cadence
from incidents.values import Milestone, Phase, ProgressState, PromiseKind, Severity, zone
from incidents.views import desk
from incidents.wording import basis_words

OLDEST, NEWEST = "oldest", "newest"


@dataclass(slots=True)
class Day:
    """The entries of one day of the incident's zone; ``on`` is None before the first known day."""

    on: date | None
    entries: list[TimelineEntry] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A job's progress with what the clock says of it."""

    report: ProgressReport
    silent: bool

    @property
    def state(self) -> str:
        return "stale" if self.silent else self.report.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A promise with what the clock says of it."""

    promise: Promise
    late: bool


def incident_page(
    request: HttpRequest,
    incident: Incident,
    *,
    status: int = 200,
    preview: dict[str, object] | None = None,
    **bound: BaseForm,
) -> HttpResponse:
    """Answer with the incident page; ``bound`` are forms that stand there with their errors."""
    now = timezone.now()
    entries = queries.timeline(incident.pk)
    causes = list(
        incident.causes.prefetch_related("evidence", "addressed_by").order_by("kind", "pk")
    )
    actions = list(
        incident.actions.soonest_first().select_related("owner").prefetch_related("addresses")
    )
    context: dict[str, Any] = {
        "now": now,
        "tz": incident.tz,
        **head(incident, now=now),
        **timeline(incident, entries=entries, order=request.GET.get("order", "")),
        **progress(incident, now=now),
        **promises(incident, now=now),
        "drafts": queries.drafts(incident.pk),
        "impacts": incident.impacts.select_related("component").order_by("at", "pk"),
        "causes": causes,
        "actions": actions,
        "roles": incident.roles.filter(until_at__isnull=True).select_related("holder"),
        "undo": _undo(request, incident),
        "preview": preview,
        "cadences": cadences(incident),
        "entry_form": bound.get("entry_form") or entry_form(),
        "update_form": bound.get("update_form") or _offered_update(request, incident, now=now),
        "promise_form": bound.get("promise_form") or forms.PromiseForm(now=now, tz=incident.tz),
        "impact_form": bound.get("impact_form") or forms.ImpactForm(now=now, tz=incident.tz),
        "cause_form": bound.get("cause_form") or forms.CauseForm(entries=entries),
        "action_form": bound.get("action_form") or forms.ActionForm(tz=incident.tz, causes=causes),
        "policy_form": forms.PolicyForm(initial={"policy": incident.progress_policy}),
        "role_form": bound.get("role_form") or forms.RoleForm(),
    }
    return render(request, "incidents/incident_detail.html", context, status=status)


def head(incident: Incident, *, now: datetime) -> dict[str, Any]:
    """Return what the head of the page shows."""
    moments = [
        (milestone.label, getattr(incident, f"{milestone.value}_at")) for milestone in Milestone
    ]
    return {
        "incident": incident,
        "now": now,
        "figures": queries.figures(incident, at=now),
        "milestones": [(label, at) for label, at in moments if at is not None],
        "age": now - incident.started_at if incident.started_at else None,
    }


def timeline(
    incident: Incident, *, order: str, entries: list[TimelineEntry] | None = None
) -> dict[str, Any]:
    """Return the timeline by days. While the incident is open, the newest stand first."""
    entries = queries.timeline(incident.pk) if entries is None else entries
    if order not in (OLDEST, NEWEST):
        order = OLDEST if incident.is_resolved else NEWEST
    days = _by_day(entries, incident)
    if order == NEWEST:
        days.reverse()
        for day in days:
            day.entries.reverse()
    return {
        "incident": incident,
        "days": days,
        "entry_count": len(entries),
        "order": order,
        "stamp": _stamp(entries),
    }


def progress(incident: Incident, *, now: datetime) -> dict[str, Any]:
    """Return the jobs' progress, those under way first."""
    silence = timedelta(seconds=settings.STALE_AFTER_SECONDS)
    alive = (ProgressState.RUNNING, ProgressState.WAITING, ProgressState.HELD)
    reports = incident.progress_reports.order_by("-started_at", "-pk")
    return {
        "incident": incident,
        "now": now,
        "watched": [
            Watched(
                report=report,
                silent=report.state in alive and now - report.heartbeat_at > silence,
            )
            for report in reports
        ],
    }


def promises(incident: Incident, *, now: datetime) -> dict[str, Any]:
    """Return the promises: what stands open, and how the others ended."""
    given = list(incident.promises.newest_first())
    return {
        "incident": incident,
        "now": now,
        "open_promises": [
            Due(promise=promise, late=bool(promise.expires_at and promise.expires_at < now))
            for promise in given
            if not promise.settled_at
        ],
        "settled_promises": [promise for promise in given if promise.settled_at],
    }


def entry_form() -> forms.QuickEntryForm:
    """Return an empty entry, with a key of its own: a form that is sent twice is one entry."""
    return forms.QuickEntryForm(initial={"key": secrets.token_urlsafe(12)})


def update_form(
    incident: Incident,
    *,
    now: datetime,
    data: Any = None,
    body: str = "",
    may_have_blanks: bool = False,
) -> forms.UpdateForm:
    """Return the form of an update, filled with what is likely meant."""
    standing = incident.promises.open().filter(kind=PromiseKind.ETA).first()
    phase = Phase.INVESTIGATING if incident.is_resolved else Phase(incident.phase)
    initial = {
        "phase": phase,
        "body": body,
        "next_minutes": cadence(Severity(incident.severity), phase) // timedelta(minutes=1),
        "eta_basis": basis_words(standing.basis) if standing else "",
        "key": secrets.token_urlsafe(12),
    }
    return forms.UpdateForm(
        data,
        initial=initial,
        now=now,
        tz=incident.tz,
        components=queries.component_tree(),
        affected=incident.components.values_list("pk", flat=True),
        may_have_blanks=may_have_blanks,
    )


def cadences(incident: Incident) -> list[tuple[str, int]]:
    """Return how soon customers hear next in each open phase, in minutes."""
    severity = Severity(incident.severity)
    return [
        (str(phase.label), cadence(severity, phase) // timedelta(minutes=1))
        for phase in (Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MONITORING)
    ]


def _offered_update(request: HttpRequest, incident: Incident, *, now: datetime) -> forms.UpdateForm:
    """Return the form of an update, filled with the template that the address names, if any."""
    form = update_form(incident, now=now)
    desk.fill(request, form, {"template": request.GET.get("template", "")})
    return form


def _by_day(entries: list[TimelineEntry], incident: Incident) -> list[Day]:
    """Group entries that are in order. One without a time stays with the entry before it."""
    days: list[Day] = []
    here = zone(incident.tz)
    for entry in entries:
        on = entry.at.astimezone(here).date() if entry.at else None
        if not days or (on is not None and on != days[-1].on):
            days.append(Day(on=on))
        days[-1].entries.append(entry)
    return days


def _stamp(entries: list[TimelineEntry]) -> str:
    """Return a word that changes when the timeline does."""
    newest = max((entry.edited_at or entry.recorded_at for entry in entries), default=None)
    return f"{len(entries)}-{newest.timestamp() if newest else 0:.6f}"


def _undo(request: HttpRequest, incident: Incident) -> TimelineEntry | None:
    """Return the entry that has just been deleted, if its deletion can be undone here."""
    named = request.GET.get("deleted", "")
    if not named.isdecimal():
        return None
    return queries.deleted_entries(incident.pk).filter(pk=int(named)).first()
