"""The pages that people read, each rendered once for all its editions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from incidents import spoken
from incidents.account import published_html
from incidents.models import (
    Component,
    ComponentChange,
    Incident,
    Maintenance,
    Postmortem,
    StatusUpdate,
)
from incidents.values import MaintenanceState, Phase
from statuspage.documents.banner import banner
from statuspage.documents.bodies import as_html, first_words, words_of
from statuspage.documents.clauses import Clauses, Edition
from statuspage.documents.facts import Facts, began, told
from statuspage.documents.horizon import horizons
from statuspage.documents.improvements import Improvement, improvements
from statuspage.documents.maintenance import past_line as maintenance_line
from statuspage.documents.maintenance import planned
from statuspage.documents.messages import (
    LONG,
    Said,
    affected_parts,
    status_words,
)
from statuspage.documents.messages import Earlier as Earlier
from statuspage.documents.messages import Message as Message
from statuspage.documents.messages import Past as Past
from statuspage.documents.moments import day, lasted, tagged, when
from statuspage.documents.parts import parts, rows
from statuspage.documents.progress import Folded, panels
from statuspage.documents.promises import Given, expected, given, next_update
from statuspage.documents.proof import proof_block
from statuspage.documents.v2 import full_name

# How many resolved incidents the front page shows before it points to the history.
PAST_ON_FRONT = 6
# How many maintenances stand there in full before they begin; later ones are lines.
UPCOMING_IN_FULL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An incident with everything that customers may know of it."""

    id: str
    title: str
    phase: str
    phase_words: str
    impact: str
    impact_words: str
    # Of what it is a part, if the readers of this page may know of that.
    whole: Incident | None
    started: SafeString
    resolved: SafeString
    took: str
    affected: list[tuple[str, str, str]]
    expected: SafeString
    next_update: SafeString
    horizons: list[SafeString]
    panels: list[SafeString]
    # Jobs that have nothing more to say, each as one line.
    folded: list[Folded]
    given: list[Given]
    improvements: list[Improvement]
    has_account: bool
    messages: list[Message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One page of the history, with its neighbours ("2026-01", or empty)."""

    first: date
    earlier: str = ""
    later: str = ""

    @property
    def name(self) -> str:
        return self.first.isoformat()[: len("2026-01")]

    @property
    def words(self) -> str:
        return month_words(self.name)


def month_words(name: str) -> str:
    """Return "January 2026" for "2026-01"."""
    return spoken.month(date.fromisoformat(f"{name}-01"))


def front(facts: Facts, earlier: Earlier) -> dict[str, list[Edition]]:
    """Return the front page, and the part of it that renews itself under an address of its own."""
    clauses = Clauses(at=facts.at)
    upcoming = [planned(facts, row, clauses, {}) for row in facts.upcoming]
    shown = parts(facts)
    live = render_to_string(
        "statuspage/_live.html",
        {
            "banner": banner(facts),
            "notice": facts.notice,
            "notice_at": when(facts.notice.at, facts.zone) if facts.notice else "",
            "age": age(facts, clauses),
            "stories": [story(facts, incident, clauses, earlier) for incident in facts.unresolved],
            "running": [planned(facts, row, clauses, {}) for row in facts.running],
            "upcoming": upcoming[:UPCOMING_IN_FULL],
            "later": upcoming[UPCOMING_IN_FULL:],
            "rows": rows(shown),
            "has_bars": any(part.bars for part in shown),
            "link": True,
        },
    )
    context = frame(facts) | {
        "live": live,
        "live_url": "/live",
        "banner": banner(facts),
        "proof": proof_block(facts, clauses),
        "past": _newest_past(facts),
    }
    page = render_to_string("statuspage/front.html", context)
    return {"/": clauses.editions(page), "/live": clauses.editions(live)}


def incident_page(facts: Facts, incident: Incident, earlier: Earlier) -> list[Edition]:
    """Return the page of one incident."""
    clauses = Clauses(at=facts.at)
    context = frame(facts) | {
        "story": story(facts, incident, clauses, earlier),
        "age": SafeString("") if incident.is_resolved else age(facts, clauses),
        "is_open": not incident.is_resolved,
        "live_url": "" if incident.is_resolved else f"/incidents/{incident.public_id}",
    }
    return clauses.editions(render_to_string("statuspage/incident.html", context))


def account_page(facts: Facts, incident: Incident) -> bytes | None:
    """Return the page of an incident's postmortem; None if none is published."""
    account: Postmortem | None = incident.account  # type: ignore[attr-defined]
    if account is None or account.published_at is None:
        return None
    context = frame(facts) | {
        "id": incident.public_id,
        "title": incident.title,
        "published": when(account.published_at, facts.zone, year=True),
        "body": mark_safe(published_html(account.public_body)),  # noqa: S308 - just cleaned
        "live_url": "",
    }
    return render_to_string("statuspage/postmortem.html", context).encode()


def maintenance_page(facts: Facts, maintenance: Maintenance, earlier: Earlier) -> list[Edition]:
    """Return the page of one maintenance."""
    clauses = Clauses(at=facts.at)
    is_over = maintenance.is_over
    context = frame(facts) | {
        "planned": planned(facts, maintenance, clauses, earlier),
        "state_words": MaintenanceState(maintenance.state).label,
        "age": SafeString("") if is_over else age(facts, clauses),
        "live_url": "" if is_over else f"/maintenances/{maintenance.public_id}",
    }
    return clauses.editions(render_to_string("statuspage/maintenance.html", context))


def history_page(
    facts: Facts,
    month: Month,
    incidents: Sequence[Incident],
    maintenances: Sequence[Maintenance] = (),
) -> bytes:
    """Return one month of the history."""
    lines = [
        *((began(row), past_line(facts, row)) for row in incidents),
        *((row.dated_at, maintenance_line(facts, row)) for row in maintenances),
    ]
    context = frame(facts) | {
        "month": month,
        "earlier_words": month_words(month.earlier) if month.earlier else "",
        "later_words": month_words(month.later) if month.later else "",
        "past": _newest_first(lines),
        "live_url": "",
    }
    return render_to_string("statuspage/history.html", context).encode()


def not_found_page(facts: Facts) -> bytes:
    """Return what an unknown address answers."""
    return render_to_string("statuspage/not_found.html", frame(facts) | {"live_url": ""}).encode()


def gate_page(facts: Facts, *, is_refused: bool) -> bytes:
    """Return what somebody gets who may not, or may not yet, read a private page."""
    context = frame(facts) | {"live_url": "", "is_refused": is_refused}
    return render_to_string("statuspage/gate.html", context).encode()


def story(facts: Facts, incident: Incident, clauses: Clauses, earlier: Earlier) -> Story:
    affected: Sequence[Component] = incident.affected  # type: ignore[attr-defined]
    shown, folded = panels(facts, incident, clauses)
    return Story(
        id=incident.public_id,
        title=incident.title,
        phase=incident.phase,
        phase_words=str(Phase(incident.phase).label),
        impact=incident.impact,
        impact_words=_impact_words(incident),
        whole=incident.whole,  # type: ignore[attr-defined]
        started=when(began(incident), facts.zone, year=True),
        resolved=(
            when(incident.resolved_at, facts.zone, year=True)
            if incident.resolved_at
            else SafeString("")
        ),
        took=_took(incident),
        affected=affected_parts(facts, affected, is_open=not incident.is_resolved),
        expected=expected(facts, incident, clauses),
        next_update=next_update(facts, incident, clauses),
        horizons=horizons(facts, incident),
        panels=shown,
        folded=folded,
        given=given(facts, incident, clauses),
        improvements=improvements(facts, incident),
        has_account=incident.account is not None,  # type: ignore[attr-defined]
        messages=_messages(facts, incident, earlier),
    )


def _messages(facts: Facts, incident: Incident, earlier: Earlier) -> list[Message]:
    updates = told(incident)
    before = [*(update.phase for update in updates[1:]), ""]
    return [
        _message(facts, update, earlier, repeated=update.phase == phase)
        for update, phase in zip(updates, before, strict=False)
    ]


def _message(facts: Facts, update: StatusUpdate, earlier: Earlier, *, repeated: bool) -> Message:
    changes: Sequence[ComponentChange] = update.changes  # type: ignore[attr-defined]
    body = words_of(update)
    return Message(
        id=update.public_id,
        gist=first_words(body) if len(body) > LONG else "",
        # As the feed has it: a phase is named when it begins.
        label=_("Update") if repeated else str(Phase(update.phase).label),
        phase=update.phase,
        at=when(update.published_at or update.created_at, facts.zone),
        body=as_html(body),
        author=_("Posted by the restore itself") if update.author_label else "",
        edited=when(update.edited_at, facts.zone) if update.edited_at else SafeString(""),
        earlier=[
            Said(body=as_html(body), until=when(until, facts.zone))
            for body, until in earlier.get(update.pk, ())
        ],
        changes=[
            (full_name(change.component), change.new_status, status_words(change.new_status))
            for change in changes
        ],
    )


def _newest_past(facts: Facts) -> list[Past]:
    """Return what was over last, incidents and maintenances, as the front page has it."""
    rows: list[tuple[datetime, Incident | Maintenance]] = [
        *((began(row), row) for row in facts.listed if row.is_resolved),
        *((row.dated_at, row) for row in facts.listed_maintenances if row.is_over),
    ]
    rows.sort(key=lambda pair: pair[0], reverse=True)
    return [
        past_line(facts, row) if isinstance(row, Incident) else maintenance_line(facts, row)
        for _at, row in rows[:PAST_ON_FRONT]
    ]


def _newest_first(lines: Sequence[tuple[datetime, Past]]) -> list[Past]:
    return [line for _at, line in sorted(lines, key=lambda pair: pair[0], reverse=True)]


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
        words=first_words(words_of(updates[0])) if updates and incident.is_resolved else "",
    )


def age(facts: Facts, clauses: Clauses, *, quiet_after: timedelta | None = None) -> SafeString:
    """Return the words that appear when nobody has published for too long."""
    old = format_html(
        _(
            "<strong>This copy is from {}.</strong> "
            "Since then nothing has been published, so what follows may no longer be so."
        ),
        when(facts.at, facts.zone, year=True),
    )
    turns_at = facts.at + (quiet_after or facts.limits.quiet_after)
    # Where nobody picks editions, on a copy in a bucket, the script shows it when it is time.
    hidden = format_html(
        '<p class="notice is-stale" id="age" data-ago data-from="{}" hidden>{}</p>',
        f"{turns_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        old,
    )
    shown = format_html('<p class="notice is-stale" id="age" data-ago>{}</p>', old)
    unscripted = _unscripted(facts, turns_at)
    return clauses.turn(turns_at, before=hidden + unscripted, after=shown, is_kept=True)


def _unscripted(facts: Facts, turns_at: datetime) -> SafeString:
    """Return what no script is needed for: from when on this is old, true wherever it lies."""
    words = format_html(
        _(
            "Without JavaScript this page does not renew itself. It is from {made}; after {until}, "
            "what follows may no longer be so. "
            '<a href="">Load it anew</a>, or look at {link}.'
        ),
        made=when(facts.at, facts.zone, year=True),
        until=when(turns_at, facts.zone, year=True),
        link=format_html('<a href="{0}/">{0}</a>', facts.page.url),
    )
    return format_html('<noscript><p class="notice small">{}</p></noscript>', words)


def frame(facts: Facts) -> dict[str, Any]:
    """Return what every page has."""
    return {
        "page": facts.page,
        "assets": facts.assets,
        "revision": facts.revision,
        "generated": when(facts.at, facts.zone, year=True, seconds=True),
        "notice": facts.notice,
        "notice_at": when(facts.notice.at, facts.zone) if facts.notice else "",
    }


def _took(incident: Incident) -> str:
    return lasted(incident.resolved_at - began(incident)) if incident.resolved_at else ""


_IMPACTS = {
    "none": _lazy("No impact"),
    "minor": _lazy("Minor impact"),
    "major": _lazy("Major impact"),
    "critical": _lazy("Critical impact"),
}


def _impact_words(incident: Incident) -> str:
    return str(_IMPACTS[incident.impact])
