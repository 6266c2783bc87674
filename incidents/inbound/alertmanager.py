"""Alertmanager's webhook, version 4 and before, and Grafana's, which is the same with more in it.

It is not signed: the token is the proof. A group of alerts is one message and one incident. It
does not say when it was sent: an alert is known by its fingerprint and its start.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from incidents.inbound import fields
from incidents.inbound.refusals import AlertRefused, TooMany, WrongShape
from incidents.inbound.told import Reading, Told
from incidents.values import AlertState

_MOST = 500
_STATES = {"firing": AlertState.FIRING, "resolved": AlertState.RESOLVED}
_SEVERITY_LABELS = ("severity", "priority", "level")


def understand(found: dict[str, Any], *, at: datetime) -> Reading:
    """Return what each alert of the group tells.

    :raises WrongShape: if there is no list of alerts
    :raises AlertRefused: if no alert in it is good: why the first is not
    """
    alerts = found.get("alerts")
    if not isinstance(alerts, list):
        raise WrongShape(_no_alerts(found))
    if not alerts:
        raise WrongShape("alerts is empty. Send at least one.")
    group = _Group(found)
    told: list[Told] = []
    refused: list[AlertRefused] = []
    for number, alert in enumerate(alerts[:_MOST]):
        try:
            told.append(group.told(alert, f"alerts[{number}]", at=at))
        except AlertRefused as refusal:
            refused.append(refusal)
    if not told:
        raise refused[0]
    if len(alerts) > _MOST:
        refused.append(
            TooMany(f"Of {len(alerts)} alerts the first {_MOST} were taken in. Set max_alerts.")
        )
    return Reading(alerts=tuple(told), refused=tuple(refused))


class _Group:
    """What the alerts of one message share."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.status = found.get("status")
        self.common = fields.labels(found.get("commonLabels"), "commonLabels")
        self.annotations = fields.mapping(found.get("commonAnnotations"), "commonAnnotations")
        self.external = found.get("externalURL")
        self.key = self._key(found)

    def told(self, alert: Any, where: str, *, at: datetime) -> Told:
        """Return what one alert tells.

        :raises WrongShape: if it is not as such alerts are
        :raises ImpossibleTime: if one of its times cannot be meant
        """
        if not isinstance(alert, dict):
            raise WrongShape(f"{where} must be an object, not {fields.shown(alert)}.")
        state = _STATES.get(str(alert.get("status", self.status)))
        if state is None:
            raise WrongShape(f"{where}.status must be firing or resolved.")
        labels = self.common | fields.labels(alert.get("labels"), f"{where}.labels")
        notes = {
            **self.annotations,
            **fields.mapping(alert.get("annotations"), f"{where}.annotations"),
        }
        starts_at = fields.moment(alert.get("startsAt"), f"{where}.startsAt", at=at)
        if starts_at is None:
            raise WrongShape(f"{where}.startsAt is missing. Say when it began to fire.")
        ends_at = None
        if state == AlertState.RESOLVED:
            ends_at = fields.moment(alert.get("endsAt"), f"{where}.endsAt", at=at)
        fingerprint = fields.line(alert.get("fingerprint"), f"{where}.fingerprint")
        return Told(
            fingerprint=fields.key(fingerprint or fields.key_of(labels)),
            dedup_key=self.key or fields.key(fingerprint or fields.key_of(labels)),
            state=state,
            title=_title(labels, notes),
            text=fields.text(_first(notes, "description", "message"), f"{where}.annotations"),
            link=fields.link(
                alert.get("panelURL"),
                alert.get("dashboardURL"),
                alert.get("generatorURL"),
                self.external,
            ),
            starts_at=starts_at,
            ends_at=ends_at,
            labels=labels,
            severity=_severity(labels),
            payload=alert,
        )

    @staticmethod
    def _key(found: dict[str, Any]) -> str:
        """Return what groups the alerts. Old versions wrote a figure, or nothing."""
        written = found.get("groupKey")
        if isinstance(written, int):
            written = str(written)
        if key := fields.line(written, "groupKey", most=4000):
            return fields.key(key)
        labels = fields.labels(found.get("groupLabels"), "groupLabels")
        return fields.key_of(labels) if labels else ""


def _title(labels: Mapping[str, str], notes: Mapping[str, Any]) -> str:
    """Return what the alert is called: its summary, or its name and where it is."""
    if summary := fields.line(_first(notes, "summary", "title"), "summary"):
        return summary
    name = labels.get("alertname") or "Alert without a name"
    place = labels.get("instance") or labels.get("job") or labels.get("service")
    return fields.line(f"{name}: {place}" if place else name, "alertname")


def _severity(labels: Mapping[str, str]) -> str:
    return next((fields.word(labels[name]) for name in _SEVERITY_LABELS if labels.get(name)), "")


def _first(notes: Mapping[str, Any], *names: str) -> str:
    return next((notes[name] for name in names if isinstance(notes.get(name), str)), "")


def _no_alerts(found: dict[str, Any]) -> str:
    if "ruleId" in found or "evalMatches" in found:
        return "This is Grafana's legacy alerting. Use a contact point of Grafana 9 or later."
    if "event" in found:
        return "This looks like PagerDuty. Add a hook of that kind, and send it there."
    return "There is no list named alerts in it. Compare it with the example of this hook."
