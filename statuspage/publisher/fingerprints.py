"""Recognising an incident whose page says today what it said at the last publish."""

import hashlib
from dataclasses import asdict, dataclass

from incidents.models import Incident
from statuspage.documents import v2
from statuspage.documents.facts import Facts, began, told
from statuspage.publisher.gathering import month_of


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
            facts.looks.get(incident.pk, []),
            incident.whole and (incident.whole.public_id, incident.whole.title),  # type: ignore[attr-defined]
        ),
        line=fingerprint(head, updates[:1] if incident.is_resolved else None),
    )


def fingerprint(*values: object) -> str:
    """Return a word that differs where any of the values does."""
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()
