"""What one message of a monitoring system tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incidents.inbound.refusals import AlertRefused
from incidents.values import AlertState


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of one alert. Times are aware; None where the message does not say."""

    # What tells the alert from others, and what those of one incident share. At most 180
    # characters each.
    fingerprint: str
    dedup_key: str
    # None: the message says nothing of it.
    state: AlertState | None
    title: str
    text: str = ""
    # An http or https address, or empty.
    link: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    # When this was so, by the sender's clock: by it older news is known from newer.
    told_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    # The sender's own word: critical, P1, warning.
    severity: str = ""
    # What people did with it there: acknowledged, escalated, a note.
    remark: str = ""
    # The sender's name for this message; sent again it is the same.
    event_id: str = ""
    # All that was sent of it, as JSON that the database takes.
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A message, read: what it tells, and what of it was refused while the rest is good."""

    alerts: tuple[Told, ...] = ()
    refused: tuple[AlertRefused, ...] = ()
    # What it is instead, where it is well-formed and nothing is made of it: "pagey.ping".
    ignored: str = ""
