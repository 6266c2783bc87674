"""Telling staff what the checks find: once, again where wished, and when it is over."""

from backups.runner.alerting.following import ensure_rules, follow_findings
from backups.runner.alerting.pulse import beat, send_heartbeat, tell_silence

__all__ = ["beat", "ensure_rules", "follow_findings", "send_heartbeat", "tell_silence"]
