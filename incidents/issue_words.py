"""What an action item says as an issue of a tracker, and which side of the two is right."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from enum import Enum

from incidents.models import FINISHED, ActionItem
from incidents.trackers import Draft
from incidents.values import Precision, When, local, zone

_LONGEST_TITLE = 200


class Verdict(Enum):
    """What is to be done about the state of an action item and that of its issue."""

    AGREE = "agree"
    PUSH = "push"
    TAKE = "take"
    CONFLICT = "conflict"


def judge(
    *,
    ours: bool,
    theirs: bool,
    agreed: bool | None,
    decided_at: datetime | None,
    changed_at: datetime | None,
) -> Verdict:
    """Say which side follows which. True is open, and so is what both began with.

    Where the tracker's word is older than what a person decided here since, neither does.
    """
    if ours == theirs:
        return Verdict.AGREE
    if theirs == (agreed is not False):
        return Verdict.PUSH
    if decided_at is not None and (changed_at is None or changed_at < decided_at):
        return Verdict.CONFLICT
    return Verdict.TAKE


def is_open(action: ActionItem) -> bool:
    """Tell whether the issue of an action item in this state is an open one."""
    return action.state not in FINISHED


def draft_of(action: ActionItem, *, marker: str, desk_url: str) -> Draft:
    """Return the issue of an action item. No person is named, and the incident only by its number.

    Its last line holds the marker; what people write below that line stays theirs.
    """
    text = action.text.strip()
    first = " ".join(text.partition("\n")[0].split()) or "Action item"
    due = When.of(action, "due_")
    lines = [text, ""]
    if due.at is not None or due.said:
        lines.append(f"Due: {_due_words(due)}")
    if action.check_by:
        lines.append(f"How we will know: {action.check_by}")
    ref = action.incident.ref
    lines.append(f"From {ref}: {desk_url}{action.incident.get_absolute_url()}")
    lines += ["", f"Highwater reference {marker}. What is written below this line stays."]
    return Draft(
        title=first if len(first) <= _LONGEST_TITLE else first[: _LONGEST_TITLE - 1] + "…",
        body="\n".join(lines),
        marker=marker,
        due=(local(due.latest, zone(due.tz)) - timedelta(seconds=1)).date() if due.latest else None,
    )


def merged(draft: Draft, body: str) -> str:
    """Return our text with what people wrote below it; the body holds the marker."""
    end = body.find("\n", body.index(draft.marker))
    return draft.body + (body[end:] if end >= 0 else "")


def digest(draft: Draft) -> str:
    """Return by what one text of an issue is told from another."""
    said = [draft.title, draft.body, draft.due.isoformat() if draft.due else ""]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _due_words(due: When) -> str:
    if due.at is None:
        return due.said
    at = local(due.at, zone(due.tz))
    match due.precision:
        case Precision.YEAR:
            return f"{at:%Y}"
        case Precision.QUARTER:
            return f"Q{(at.month + 2) // 3} {at:%Y}"
        case Precision.MONTH:
            return f"{at:%B %Y}"
        case Precision.DAY:
            return f"{at:%Y-%m-%d}"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
