"""How a row stands in a document: a head of words, its text, and lines of what else is known.

The same for writing and for reading: reading compares what stands there with what would.
"""

from dataclasses import dataclass

from incidents.account.record import (
    Action,
    Cause,
    Dismissal,
    Entry,
    Impact,
    Promise,
    Record,
    Time,
    Update,
)
from incidents.account.words import impact_words, moment_words, time_words

Row = Entry | Update | Promise | Impact | Cause | Action | Dismissal

STATES = {
    "proposed": "Proposed",
    "planned": "Planned",
    "in_progress": "In progress",
    "done": "Done",
    "delayed": "Delayed",
    "wont_do": "Will not be done",
}
CAUSES = {
    "trigger": "Trigger",
    "primary": "Primary cause",
    "contributing": "Contributing factor",
    "scale": "Scale factor",
    "process": "Process factor",
    "mitigator": "Mitigator",
    "risk": "Risk",
    "luck": "Luck",
}
MILESTONES = {
    "started": "Started",
    "detected": "Detected",
    "declared": "Declared",
    "first_update": "First update to customers",
    "mitigated": "Mitigated",
    "recovered": "Recovered",
    "resolved": "Resolved",
}
OUTCOMES = {"worked": "Worked", "failed": "Failed", "abandoned": "Abandoned", "unknown": "Unknown"}
FOR_CUSTOMERS = "For customers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A row in words. ``facts`` are named; an empty one is left out."""

    head: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()


def shown(row: Row, record: Record) -> Shown:
    """Return a row in the words of a document, all of them plain text."""
    facts: tuple[tuple[str, str], ...] = ()
    match row:
        case Entry():
            head, text, facts = time_words(row.time, record.tz), row.text, _entry_facts(row)
        case Update():
            head, text = f"{moment_words(row.published_at, record.tz)}, {row.phase}", row.body
        case Promise():
            kind = "ETA" if row.kind == "eta" else "Next update"
            head = f"{kind} {time_words(row.due, record.tz)}: {row.outcome}"
            text = row.text or row.basis
        case Impact():
            head, text = impact_words(row, record.tz), row.text
        case Cause():
            head, text, facts = CAUSES[row.kind], row.text, _cause_facts(row)
        case Action():
            head, text, facts = STATES[row.state], row.text, _action_facts(row, record)
        case Dismissal():
            head, text = row.code, row.reason
    return Shown(head=head, text=text, facts=facts)


def _entry_facts(row: Entry) -> tuple[tuple[str, str], ...]:
    return (
        ("Milestone", MILESTONES.get(row.milestone, "")),
        ("Outcome", OUTCOMES.get(row.outcome, "")),
        ("Tags", ", ".join(row.tags)),
        (FOR_CUSTOMERS, "yes" if row.is_public else ""),
        ("See", ", ".join(link.url for link in row.links)),
    )


def _cause_facts(row: Cause) -> tuple[tuple[str, str], ...]:
    if row.case is None:
        return ()
    return (("Support case", f"{row.case.provider} {row.case.reference} ({row.case.state})"),)


def _action_facts(row: Action, record: Record) -> tuple[tuple[str, str], ...]:
    return (
        ("Owner", row.owner or row.owner_label),
        ("Due", _known_time(row.due, record)),
        ("Done", _known_time(row.done, record)),
        ("Reason", row.reason),
        ("How we will know", row.check),
        ("Proof", row.proof),
        ("Tracker", row.tracker_url),
        (FOR_CUSTOMERS, "yes" if row.is_public else ""),
    )


def _known_time(time: Time, record: Record) -> str:
    return time_words(time, record.tz) if time.at or time.said else ""
