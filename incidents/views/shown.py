"""What is shown of an entry in a timeline, and its words in HTML, kept for whoever looks next."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.template.loader import get_template
from django.urls import reverse
from django.utils.safestring import SafeString

from incidents.models import Evidence, TimelineEntry
from incidents.templatetags.record import author_of, recorded_later
from incidents.values import EntryKind, Milestone, Outcome, When

# Some ten timelines, a few KB an entry.
_KEPT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvidence:
    """A link or a file as it hangs on an entry."""

    pk: str
    name: str
    address: str
    is_image: bool
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that is shown of an entry: where two of these are equal, so is the HTML.

    Numbers are written out, since a template would ask for each how people write it here.
    """

    pk: str
    version: str
    address: str
    # Where an entry that customers read is corrected; empty for all others.
    update_address: str
    when: When
    text: str
    kind: str
    kind_label: str
    milestone: str
    outcome: str
    outcome_label: str
    tags: tuple[str, ...]
    is_public: bool
    is_pinned: bool
    is_edited: bool
    author: str
    # When it was written, if that was noticeably later.
    written_at: datetime | None
    # The line of the document that it was read from, if it was.
    line: str
    evidence: tuple[ShownEvidence, ...]

    @property
    def stamp(self) -> str:
        """A word that is another one when something else is shown."""
        return ".".join((self.version, *(piece.pk for piece in self.evidence)))


def show(entries: Iterable[TimelineEntry]) -> Iterator[Shown]:
    """Yield what is shown of entries that ``queries.timeline`` has read, in their order."""
    # Asked for once: each entry has several addresses and words.
    at = reverse("incidents:entry-edit", args=[0]).removesuffix("0/edit/")
    kinds = {kind.value: str(kind.label) for kind in EntryKind}
    outcomes = {outcome.value: str(outcome.label) for outcome in Outcome}
    milestones = {milestone.value: str(milestone.label) for milestone in Milestone}
    for entry in entries:
        pk = str(entry.pk)
        is_later = entry.import_line is None and recorded_later(entry)
        yield Shown(
            pk=pk,
            version=str(entry.version),
            address=f"{at}{pk}/",
            update_address=_correction(entry),
            when=When.of(entry),
            text=entry.text,
            kind=entry.kind,
            kind_label=kinds[entry.kind],
            milestone=milestones.get(entry.milestone, ""),
            outcome=entry.outcome,
            outcome_label=outcomes.get(entry.outcome, ""),
            tags=tuple(entry.tags),
            is_public=entry.is_public,
            is_pinned=entry.is_pinned,
            is_edited=entry.edited_at is not None,
            author=author_of(entry),
            written_at=entry.recorded_at if is_later else None,
            line=str(entry.import_line or ""),
            evidence=tuple(_piece(piece) for piece in entry.evidence.all()),
        )


@lru_cache(maxsize=_KEPT)
def entry_html(shown: Shown, tz: str) -> SafeString:
    """Return an entry as HTML. Kept: everybody who looks gets the list again at every change."""
    html = get_template("incidents/_entry.html").render({"entry": shown, "tz": tz})
    # As a template renders it, which is safe; that it says so is not part of its type.
    return SafeString(html)


def _correction(entry: TimelineEntry) -> str:
    update = getattr(entry, "update", None)
    return reverse("incidents:update-correct", args=[update.pk]) if update else ""


def _piece(piece: Evidence) -> ShownEvidence:
    return ShownEvidence(
        pk=str(piece.pk),
        name=str(piece),
        address=piece.url or reverse("incidents:evidence", args=[piece.pk]),
        is_image=piece.is_image,
        size=piece.size or 0,
        sha256=piece.sha256,
    )
