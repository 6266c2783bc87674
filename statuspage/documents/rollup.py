"""One word for the whole page, from its components: the table that clients rely on."""

from collections.abc import Sequence
from dataclasses import dataclass

from incidents.values import ComponentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """The indicator and the sentence of the public API."""

    indicator: str
    description: str


_TABLE = {
    ComponentStatus.OPERATIONAL: Rollup(indicator="none", description="All Systems Operational"),
    ComponentStatus.UNDER_MAINTENANCE: Rollup(
        indicator="maintenance", description="Service Under Maintenance"
    ),
    ComponentStatus.DEGRADED_PERFORMANCE: Rollup(
        indicator="minor", description="Partially Degraded Service"
    ),
    ComponentStatus.PARTIAL_OUTAGE: Rollup(indicator="minor", description="Minor Service Outage"),
    ComponentStatus.MAJOR_OUTAGE: Rollup(indicator="major", description="Partial System Outage"),
}
_EVERYTHING = Rollup(indicator="critical", description="Major Service Outage")


def roll_up(statuses: Sequence[str]) -> Rollup:
    """Return what the statuses of all components but the groups amount to."""
    # There are few of them, however many components.
    found = {ComponentStatus(status) for status in set(statuses)}
    worst = max(found, key=lambda status: status.rank, default=None)
    if worst is None:
        return _TABLE[ComponentStatus.OPERATIONAL]
    if found == {ComponentStatus.MAJOR_OUTAGE}:
        return _EVERYTHING
    return _TABLE[worst]
