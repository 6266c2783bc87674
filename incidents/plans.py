"""What else happens when an update is published: kept with it while it waits, or proposed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from incidents.models import Incident
from incidents.values import ComponentStatus, Severity, When

_MINUTE = timedelta(minutes=1)
# How the components of an incident that is this grave are likely to be.
LIKELY = {
    Severity.SEV1: ComponentStatus.MAJOR_OUTAGE,
    Severity.SEV2: ComponentStatus.PARTIAL_OUTAGE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """The states and the promises that an update brings with it.

    ``component_statuses`` by the component's id. Customers hear next at ``next_update_at``, or
    ``next_update_in`` after they have read this; with neither, after the cadence. ``phase_seen``
    is the phase that the incident had when this was written: only who has seen it may go back
    behind it.
    """

    component_statuses: Mapping[int, ComponentStatus] = field(default_factory=dict)
    next_update_at: datetime | None = None
    next_update_in: timedelta | None = None
    eta: When | None = None
    eta_basis: str = ""
    eta_confidence: str = ""
    phase_seen: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it; what is not planned is left out."""
        said: dict[str, Any] = {
            "component_statuses": {
                str(pk): str(status) for pk, status in self.component_statuses.items()
            },
            "next_update_at": _written(self.next_update_at),
            "next_update_minutes": self.next_update_in and self.next_update_in // _MINUTE,
            "eta": _when_written(self.eta),
            "eta_basis": self.eta_basis,
            "eta_confidence": str(self.eta_confidence),
            "phase_seen": str(self.phase_seen),
        }
        return {name: value for name, value in said.items() if value}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the plan that was kept; an empty one for nothing."""
        minutes = kept.get("next_update_minutes")
        return cls(
            component_statuses={
                int(pk): ComponentStatus(status)
                for pk, status in kept.get("component_statuses", {}).items()
            },
            next_update_at=_read(kept.get("next_update_at")),
            next_update_in=minutes * _MINUTE if minutes else None,
            eta=_when_read(kept.get("eta")),
            eta_basis=kept.get("eta_basis", ""),
            eta_confidence=kept.get("eta_confidence", ""),
            phase_seen=kept.get("phase_seen", ""),
        )

    def times(self) -> list[When]:
        """Return the times that it promises as such, and that can pass while it waits."""
        next_at = When(at=self.next_update_at) if self.next_update_at else None
        return [when for when in (next_at, self.eta) if when is not None]


def likely_states(incident: Incident) -> dict[int, ComponentStatus]:
    """Return how its components that show as working are likely to be, by id: as its severity says.

    Nothing for one that is less grave.
    """
    status = LIKELY.get(Severity(incident.severity))
    if status is None:
        return {}
    working = incident.components.filter(status=ComponentStatus.OPERATIONAL, is_group=False)
    return dict.fromkeys(working.values_list("pk", flat=True), status)


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _read(kept: str | None) -> datetime | None:
    return datetime.fromisoformat(kept) if kept else None


def _when_written(when: When | None) -> dict[str, Any] | None:
    if when is None:
        return None
    return when.fields() | {"at": _written(when.at), "until": _written(when.until)}


def _when_read(kept: Mapping[str, Any] | None) -> When | None:
    if kept is None:
        return None
    return When(**{**kept, "at": _read(kept["at"]), "until": _read(kept["until"])})
