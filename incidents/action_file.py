"""Action items as a file for a spreadsheet: a row each, safe to open, written while it is read."""

from collections.abc import Iterator

from django.db.models import QuerySet

from incidents.models import ActionItem
from incidents.sheets import sheet
from incidents.values import Precision, When, zone

_HEAD = (
    "incident", "title", "severity", "action", "kind", "state", "reason", "owner", "priority",
    "due", "done", "proof", "how we will know", "public", "written down", "ticket", "address",
)  # fmt: skip
# So many rows are read at a time.
_CHUNK = 500


def action_file(rows: QuerySet[ActionItem], *, desk_url: str) -> Iterator[str]:
    """Yield the lines of a CSV file of these rows, read with incident and owner.

    Times are ISO, as exact as they are known: 2026-02-10, 2026-02, 2026-Q1, 2026; ranges with a
    slash.
    """
    return sheet(_HEAD, (_cells(action, desk_url) for action in rows.iterator(chunk_size=_CHUNK)))


def _cells(action: ActionItem, desk_url: str) -> tuple[str, ...]:
    incident = action.incident
    return (
        incident.ref,
        incident.title,
        incident.severity.upper(),
        action.text,
        action.kind,
        action.state,
        action.state_reason,
        action.owner_name,
        action.priority,
        _written(When.of(action, "due_"), incident.tz),
        _written(When.of(action, "done_"), incident.tz),
        action.proof,
        action.check_by,
        "yes" if action.is_public else "no",
        f"{action.created_at:%Y-%m-%d}",
        action.tracker_url,
        f"{desk_url}{incident.get_absolute_url()}#a{action.pk}",
    )


def _written(stated: When, tz: str) -> str:
    """Return a time as exact as it is known; empty for one that is not."""
    if stated.at is None:
        return stated.said
    there = zone(stated.tz or tz)
    known = [at.astimezone(there) for at in (stated.at, stated.until) if at is not None]
    words = []
    for at in known:
        match stated.precision:
            case Precision.MINUTE | Precision.HOUR:
                words.append(at.isoformat(timespec="minutes"))
            case Precision.MONTH:
                words.append(f"{at:%Y-%m}")
            case Precision.QUARTER:
                words.append(f"{at:%Y}-Q{(at.month + 2) // 3}")
            case Precision.YEAR:
                words.append(f"{at:%Y}")
            case _:
                words.append(f"{at:%Y-%m-%d}")
    return "/".join(dict.fromkeys(words))
