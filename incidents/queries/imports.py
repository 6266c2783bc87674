"""Which documents have been imported before."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from incidents.models import Incident, Postmortem

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedBefore:
    """An incident that came from the same document: the same words, or only the same name."""

    incident: Incident
    same_words: bool


def imported_before(*, text: str, source_name: str) -> Sequence[ImportedBefore]:
    """Return up to five incidents of an earlier import, the newest first.

    Words are the same if the documents are, to the letter; a name counts in any case of letters.
    """
    same = Q(document=text)
    if source_name:
        same |= Q(source_name__iexact=source_name)
    rows = (
        Postmortem.objects.filter(same)
        .exclude(document="")
        .select_related("incident")
        .order_by("-created_at", "-pk")[:_SHOWN]
    )
    return [ImportedBefore(incident=row.incident, same_words=row.document == text) for row in rows]
