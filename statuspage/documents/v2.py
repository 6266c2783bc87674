"""The public API, version 2: the keys, their order, nulls and times that clients know."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from incidents.models import (
    Component,
    ComponentChange,
    Incident,
    Maintenance,
    MaintenanceChange,
    MaintenanceUpdate,
    StatusUpdate,
)
from incidents.values import MaintenanceState
from statuspage.documents.bodies import as_plain, words_of
from statuspage.documents.facts import Facts, began, created, parts_of, said, told
from statuspage.documents.moments import iso, iso_or_none
from statuspage.documents.rollup import Rollup, roll_up

Json = dict[str, Any]


def documents(facts: Facts) -> dict[str, bytes]:
    """Return every list of the API, by its path."""
    components = [component_object(facts, component) for component in facts.components]
    unresolved = [incident_object(facts, incident) for incident in facts.unresolved]
    by_id = {entry["id"]: entry for entry in unresolved}
    listed = [
        by_id.get(incident.public_id) or incident_object(facts, incident)
        for incident in facts.listed
    ]
    page = {"page": page_object(facts)}
    status = {"status": status_object(facts)}
    unfinished = sorted([*facts.running, *facts.upcoming], key=lambda row: row.scheduled_for)
    newest = facts.listed_maintenances
    planned = {row.pk: maintenance_object(facts, row) for row in {*unfinished, *newest}}

    def of(rows: Iterable[Maintenance]) -> Json:
        return {"scheduled_maintenances": [planned[row.pk] for row in rows]}

    wanted: dict[str, Json] = {
        "summary": page
        | {"components": components, "incidents": unresolved}
        | of(unfinished)
        | status,
        "status": page | status,
        "components": page | {"components": components},
        "incidents": page | {"incidents": listed},
        "incidents/unresolved": page | {"incidents": unresolved},
        "scheduled-maintenances": page | of(newest),
        "scheduled-maintenances/upcoming": page | of(facts.upcoming),
        "scheduled-maintenances/active": page | of(facts.running),
    }
    return {f"/api/v2/{name}.json": encode(document) for name, document in wanted.items()}


def incident_document(facts: Facts, incident: Incident) -> bytes:
    """Return the document of one incident."""
    page = page_object(facts)
    # Its own time, so that the document of an old incident does not change with every other.
    page["updated_at"] = iso(incident.updated_at, facts.zone)
    return encode({"page": page, "incident": incident_object(facts, incident)})


def maintenance_document(facts: Facts, maintenance: Maintenance) -> bytes:
    """Return the document of one maintenance, in the shape of an incident's."""
    page = page_object(facts)
    page["updated_at"] = iso(maintenance.updated_at, facts.zone)
    return encode({"page": page, "incident": maintenance_object(facts, maintenance)})


def encode(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def page_object(facts: Facts) -> Json:
    page = facts.page
    return {
        "id": page.public_id,
        "name": page.name,
        "url": page.url,
        "time_zone": page.time_zone,
        "updated_at": iso(facts.updated_at, facts.zone),
    }


def rollup(facts: Facts) -> Rollup:
    """Return what the components of the page amount to."""
    return roll_up([part.status for part in facts.components if not part.is_group])


def status_object(facts: Facts) -> Json:
    found = rollup(facts)
    return {"indicator": found.indicator, "description": found.description}


def component_object(facts: Facts, component: Component) -> Json:
    found: Json = {
        "id": component.public_id,
        "name": component.name,
        "status": facts.status_of(component),
        "created_at": iso(component.created_at, facts.zone),
        "updated_at": iso(component.updated_at, facts.zone),
        "position": component.position,
        "description": component.description or None,
        "showcase": component.showcase,
        "start_date": component.start_on.isoformat() if component.start_on else None,
        "group_id": component.group.public_id if component.group else None,
        "page_id": facts.page.public_id,
        "group": component.is_group,
        "only_show_if_degraded": component.only_show_if_degraded,
    }
    if component.is_group:
        found["components"] = [
            member.public_id for member in facts.components if member.group_id == component.pk
        ]
    return found


def incident_object(facts: Facts, incident: Incident) -> Json:
    affected: Sequence[Component] = incident.affected  # type: ignore[attr-defined]
    zone = facts.zone
    return {
        "id": incident.public_id,
        "name": incident.title,
        "status": incident.phase,
        "created_at": iso(created(incident), zone),
        "updated_at": iso(incident.updated_at, zone),
        "monitoring_at": iso_or_none(incident.monitoring_at, zone),
        "resolved_at": iso_or_none(incident.resolved_at, zone),
        "impact": incident.impact,
        "shortlink": f"{facts.page.url}/incidents/{incident.public_id}",
        "started_at": iso(began(incident), zone),
        "page_id": facts.page.public_id,
        "incident_updates": [update_object(facts, incident, update) for update in told(incident)],
        "components": [component_object(facts, component) for component in affected],
        "reminder_intervals": None,
    }


def maintenance_object(facts: Facts, maintenance: Maintenance) -> Json:
    zone = facts.zone
    return {
        "id": maintenance.public_id,
        "name": maintenance.title,
        "status": _wire_state(maintenance.state),
        "created_at": iso(maintenance.created_at, zone),
        "updated_at": iso(maintenance.updated_at, zone),
        "monitoring_at": None,
        "resolved_at": iso_or_none(maintenance.ended_at, zone),
        "impact": "maintenance",
        "shortlink": f"{facts.page.url}/maintenances/{maintenance.public_id}",
        "started_at": iso(maintenance.created_at, zone),
        "page_id": facts.page.public_id,
        "incident_updates": [
            maintenance_update_object(facts, maintenance, update) for update in said(maintenance)
        ],
        "components": [component_object(facts, part) for part in parts_of(maintenance)],
        "scheduled_for": iso(maintenance.scheduled_for, zone),
        "scheduled_until": iso(maintenance.scheduled_until, zone),
    }


def maintenance_update_object(
    facts: Facts, maintenance: Maintenance, update: MaintenanceUpdate
) -> Json:
    changes: Sequence[MaintenanceChange] = update.changes  # type: ignore[attr-defined]
    shown = iso(update.published_at, facts.zone)
    return {
        "id": update.public_id,
        "status": _wire_state(update.state),
        "body": as_plain(words_of(update)),
        "incident_id": maintenance.public_id,
        "created_at": shown,
        "updated_at": iso(update.edited_at, facts.zone) if update.edited_at else shown,
        "display_at": shown,
        "affected_components": [change_object(change) for change in changes] or None,
        "deliver_notifications": update.deliver_notifications,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _wire_state(state: str) -> str:
    # Clients know no word for what was called off; its updates say so.
    called_off = state == MaintenanceState.CANCELLED
    return MaintenanceState.COMPLETED.value if called_off else state


def update_object(facts: Facts, incident: Incident, update: StatusUpdate) -> Json:
    changes: Sequence[ComponentChange] = update.changes  # type: ignore[attr-defined]
    published_at = update.published_at or update.created_at
    shown = iso(published_at, facts.zone)
    return {
        "id": update.public_id,
        "status": update.phase,
        "body": as_plain(words_of(update)),
        "incident_id": incident.public_id,
        "created_at": shown,
        "updated_at": iso(update.edited_at, facts.zone) if update.edited_at else shown,
        "display_at": shown,
        # Null when there are none: clients know no empty list here.
        "affected_components": [change_object(change) for change in changes] or None,
        "deliver_notifications": update.deliver_notifications,
        "custom_tweet": None,
        "tweet_id": None,
    }


def change_object(change: ComponentChange | MaintenanceChange) -> Json:
    return {
        "code": change.component.public_id,
        "name": full_name(change.component),
        "old_status": change.old_status,
        "new_status": change.new_status,
    }


def full_name(component: Component) -> str:
    """Return the name with that of its group: "Europe - API"."""
    return f"{component.group.name} - {component.name}" if component.group else component.name
