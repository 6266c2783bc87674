"""Recognising an incident whose page says today what it said at the last publish."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from incidents.models import Incident
from statuspage.documents import v2
from statuspage.documents.facts import Facts, began, told
from statuspage.documents.progress import reports_of
from statuspage.documents.promises import promises_of
from statuspage.publisher.gathering import month_of

_SHOWN_OF_PROMISE = ("pk", "outcome", "due_at", "due_until", "expires_at", "basis", "confidence")
_SHOWN_OF_IMPACT = ("pk", "kind", "data_from_at", "component_id")
_SHOWN_OF_REPORT = ("pk", "state", "phase", "done", "total", "ended_at", "data_until_at", "title")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is remembered of a published incident."""

    public_id: str
    month: str
    page: str
    line: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def from_json(cls, entry: dict[str, str]) -> "Known":
        return cls(**entry)


def recognise(facts: Facts, incident: Incident) -> Known:
    """Return what tells this state of the incident from any other."""
    head = [incident.title, incident.phase, incident.impact, began(incident), incident.resolved_at]
    updates = [(update.pk, update.published_at, update.edited_at) for update in told(incident)]
    parts = [v2.component_object(facts, part) for part in incident.affected]  # type: ignore[attr-defined]
    return Known(
        public_id=incident.public_id,
        month=month_of(began(incident), facts.zone),
        page=fingerprint(
            head,
            updates,
            parts,
            incident.updated_at,
            incident.monitoring_at,
            [_shown(promise, _SHOWN_OF_PROMISE) for promise in promises_of(incident)],
            [_shown(report, _SHOWN_OF_REPORT) for report in reports_of(incident)],
            [_shown(impact, _SHOWN_OF_IMPACT) for impact in incident.missing],  # type: ignore[attr-defined]
            incident.whole and (incident.whole.public_id, incident.whole.title),  # type: ignore[attr-defined]
        ),
        line=fingerprint(head, updates[:1] if incident.is_resolved else None),
    )


def _shown(row: object, names: tuple[str, ...]) -> list[Any]:
    return [getattr(row, name) for name in names]


def fingerprint(*values: object) -> str:
    """Return a word that differs where any of the values does."""
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()
