"""A restore of which tenants are told, and their pages published."""

from datetime import timedelta
from typing import Any

from incidents import operations
from incidents.models import Incident
from incidents.operations import Progress, TenantNews
from incidents.values import ProgressPhase, Severity, TenantState
from statuspage import publisher
from tests.factories import HOUR, MINUTE, NOON


def publish(after: timedelta = timedelta(0)) -> None:
    """Publish as the beat does, in any case."""
    publisher.publish_now(now=lambda: NOON + after)
    publisher.publish_due(now=lambda: NOON + after)


def incident_with_restore(**more: Any) -> Incident:
    incident = operations.declare_incident(
        title="Tours do not open", severity=Severity.SEV1, at=NOON, author=None,
        body="We are looking into it.", **more,
    )  # fmt: skip
    restore(incident)
    return incident


def restore(incident: Incident, *, at: timedelta = timedelta(0), **more: Any) -> None:
    progress: dict[str, Any] = {"phase": ProgressPhase.REPLAYING, "data_until_at": NOON - HOUR}
    operations.report_progress(
        incident_id=incident.pk, key="restore-1", title="Database restore",
        progress=Progress(**progress | more), at=NOON + at,
    )  # fmt: skip


def tell(*told: tuple[str, TenantState, dict[str, Any]], after: timedelta = timedelta(0)) -> None:
    operations.report_tenants(
        key="restore-1",
        tenants=[
            TenantNews(key=key, state=state, data_until_at=NOON - HOUR, **more)
            for key, state, more in told
        ],
        at=NOON + after,
    )


def eta(low: float, high: float) -> dict[str, Any]:
    return {
        "eta_low_at": NOON + low * MINUTE,
        "eta_high_at": NOON + high * MINUTE,
        "eta_basis": "usual speeds",
    }
