"""What the management API says of things: the public API's keys, and those that it adds."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Q

from incidents.models import (
    Component,
    Incident,
    Maintenance,
    MaintenanceTemplate,
    MaintenanceUpdate,
    MessageTemplate,
    Postmortem,
    StatusUpdate,
)
from incidents.values import ComponentStatus, MaintenanceState
from statuspage.documents import v2
from statuspage.documents.facts import Facts
from statuspage.documents.moments import iso, iso_or_none
from statuspage.models import Attachment

Json = dict[str, Any]

_COLOURS = (
    "body_background_color", "font_color", "light_font_color", "greens", "yellows", "oranges",
    "blues", "reds", "border_color", "graph_color", "link_color", "no_data",
)  # fmt: skip


def page_object(facts: Facts) -> Json:
    page = facts.page
    return {
        "id": page.public_id,
        "created_at": iso(page.created_at, facts.zone),
        "updated_at": iso(page.updated_at, facts.zone),
        "name": page.name,
        "page_description": None,
        "headline": None,
        "branding": "premium",
        "subdomain": page.slug,
        "domain": urlsplit(page.url).hostname,
        "url": page.url,
        "support_url": page.support_url or None,
        "hidden_from_search": page.is_private,
        "allow_page_subscribers": True,
        "allow_incident_subscribers": True,
        "allow_email_subscribers": True,
        "allow_sms_subscribers": False,
        "allow_rss_atom_feeds": True,
        "allow_webhook_subscribers": True,
        "notifications_from_email": None,
        "notifications_email_footer": None,
        "activity_score": 0,
        "twitter_username": None,
        "viewers_must_be_team_members": page.access == "viewers",
        "ip_restrictions": ", ".join(page.networks) or None,
        "city": None,
        "state": None,
        "country": None,
        "time_zone": page.time_zone,
        **{f"css_{name}": None for name in _COLOURS},
        "favicon_logo": None,
        "transactional_logo": None,
        "hero_cover": None,
        "email_logo": None,
        "twitter_logo": None,
    }


def component_object(facts: Facts, part: Component) -> Json:
    return v2.component_object(facts, part) | {"automation_email": None}


def group_object(facts: Facts, group: Component) -> Json:
    members = [part for part in facts.components if part.group_id == group.pk]
    return {
        "id": group.public_id,
        "page_id": facts.page.public_id,
        "name": group.name,
        "description": group.description or None,
        "components": [part.public_id for part in members],
        "position": group.position,
        "created_at": iso(group.created_at, facts.zone),
        "updated_at": iso(group.updated_at, facts.zone),
    }


def attachments(rows: Iterable[Incident | Maintenance]) -> dict[tuple[str, int], Attachment]:
    """Return what programs keep with these, by kind and id: one query."""
    named = [(row._meta.model_name or "", row.pk) for row in rows]
    incidents = [pk for kind, pk in named if kind == "incident"]
    works = [pk for kind, pk in named if kind == "maintenance"]
    if not named:
        return {}
    wanted = Q(incident__in=incidents) | Q(maintenance__in=works)
    found = Attachment.objects.filter(wanted)
    return {
        ("incident", row.incident_id)
        if row.incident_id
        else ("maintenance", row.maintenance_id or 0): row
        for row in found
    }


def incident_objects(facts: Facts, rows: Iterable[Incident | Maintenance]) -> list[Json]:
    """Return incidents and maintenances as clients know them: one list, one shape."""
    shown = list(rows)
    kept = attachments(shown)
    return [_one(facts, row, kept.get((row._meta.model_name or "", row.pk))) for row in shown]


def _one(facts: Facts, row: Incident | Maintenance, kept: Attachment | None) -> Json:
    if isinstance(row, Maintenance):
        found = v2.maintenance_object(facts, row) | {"reminder_intervals": None}
        scheduled = _schedule(facts, row)
        account = None
    else:
        found = v2.incident_object(facts, row)
        scheduled = dict.fromkeys(_SCHEDULE) | dict.fromkeys(_SWITCHES, False)
        account = getattr(row, "account", None)
    found["components"] = [part | {"automation_email": None} for part in found["components"]]
    found["incident_updates"] = [update | _UNTWEETED for update in found["incident_updates"]]
    return (
        found
        | scheduled
        | _account(facts, account)
        | {
            "metadata": kept.metadata if kept else {},
            "impact_override": (kept.impact_override or None) if kept else None,
        }
    )


_UNTWEETED = {"twitter_updated_at": None, "wants_twitter_update": False}
_SCHEDULE = ("scheduled_for", "scheduled_until", "scheduled_reminded_at")
_SWITCHES = (
    "scheduled_remind_prior",
    "scheduled_auto_in_progress",
    "scheduled_auto_completed",
    "auto_transition_to_maintenance_state",
    "auto_transition_to_operational_state",
    "auto_transition_deliver_notifications_at_start",
    "auto_transition_deliver_notifications_at_end",
)


def _schedule(facts: Facts, row: Maintenance) -> Json:
    moves = row.component_status == ComponentStatus.UNDER_MAINTENANCE
    return {
        "scheduled_for": iso(row.scheduled_for, facts.zone),
        "scheduled_until": iso(row.scheduled_until, facts.zone),
        "scheduled_reminded_at": iso_or_none(row.reminder_sent_at, facts.zone),
        "scheduled_remind_prior": row.remind_before is not None,
        "scheduled_auto_in_progress": row.starts_by_itself,
        "scheduled_auto_completed": row.ends_by_itself,
        "auto_transition_to_maintenance_state": moves,
        "auto_transition_to_operational_state": moves,
        "auto_transition_deliver_notifications_at_start": row.deliver_notifications,
        "auto_transition_deliver_notifications_at_end": row.deliver_notifications,
    }


def _account(facts: Facts, account: Postmortem | None) -> Json:
    published = account.published_at if account else None
    return {
        "postmortem_body": account.public_body if account else None,
        "postmortem_body_last_updated_at": iso_or_none(published, facts.zone),
        "postmortem_ignored": False,
        "postmortem_published_at": iso_or_none(published, facts.zone),
        "postmortem_notified_subscribers": False,
        "postmortem_notified_twitter": False,
    }


def update_object(facts: Facts, row: Incident | Maintenance, update: object) -> Json:
    """Return one update of an incident or a maintenance that came with its updates."""
    if isinstance(row, Maintenance):
        assert isinstance(update, MaintenanceUpdate)
        found = v2.maintenance_update_object(facts, row, update)
    else:
        assert isinstance(update, StatusUpdate)
        found = v2.update_object(facts, row, update)
    return found | _UNTWEETED


def template_object(facts: Facts, row: MessageTemplate | MaintenanceTemplate) -> Json:
    is_work = isinstance(row, MaintenanceTemplate)
    shown = {part.pk for part in facts.components}
    parts = [part for part in row.components.all() if part.pk in shown]
    return {
        "id": f"{'maintenance' if is_work else 'incident'}-{row.pk}",
        "components": [component_object(facts, part) for part in parts],
        "name": row.name,
        "title": row.title,
        "body": row.body,
        "group_id": None,
        "update_status": MaintenanceState.SCHEDULED.value if is_work else _phase(row),
        "should_tweet": False,
        "should_send_notifications": getattr(row, "deliver_notifications", True),
    }


def _phase(row: MessageTemplate | MaintenanceTemplate) -> str:
    return getattr(row, "phase", "") or "investigating"
