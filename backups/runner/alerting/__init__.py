"""Telling staff what the checks find: once, again where wished, and when it is over."""

from backups.runner.alerting.following import (
    close_alerts_of,
    ensure_rules,
    follow_findings,
    hold_alerts,
)
from backups.runner.alerting.pulse import beat, send_heartbeat, tell_silence

__all__ = [
    "beat",
    "close_alerts_of",
    "ensure_rules",
    "follow_findings",
    "hold_alerts",
    "send_heartbeat",
    "tell_silence",
]
