"""A reading as JSON: the shape that importers are compared in."""

from typing import Any

from incidents.importer.reading import Action, Cause, Entry, Reading, Update


def as_json(reading: Reading) -> dict[str, Any]:
    """Plain values for ``json.dumps``; what an entry does not have is null or left out."""
    return {
        "title": reading.title,
        "timezone": _zone(reading),
        "year": reading.year,
        "parts": [
            {"part": part.number, "title": part.title, "line": part.line, "entries": part.count}
            for part in reading.parts
        ],
        "unplaced": list(reading.unplaced),
        "entry_count": len(reading.entries),
        "entries": [_entry(entry) for entry in reading.entries],
        "updates": [_update(update) for update in reading.updates],
        "causes": [_cause(cause) for cause in reading.causes],
        "actions": [_action(action) for action in reading.actions],
    }


def _zone(reading: Reading) -> dict[str, Any]:
    zone = reading.timezone
    if zone is None:
        return {"label": None, "offset": None, "stated": False, "line": None}
    return {
        "label": zone.label,
        "offset": zone.name,
        "stated": zone.stated,
        "line": zone.line or None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "n": entry.n,
        "line": entry.line,
        "start": entry.start,
        "end": entry.end,
        "precision": entry.precision,
        "approx": entry.approx,
        "date_source": entry.date_source,
        "kind": "customer_update" if entry.kind == "update" else entry.kind,
        "tags": list(entry.tags),
        "text60": entry.text60,
        "text": entry.text,
        "said": entry.said,
        "flags": list(entry.flags),
    }
    milestone = entry.milestone or ("trigger" if "trigger" in entry.tags else "")
    if milestone:
        told["milestone"] = milestone
    if entry.bounds is not None:
        told["bounds"] = list(entry.bounds)
    return told


def _update(update: Update) -> dict[str, Any]:
    return {
        "line": update.line,
        "n": update.n,
        "published_at": update.published_at,
        "body": update.body,
    }


def _cause(cause: Cause) -> dict[str, Any]:
    return {"line": cause.line, "kind": cause.kind, "text": cause.text}


def _action(action: Action) -> dict[str, Any]:
    return {
        "line": action.line,
        "state": action.state,
        "due": action.due,
        "done": action.done,
        "precision": action.precision,
        "owner": action.owner or None,
        "kind": action.kind,
        "text": action.text,
    }
