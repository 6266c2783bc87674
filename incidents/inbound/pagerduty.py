"""PagerDuty's V3 webhooks: signed, at least once, in any order, one event a message."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from incidents.inbound import fields
from incidents.inbound.refusals import BadSignature, SecretMissing, Unsigned, WrongShape
from incidents.inbound.told import Reading, Told
from incidents.values import AlertState

_HEADER = "X-PagerDuty-Signature"
_FIRING, _RESOLVED = AlertState.FIRING, AlertState.RESOLVED
_STATES = {"triggered": _FIRING, "acknowledged": _FIRING, "resolved": _RESOLVED}

Data = Mapping[str, Any]


def prove(*, body: bytes, headers: Mapping[str, str], secret: str) -> None:
    """Compare the signatures with the raw body; while a secret is renewed there are two.

    :raises SecretMissing: if the hook has no secret yet
    :raises Unsigned: if there is no signature of version 1
    :raises BadSignature: if none of them fits
    """
    if not secret:
        raise SecretMissing
    offered = [
        part.strip()[3:]
        for part in headers.get(_HEADER, "").split(",")
        if part.strip().startswith("v1=")
    ]
    if not offered:
        raise Unsigned(f"The header {_HEADER} is missing or holds no v1. Use a V3 subscription.")
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
    # Each is compared, whichever fits: how long it takes tells nothing.
    fits = [hmac.compare_digest(wanted, one.encode("utf-8", "replace")) for one in offered]
    if not any(fits):
        raise BadSignature


def understand(found: dict[str, Any], *, at: datetime) -> Reading:
    """Return what an event tells. Events of kinds that nothing is made of are named, and ignored.

    :raises WrongShape: if it is no event, or an event of an incident without one
    :raises ImpossibleTime: if one of its times cannot be meant
    """
    event = found.get("event")
    if not isinstance(event, dict):
        raise WrongShape("There is no event in it. Use a V3 webhook subscription, not V2.")
    kind = fields.line(event.get("event_type"), "event.event_type", most=80)
    if not kind:
        raise WrongShape("event.event_type is missing. Use a V3 webhook subscription.")
    if kind not in _REMARKS:
        return Reading(ignored=kind)
    data = fields.mapping(event.get("data"), "event.data")
    remark = _REMARKS[kind](data, event)
    if kind in _ASIDES:
        told = _aside(event, data, remark=remark, at=at)
    else:
        told = _incident(kind, event, data, remark=remark, at=at)
    return Reading(alerts=(told,))


def _incident(kind: str, event: Data, data: Data, *, remark: str, at: datetime) -> Told:
    """Read an event whose data is the incident itself."""
    number = _id(data.get("id"), "event.data.id")
    told_at = _told_at(event, at)
    state = _STATES.get(str(data.get("status")))
    if kind == "incident.resolved":
        state = _RESOLVED
    elif kind in ("incident.triggered", "incident.reopened"):
        state = _FIRING
    priority = fields.mapping(data.get("priority"), "event.data.priority")
    service = fields.mapping(data.get("service"), "event.data.service")
    title = fields.line(data.get("title") or data.get("summary"), "event.data.title")
    return Told(
        fingerprint=number,
        dedup_key=number,
        state=state,
        title=title or f"PagerDuty incident {number}"[: fields.TITLE_LENGTH],
        text=_resolution(data) if state == _RESOLVED else "",
        link=fields.link(data.get("html_url")),
        starts_at=fields.moment(data.get("created_at"), "event.data.created_at", at=at) or told_at,
        ends_at=told_at if state == _RESOLVED else None,
        told_at=told_at,
        labels={"service": name} if (name := _name(service)) else {},
        severity=fields.word(priority.get("summary") or priority.get("name")),
        remark=remark,
        event_id=_event_id(event),
        payload=event,
    )


def _aside(event: Data, data: Data, *, remark: str, at: datetime) -> Told:
    """Read an event whose data only names the incident: a note, or words for those who wait."""
    incident = fields.mapping(data.get("incident"), "event.data.incident")
    number = _id(incident.get("id"), "event.data.incident.id")
    return Told(
        fingerprint=number,
        dedup_key=number,
        state=None,
        title=_name(incident),
        link=fields.link(incident.get("html_url")),
        told_at=_told_at(event, at),
        remark=remark,
        event_id=_event_id(event),
        payload=event,
    )


def _told_at(event: Data, at: datetime) -> datetime:
    found = fields.moment(event.get("occurred_at"), "event.occurred_at", at=at)
    if found is None:
        raise WrongShape("event.occurred_at is missing. Use a V3 webhook subscription.")
    return found


def _id(value: Any, where: str) -> str:
    if found := fields.line(value, where):
        return fields.key(found)
    raise WrongShape(f"{where} is missing. Use a V3 webhook subscription.")


def _event_id(event: Data) -> str:
    return fields.line(event.get("id"), "event.id", most=100)


def _name(reference: Data) -> str:
    return fields.line(reference.get("summary"), "summary", most=140)


def _names(references: Any) -> str:
    """Return whom a list of references names."""
    if not isinstance(references, list):
        return ""
    names = [_name(one) for one in references if isinstance(one, dict)]
    return ", ".join(filter(None, names))[:300]


def _agent(event: Data) -> str:
    agent = event.get("agent")
    return _name(agent) if isinstance(agent, dict) else ""


def _resolution(data: Data) -> str:
    """Say why it ended where that is not plain: it was merged into another."""
    reason = data.get("resolve_reason")
    if not isinstance(reason, dict) or reason.get("type") != "merge_resolve_reason":
        return ""
    into = reason.get("incident")
    name = _name(into) if isinstance(into, dict) else ""
    return f"Merged into {name or 'another'} in PagerDuty."


def _acknowledged(_data: Data, event: Data) -> str:
    by = _agent(event)
    return f"Acknowledged in PagerDuty by {by}" if by else "Acknowledged in PagerDuty"


def _given_to(deed: str) -> Callable[[Data, Data], str]:
    def remark(data: Data, _event: Data) -> str:
        to = _names(data.get("assignees"))
        return f"{deed} in PagerDuty to {to}" if to else f"{deed} in PagerDuty"

    return remark


def _prioritised(data: Data, _event: Data) -> str:
    priority = data.get("priority")
    name = _name(priority) if isinstance(priority, dict) else ""
    return f"Priority in PagerDuty: {name or 'none'}"


def _annotated(data: Data, event: Data) -> str:
    by = _agent(event)
    words = fields.text(data.get("content"), "event.data.content")
    return f"Note in PagerDuty{f' by {by}' if by else ''}: {words}"


def _published(data: Data, _event: Data) -> str:
    return f"Status update in PagerDuty: {fields.text(data.get('message'), 'event.data.message')}"


# What people did there, in words; nothing where the state says it all. Other kinds are ignored.
_REMARKS: Mapping[str, Callable[[Data, Data], str]] = {
    "incident.triggered": lambda _data, _event: "",
    "incident.reopened": lambda _data, _event: "",
    "incident.resolved": lambda _data, _event: "",
    "incident.acknowledged": _acknowledged,
    "incident.unacknowledged": lambda _data, _event: "No longer acknowledged in PagerDuty",
    "incident.reassigned": _given_to("Reassigned"),
    "incident.escalated": _given_to("Escalated"),
    "incident.delegated": _given_to("Delegated"),
    "incident.priority_updated": _prioritised,
    "incident.annotated": _annotated,
    "incident.status_update_published": _published,
}
_ASIDES = ("incident.annotated", "incident.status_update_published")
