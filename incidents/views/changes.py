"""What an edit of an entry changed, field by field, made ready to be shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from incidents.differences import Piece, differences
from incidents.models import TimelineEntry
from incidents.values import EntryKind, Milestone, Outcome, When

_SHOWN = (
    "text", "at", "until", "precision", "approx", "tz", "said", "tags", "outcome", "milestone",
    "is_public", "is_pinned", "kind", "position", "deleted_at",
)  # fmt: skip
_MOMENTS = ("at", "until", "deleted_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A field with what it said before and after: as pieces of text, or as two times."""

    label: str
    pieces: tuple[Piece, ...] = ()
    before: When | None = None
    after: When | None = None


def said_by(entry: TimelineEntry) -> dict[str, Any]:
    """Return what an entry says, in the fields of its revisions."""
    return {name: getattr(entry, name) for name in _SHOWN}


def entry_of(entry: TimelineEntry, data: Mapping[str, Any]) -> TimelineEntry:
    """Return the entry as its revision holds it, not to be saved."""
    held = {name: value for name, value in _read(data).items() if value is not None}
    return TimelineEntry(
        pk=entry.pk,
        incident=entry.incident,
        recorded_at=entry.recorded_at,
        version=data.get("version", 0),
        **held,
    )


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs, in the order in which an entry is read."""
    return list(_changes(_read(before), _read(after)))


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    if before["deleted_at"] != after["deleted_at"]:
        gone = after["deleted_at"] is not None
        yield Change(label=_("Taken off the timeline") if gone else _("Brought back"))
    if before["text"] != after["text"]:
        yield _of_words(_("Text"), before["text"], after["text"])
    if _when(before) != _when(after):
        yield Change(label=_("Time"), before=_when(before), after=_when(after))
    fields: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
        (_("Tags"), lambda said: " ".join(f"#{tag}" for tag in said["tags"] or ())),
        (_("Outcome"), lambda said: _label(Outcome, said["outcome"])),
        (_("Milestone"), lambda said: _label(Milestone, said["milestone"])),
        (_("Kind"), lambda said: _label(EntryKind, said["kind"])),
        (_("For"), lambda said: _("customers") if said["is_public"] else _("staff only")),
        (_("Pinned"), lambda said: _("pinned") if said["is_pinned"] else _("not pinned")),
    )
    for label, words in fields:
        if words(before) != words(after):
            yield _of_words(label, words(before), words(after))
    if before["position"] != after["position"]:
        yield Change(label=_("Moved among the entries without a time"))


def _of_words(label: str, before: str, after: str) -> Change:
    return Change(label=label, pieces=tuple(differences(before, after)))


def _label(words: Any, value: str) -> str:
    return str(words(value).label) if value in words.values else value


def _when(said: Mapping[str, Any]) -> When:
    # The zone in which it was stated says nothing of when it was.
    return When(**{name: said[name] for name in When.__slots__ if name != "tz"})


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with their moments read; revisions hold them as text."""
    said: dict[str, Any] = {name: data.get(name) for name in _SHOWN}
    for name in _MOMENTS:
        if isinstance(said[name], str):
            said[name] = datetime.fromisoformat(said[name])
    return said
