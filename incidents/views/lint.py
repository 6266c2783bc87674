"""What does not hold together in the record: shown, decided about, taken back."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts.access import actor, staff_required
from incidents import operations, queries
from incidents.errors import Refused
from incidents.forms.lint import DismissForm
from incidents.lint import Level
from incidents.models import Incident, LintDismissal
from incidents.queries import Judged

# Where a row stands on the incident's page.
_ANCHORS = {"entry": "e", "action": "a", "cause": "c"}
_PARTS = {"impact": "impacts", "promise": "promises"}
_LINKS = 8
_INVALID = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A finding as the page shows it. ``more`` counts what it is about beyond the links."""

    judged: Judged
    links: list[tuple[str, str]]
    more: int


@require_safe
@staff_required
def show_lint(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the findings on a page of their own."""
    incident = _incident(request, pk)
    return render(request, "incidents/lint.html", _context(incident))


@require_safe
@staff_required
def live_lint(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the card alone, for the incident's page to fetch once it is looked at."""
    incident = _incident(request, pk)
    return render(request, "incidents/_lint.html", _context(incident))


@require_POST
@staff_required
def dismiss_finding(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a finding stand, with the reason."""
    incident = _incident(request, pk)
    form = DismissForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why the finding may stand, in 1,000 characters at most.")
        return render(request, "incidents/lint.html", _context(incident), status=_INVALID)
    asked = form.cleaned_data
    try:
        finding = queries.lint_finding(pk, code=asked["code"], subject=asked["subject"])
        operations.dismiss_finding(
            incident_id=pk,
            code=finding.code,
            subject=finding.subject,
            reason=asked["reason"],
            evidence=f"{finding.message} {finding.evidence}".strip(),
            at=timezone.now(),
            author=actor(request),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _back(incident)


@require_POST
@staff_required
def undismiss_finding(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a finding count again."""
    seen = Incident.objects.seen_by(actor(request))
    dismissal = get_object_or_404(
        LintDismissal.objects.filter(incident__in=seen).select_related("incident"), pk=pk
    )
    operations.undismiss_finding(
        dismissal_id=dismissal.pk, at=timezone.now(), author=actor(request)
    )
    return _back(dismissal.incident)


def _incident(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(Incident.objects.seen_by(actor(request)), pk=pk)


def _back(incident: Incident) -> HttpResponse:
    return redirect(reverse("incidents:lint", args=[incident.pk]))


def _context(incident: Incident) -> dict[str, Any]:
    found = [_shown(incident, judged) for judged in queries.lint_findings(incident.pk)]
    return {
        "incident": incident,
        "groups": [
            (level, open_ones)
            for level in Level
            if (open_ones := [one for one in found if _is_open(one, level)])
        ],
        "dismissed": [one for one in found if one.judged.dismissal is not None],
    }


def _is_open(one: Shown, level: Level) -> bool:
    return one.judged.dismissal is None and one.judged.finding.level == level


def _shown(incident: Incident, judged: Judged) -> Shown:
    pairs = list(zip(judged.finding.objects, judged.about, strict=True))
    return Shown(
        judged=judged,
        links=[(_address(incident, name), words) for name, words in pairs[:_LINKS]],
        more=max(0, len(pairs) - _LINKS),
    )


def _address(incident: Incident, name: str) -> str:
    """Return where on the incident's page a row stands; lines of the document have no place."""
    kind, _colon, number = name.partition(":")
    page = incident.get_absolute_url()
    if kind in _ANCHORS:
        return f"{page}#{_ANCHORS[kind]}{number}"
    return f"{page}#{_PARTS[kind]}" if kind in _PARTS else ""
