"""What is done so that it does not happen again: the action items that customers may see."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from incidents.models import ActionItem, Incident
from incidents.values import ActionState, Precision, When, local, zone
from statuspage.documents.facts import Facts
from statuspage.documents.moments import day, iso_or_none, month

# Calm words: whether it was proposed or planned, and why it waits, is for staff.
_STATES = {
    ActionState.PROPOSED: _lazy("planned"),
    ActionState.PLANNED: _lazy("planned"),
    ActionState.IN_PROGRESS: _lazy("under way"),
    ActionState.DELAYED: _lazy("later than planned"),
    ActionState.DONE: _lazy("done"),
    ActionState.WONT_DO: _lazy("no longer planned"),
}
# As which state of the page each shows; the others as planned.
_COLOURS = {
    ActionState.IN_PROGRESS: "in_progress",
    ActionState.DELAYED: "delayed",
    ActionState.DONE: "completed",
    ActionState.WONT_DO: "wont_do",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Improvement:
    """One of them: what is done, how far it is, and when, in words that may be empty.

    ``state`` is that of the page as which it is coloured.
    """

    text: str
    state: str
    words: str
    when: SafeString


def improvements(facts: Facts, incident: Incident) -> list[Improvement]:
    """Return what customers may know of what is done about an incident."""
    return [
        Improvement(
            text=action.text,
            state=_COLOURS.get(ActionState(action.state), "planned"),
            words=str(_STATES[ActionState(action.state)]),
            when=_when(facts, action),
        )
        for action in improvements_of(incident)
    ]


def improvement_objects(facts: Facts, incident: Incident) -> list[dict[str, Any]]:
    """Return the same for programs. ``due_at`` is the beginning of what ``due_precision`` says."""
    return [
        {
            "text": action.text,
            "state": _shown_state(action),
            "due_at": iso_or_none(action.due_at, facts.zone),
            "due_precision": action.due_precision if action.due_at else None,
            "done_at": iso_or_none(action.done_at, facts.zone),
        }
        for action in improvements_of(incident)
    ]


def improvements_of(incident: Incident) -> list[ActionItem]:
    """Return the action items that came with the incident."""
    found: list[ActionItem] = incident.improvements  # type: ignore[attr-defined]
    return found


def _shown_state(action: ActionItem) -> str:
    """Return the state for programs: what is only proposed is planned to whoever reads it."""
    return ActionState.PLANNED if action.state == ActionState.PROPOSED else action.state


def _when(facts: Facts, action: ActionItem) -> SafeString:
    if action.state == ActionState.WONT_DO:
        return SafeString("")
    if action.state == ActionState.DONE:
        done = action.done_until or action.done_at
        if done is None:
            return SafeString("")
        return format_html("{}", day(done, _zone(action.done_tz, facts.zone)))
    due = When.of(action, "due_")
    if (at := due.until or due.at) is None:
        return SafeString("")
    period = _period(due, at, _zone(due.tz, facts.zone))
    return format_html(_("expected by {period}"), period=period)


def _period(due: When, at: datetime, there: tzinfo) -> str:
    """Return the day, month or year; of a quarter, its last day."""
    here = local(at, there)
    match due.precision:
        case Precision.MONTH:
            return month(here)
        case Precision.YEAR:
            return str(here.year)
        case Precision.QUARTER if due.latest is not None:
            return day(due.latest - timedelta(days=1), there)
    return day(at, there)


def _zone(said: str, of_page: tzinfo) -> tzinfo:
    """Return the zone in which a day was said: elsewhere it would be another day."""
    return zone(said) if said else of_page
