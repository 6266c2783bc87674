"""The pages that people read, each rendered once for all its editions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils.dates import MONTHS
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import Component, ComponentChange, Incident, StatusUpdate
from incidents.values import ComponentStatus, Phase
from statuspage.documents.banner import banner
from statuspage.documents.bodies import as_html, first_words
from statuspage.documents.clauses import Clauses, Edition
from statuspage.documents.facts import Facts, began, told
from statuspage.documents.moments import clock, day, lasted, tagged, when
from statuspage.documents.progress import panel, reports_of
from statuspage.documents.promises import Given, expected, given, next_update
from statuspage.documents.v2 import full_name

# How many resolved incidents the front page shows before it points to the history.
PAST_ON_FRONT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What an update said before it was edited, and when that changed."""

    body: SafeString
    until: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One update to customers."""

    label: str
    phase: str
    at: SafeString
    body: SafeString
    author: str
    edited: SafeString
    earlier: list[Said]
    changes: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An incident with everything that customers may know of it."""

    id: str
    title: str
    phase: str
    phase_words: str
    impact: str
    impact_words: str
    started: SafeString
    resolved: SafeString
    took: str
    affected: list[tuple[str, str, str]]
    expected: SafeString
    next_update: SafeString
    panels: list[SafeString]
    given: list[Given]
    messages: list[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component or a group, as a row of the page."""

    id: str
    name: str
    description: str
    status: str
    status_words: str
    is_group: bool
    members: "list[Part]" = field(default_factory=list)

    @property
    def is_troubled(self) -> bool:
        return self.status != ComponentStatus.OPERATIONAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An incident as a line of the history."""

    id: str
    title: str
    day: SafeString
    phase: str
    phase_words: str
    impact: str
    impact_words: str
    took: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One page of the history, with its neighbours ("2026-01", or empty)."""

    first: date
    earlier: str = ""
    later: str = ""

    @property
    def name(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def words(self) -> str:
        return month_words(self.name)


def month_words(name: str) -> str:
    """Return "January 2026" for "2026-01"."""
    year, _dash, month = name.partition("-")
    return f"{MONTHS[int(month)]} {year}"


# What updates said before they were edited: (body, until when), newest first, by update.
Earlier = Mapping[int, Sequence[tuple[str, datetime]]]


def front(facts: Facts, earlier: Earlier) -> dict[str, list[Edition]]:
    """Return the front page, and the part of it that renews itself under an address of its own."""
    clauses = Clauses(at=facts.at)
    past = [incident for incident in facts.listed if incident.is_resolved][:PAST_ON_FRONT]
    live = render_to_string(
        "statuspage/_live.html",
        {
            "banner": banner(facts),
            "notice": facts.notice,
            "notice_at": when(facts.notice.at, facts.zone) if facts.notice else "",
            "age": _age(facts, clauses),
            "stories": [story(facts, incident, clauses, earlier) for incident in facts.unresolved],
            "parts": parts(facts),
            "link": True,
        },
    )
    context = _frame(facts) | {
        "live": live,
        "live_url": "/live",
        "banner": banner(facts),
        "past": [past_line(facts, incident) for incident in past],
    }
    page = render_to_string("statuspage/front.html", context)
    return {"/": clauses.editions(page), "/live": clauses.editions(live)}


def incident_page(facts: Facts, incident: Incident, earlier: Earlier) -> list[Edition]:
    """Return the page of one incident."""
    clauses = Clauses(at=facts.at)
    context = _frame(facts) | {
        "story": story(facts, incident, clauses, earlier),
        "age": SafeString("") if incident.is_resolved else _age(facts, clauses),
        "is_open": not incident.is_resolved,
        "notice": facts.notice,
        "notice_at": when(facts.notice.at, facts.zone) if facts.notice else "",
        "live_url": "" if incident.is_resolved else f"/incidents/{incident.public_id}",
    }
    return clauses.editions(render_to_string("statuspage/incident.html", context))


def history_page(facts: Facts, month: Month, incidents: Sequence[Incident]) -> bytes:
    """Return one month of the history."""
    context = _frame(facts) | {
        "month": month,
        "earlier_words": month_words(month.earlier) if month.earlier else "",
        "later_words": month_words(month.later) if month.later else "",
        "past": [past_line(facts, incident) for incident in incidents],
        "live_url": "",
    }
    return render_to_string("statuspage/history.html", context).encode()


def not_found_page(facts: Facts) -> bytes:
    """Return what an unknown address answers."""
    return render_to_string("statuspage/not_found.html", _frame(facts) | {"live_url": ""}).encode()


def story(facts: Facts, incident: Incident, clauses: Clauses, earlier: Earlier) -> Story:
    affected: Sequence[Component] = incident.affected  # type: ignore[attr-defined]
    return Story(
        id=incident.public_id,
        title=incident.title,
        phase=incident.phase,
        phase_words=str(Phase(incident.phase).label),
        impact=incident.impact,
        impact_words=_impact_words(incident),
        started=when(began(incident), facts.zone, year=True),
        resolved=(
            when(incident.resolved_at, facts.zone, year=True)
            if incident.resolved_at
            else SafeString("")
        ),
        took=_took(incident),
        affected=[
            (full_name(part), facts.status_of(part), _status_words(facts.status_of(part)))
            for part in affected
        ],
        expected=expected(facts, incident, clauses),
        next_update=next_update(facts, incident, clauses),
        panels=[panel(facts, report, clauses) for report in reports_of(incident)],
        given=given(facts, incident, clauses),
        messages=_messages(facts, incident, earlier),
    )


def _messages(facts: Facts, incident: Incident, earlier: Earlier) -> list[Message]:
    updates = told(incident)
    before = [*(update.phase for update in updates[1:]), ""]
    return [
        _message(facts, update, earlier, repeated=update.phase == phase)
        for update, phase in zip(updates, before, strict=True)
    ]


def _message(facts: Facts, update: StatusUpdate, earlier: Earlier, *, repeated: bool) -> Message:
    changes: Sequence[ComponentChange] = update.changes  # type: ignore[attr-defined]
    return Message(
        # As the feed has it: a phase is named when it begins.
        label=_("Update") if repeated else str(Phase(update.phase).label),
        phase=update.phase,
        at=when(update.published_at or update.created_at, facts.zone),
        body=as_html(update.body),
        author=_("Posted by the restore itself") if update.author_label else "",
        edited=when(update.edited_at, facts.zone) if update.edited_at else SafeString(""),
        earlier=[
            Said(body=as_html(body), until=when(until, facts.zone))
            for body, until in earlier.get(update.pk, ())
        ],
        changes=[
            (full_name(change.component), change.new_status, _status_words(change.new_status))
            for change in changes
        ],
    )


def parts(facts: Facts) -> list[Part]:
    """Return components and groups as rows, members inside their groups."""
    members: dict[int | None, list[Component]] = {}
    for component in facts.components:
        if component.only_show_if_degraded and not _is_troubled(facts, component):
            continue
        members.setdefault(component.group_id, []).append(component)
    return [_part(facts, component, members) for component in members.get(None, [])]


def _part(
    facts: Facts, component: Component, members: Mapping[int | None, Sequence[Component]]
) -> Part:
    status = facts.status_of(component)
    return Part(
        id=component.public_id,
        name=component.name,
        description=component.description,
        status=status,
        status_words=_status_words(status),
        is_group=component.is_group,
        members=(
            [_part(facts, member, {}) for member in members.get(component.pk, [])]
            if component.is_group
            else []
        ),
    )


def past_line(facts: Facts, incident: Incident) -> Past:
    updates = told(incident)
    at = began(incident)
    return Past(
        id=incident.public_id,
        title=incident.title,
        day=tagged(at, day(at, facts.zone)),
        phase=incident.phase,
        phase_words=str(Phase(incident.phase).label),
        impact=incident.impact,
        impact_words=_impact_words(incident),
        took=_took(incident),
        # What was said last of an open incident changes by the minute, and stands on its page.
        words=first_words(updates[0].body) if updates and incident.is_resolved else "",
    )


def _age(facts: Facts, clauses: Clauses) -> SafeString:
    """Return the words that appear when nobody has published for too long."""
    old = format_html(
        _(
            "<strong>This copy is from {}.</strong> "
            "Since then nothing has been published, so what follows may no longer be so."
        ),
        when(facts.at, facts.zone, year=True),
    )
    old = format_html('<p class="notice is-stale" id="age">{}</p>', old)
    return clauses.turn(facts.at + facts.limits.quiet_after, before=SafeString(""), after=old)


def _frame(facts: Facts) -> dict[str, Any]:
    """Return what every page has."""
    return {
        "page": facts.page,
        "assets": facts.assets,
        "revision": facts.revision,
        "generated": tagged(
            facts.at, f"{day(facts.at, facts.zone)}, {clock(facts.at, facts.zone, seconds=True)}"
        ),
    }


def _took(incident: Incident) -> str:
    return lasted(incident.resolved_at - began(incident)) if incident.resolved_at else ""


def _is_troubled(facts: Facts, component: Component) -> bool:
    return facts.status_of(component) != ComponentStatus.OPERATIONAL


def _status_words(status: str) -> str:
    return str(ComponentStatus(status).label)


_IMPACTS = {
    "none": _lazy("No impact"),
    "minor": _lazy("Minor impact"),
    "major": _lazy("Major impact"),
    "critical": _lazy("Critical impact"),
}


def _impact_words(incident: Incident) -> str:
    return str(_IMPACTS[incident.impact])
