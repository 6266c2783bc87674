"""Everything that one revision of the page is made of, read at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from incidents.models import (
    BackupProof,
    Component,
    Incident,
    Maintenance,
    MaintenanceUpdate,
    StatusUpdate,
)
from incidents.values import ComponentStatus, IncidentKind, zone
from statuspage.documents.scope import Scope
from statuspage.documents.uptime import History
from statuspage.models import Page

# How many incidents the lists carry, as every status page does.
LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What staff put on the published page without any database."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long silence may last before the page says so."""

    stale_after: timedelta = timedelta(seconds=30)
    quiet_after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is so at the moment ``at``.

    ``incidents`` and ``maintenances`` are those of `incidents.queries`.
    """

    page: Page
    scope: Scope
    incidents: Sequence[Incident]
    at: datetime
    revision: int
    assets: Mapping[str, str]
    limits: Limits
    notice: Notice | None = None
    statuses: Mapping[int, str] = field(default_factory=dict)
    # By incident, words that differ where anything does that only its own page shows.
    looks: Mapping[int, Sequence[str]] = field(default_factory=dict)
    # How components and groups were, by id.
    histories: Mapping[int, History] = field(default_factory=dict)
    maintenances: Sequence[Maintenance] = ()
    # What is known of backups; empty where the page does not show it.
    proofs: Sequence[BackupProof] = ()

    @property
    def components(self) -> Sequence[Component]:
        """The components and groups of the page, in its order."""
        return self.scope.components

    @property
    def zone(self) -> tzinfo:
        return zone(self.page.time_zone)

    @property
    def unresolved(self) -> list[Incident]:
        """The open incidents, by newest activity."""
        found = [incident for incident in self.incidents if not incident.is_resolved]
        return sorted(found, key=lambda incident: (incident.updated_at, incident.pk), reverse=True)

    @property
    def listed(self) -> list[Incident]:
        """The incidents with the newest updates."""
        return sorted(self.incidents, key=last_told, reverse=True)[:LISTED]

    @property
    def running(self) -> list[Maintenance]:
        """The maintenances at work, in the order of their plan."""
        return _soonest_first(row for row in self.maintenances if row.is_running)

    @property
    def upcoming(self) -> list[Maintenance]:
        """The maintenances that have not begun, in the order of their plan."""
        return _soonest_first(row for row in self.maintenances if row.is_scheduled)

    @property
    def listed_maintenances(self) -> list[Maintenance]:
        """The maintenances with the newest updates."""
        return sorted(self.maintenances, key=last_said, reverse=True)[:LISTED]

    @property
    def updated_at(self) -> datetime:
        """The moment of the last change of anything that the page shows."""
        return max(
            [
                self.page.updated_at,
                *(component.updated_at for component in self.components),
                *(incident.updated_at for incident in self.incidents),
                *(maintenance.updated_at for maintenance in self.maintenances),
            ]
        )

    def status_of(self, component: Component) -> str:
        """Return the component's status; a group's is that of its worst member."""
        return self.statuses.get(component.pk, component.status)

    def is_hidden(self, component: Component) -> bool:
        """Whether the component is shown only while something is wrong, and nothing is."""
        return (
            component.only_show_if_degraded
            and self.status_of(component) == ComponentStatus.OPERATIONAL
        )


def told(incident: Incident) -> list[StatusUpdate]:
    """Return the published updates that came with the incident, newest first."""
    updates: list[StatusUpdate] = incident.told  # type: ignore[attr-defined]
    return updates


def last_told(incident: Incident) -> tuple[datetime, int]:
    """Return the time of the newest update, with the id that breaks ties."""
    updates = told(incident)
    newest = updates[0].published_at if updates else None
    return (newest or incident.created_at, incident.pk)


def said(maintenance: Maintenance) -> list[MaintenanceUpdate]:
    """Return the updates that came with the maintenance, newest first."""
    updates: list[MaintenanceUpdate] = maintenance.told  # type: ignore[attr-defined]
    return updates


def last_said(maintenance: Maintenance) -> tuple[datetime, int]:
    """Return the time of the newest update, with the id that breaks ties."""
    updates = said(maintenance)
    return (updates[0].published_at if updates else maintenance.created_at, maintenance.pk)


def parts_of(maintenance: Maintenance) -> Sequence[Component]:
    """Return the components that came with the maintenance, in the order of the page."""
    components: Sequence[Component] = maintenance.affected  # type: ignore[attr-defined]
    return components


def began(incident: Incident) -> datetime:
    """Return when the incident began; when it was declared, if nobody knows."""
    return incident.started_at or incident.created_at


def created(incident: Incident) -> datetime:
    """Return when the record was made; one that was written afterwards dates from its start."""
    return began(incident) if incident.kind == IncidentKind.BACKFILLED else incident.created_at


def group_statuses(components: Sequence[Component]) -> dict[int, str]:
    """Return the status of each group: its worst member's; operational for an empty one."""
    worst = {
        component.pk: ComponentStatus.OPERATIONAL for component in components if component.is_group
    }
    for component in components:
        if component.group_id in worst:
            status = ComponentStatus(component.status)
            worst[component.group_id] = max(worst[component.group_id], status, key=_rank)
    return {key: str(status) for key, status in worst.items()}


def _soonest_first(maintenances: Iterable[Maintenance]) -> list[Maintenance]:
    return sorted(maintenances, key=lambda row: (row.scheduled_for, row.pk))


def _rank(status: ComponentStatus) -> int:
    return status.rank
