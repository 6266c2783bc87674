"""What the incident page holds. Each deed that is refused shows the page again, with its form."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.access import actor
from incidents import forms, queries
from incidents.models import (
    ActionItem,
    Incident,
    ProgressReport,
    Promise,
    RootCause,
    TimelineEntry,
)
from incidents.values import Milestone
from incidents.views import looks, panels, telling
from incidents.views.desk import number


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
    update_form = bound.get("update_form")
    assert update_form is None or isinstance(update_form, forms.UpdateForm)
    # The stamp first: what is written down meanwhile is then shown twice rather than never.
    stamp = queries.timeline_stamp(Incident.objects.all(), incident.pk) or ""
    look = looks.look_at(request, incident)
    causes = _causes(incident)
    actions = _actions(incident, causes)
    context: dict[str, Any] = {
        "now": now,
        **head(incident, now=now, tz=look.tz),
        **looks.timeline(incident, look, stamp=stamp),
        **progress(incident, now=now, tz=look.tz),
        **promises(incident, now=now, tz=look.tz),
        "alerts": queries.alerts_of(incident.pk),
        **impacts(request, incident),
        "causes": causes,
        "actions": actions,
        **panels.people(incident, actor(request), now=now),
        **panels.relations(incident, actor(request)),
        "undo": _undo(request, incident),
        **_just_done(request, incident),
        "entry_form": bound.get("entry_form") or entry_form(),
        **telling.shown(request, incident, now=now, form=update_form, preview=preview),
        "promise_form": bound.get("promise_form")
        or forms.PromiseForm(now=now, tz=incident.tz, typed_in=look.tz),
        "impact_form": bound.get("impact_form") or forms.ImpactForm(now=now, tz=look.tz),
        "action_form": bound.get("action_form") or forms.ActionForm(tz=incident.tz, causes=causes),
        "policy_form": forms.PolicyForm(initial={"policy": incident.progress_policy}),
        "role_form": bound.get("role_form") or forms.RoleForm(),
        "member_form": bound.get("member_form") or forms.MemberForm(),
    }
    return render(request, "incidents/incident_detail.html", context, status=status)


def head(incident: Incident, *, now: datetime, tz: str) -> dict[str, Any]:
    """Return what the head of the page shows."""
    moments = [
        (milestone.label, getattr(incident, f"{milestone.value}_at")) for milestone in Milestone
    ]
    return {
        "incident": incident,
        "tz": tz,
        "now": now,
        "figures": queries.figures(incident, at=now),
        "milestones": [(label, at) for label, at in moments if at is not None],
        "age": now - incident.started_at if incident.started_at else None,
    }


def progress(incident: Incident, *, now: datetime, tz: str) -> dict[str, Any]:
    """Return the jobs' progress, those under way first."""
    reports = incident.progress_reports.order_by("-started_at", "-pk")
    return {
        "incident": incident,
        "tz": tz,
        "now": now,
        "watched": watched(reports, now=now),
    }


def watched(reports: Iterable[ProgressReport], *, now: datetime) -> list[Watched]:
    """Return jobs' progress with what the clock says of it."""
    return [Watched(report=report, silent=report.is_silent(at=now)) for report in reports]


def promises(incident: Incident, *, now: datetime, tz: str) -> dict[str, Any]:
    """Return the promises: what stands open, and how the others ended."""
    given = list(incident.promises.newest_first())
    return {
        "incident": incident,
        "tz": tz,
        "now": now,
        "open_promises": falling_due(
            [promise for promise in given if not promise.settled_at], now=now
        ),
        "settled_promises": [promise for promise in given if promise.settled_at],
    }


def falling_due(given: Iterable[Promise], *, now: datetime) -> list[Due]:
    """Return open promises with what the clock says of them."""
    return [
        Due(promise=promise, late=bool(promise.expires_at and promise.expires_at < now))
        for promise in given
    ]


def impacts(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Return what customers went without, and what was just taken off the record."""
    named, removed = request.GET.get("removed", ""), None
    if named.isdecimal():
        removed = incident.impacts.filter(deleted_at__isnull=False, pk=int(named)).first()
    return {"impacts": queries.impacts(incident.pk), "removed_impact": removed}


def _causes(incident: Incident) -> list[RootCause]:
    """Return the causes; of what shows and addresses them, the page says the words alone."""
    entries = TimelineEntry.objects.live().order_by("pk").only("text")
    addressed_by = ActionItem.objects.order_by("pk").only("text", "state")
    return list(
        incident.causes.live()
        .in_order()
        .select_related("vendor_case")
        .prefetch_related(
            Prefetch("evidence", queryset=entries), Prefetch("addressed_by", queryset=addressed_by)
        )
    )


def _actions(incident: Incident, causes: list[RootCause]) -> list[ActionItem]:
    """Return the action items, each with the causes that it addresses as ``addressed``."""
    actions = list(incident.actions.soonest_first().select_related("owner", "tracker_issue"))
    by_action: dict[int, list[RootCause]] = {}
    for cause in causes:
        for action in cause.addressed_by.all():
            by_action.setdefault(action.pk, []).append(cause)
    for action in actions:
        action.addressed = by_action.get(action.pk, [])  # type: ignore[attr-defined]
    return actions


def _just_done(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    """Return the cause that was just taken off and the action item just moved, if any."""
    removed, moved = (number(request.GET.get(name, "")) for name in ("cause", "moved"))
    gone = incident.causes.filter(deleted_at__isnull=False)
    return {
        "removed_cause": gone.filter(pk=removed).first() if removed else None,
        "moved_action": incident.actions.filter(pk=moved).first() if moved else None,
    }


def entry_form() -> forms.QuickEntryForm:
    """Return an empty entry, with a key of its own: a form that is sent twice is one entry."""
    return forms.QuickEntryForm(initial={"key": secrets.token_urlsafe(12)})


def _undo(request: HttpRequest, incident: Incident) -> dict[str, Any] | None:
    """Return the entry with which something has just been done, if that can be undone here."""
    for said in ("deleted", "shown"):
        named = request.GET.get(said, "")
        if named.isdecimal():
            found = incident.entries.filter(pk=int(named), deleted_at__isnull=said != "deleted")
            return {"entry": entry, "said": said} if (entry := found.first()) else None
    return None
