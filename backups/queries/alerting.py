"""What staff were told of the checks' findings, and by which rules."""

from datetime import datetime

from django.db.models import QuerySet

from backups.models import AlertRule, BackupAlert, Silence


def open_alerts() -> "QuerySet[BackupAlert]":
    """Return the alerts that are not over, the newest first, with what a list shows of each."""
    rows = BackupAlert.objects.filter(closed_at=None)
    return rows.select_related("database", "rule", "acknowledged_by", "incident")


def past_alerts() -> "QuerySet[BackupAlert]":
    """Return the alerts that are over, the newest end first."""
    rows = BackupAlert.objects.filter(closed_at__isnull=False).order_by("-closed_at", "-id")
    return rows.select_related("database", "rule", "acknowledged_by", "incident")


def alert_rules() -> "QuerySet[AlertRule]":
    """Return every rule, by name, with the rooms that hear of it."""
    rows = AlertRule.objects.select_related("database")
    return rows.prefetch_related("channels", "escalate_to").order_by("name")


def silences(*, at: datetime) -> "QuerySet[Silence]":
    """Return the silences that are not over, the one that ends first at the top."""
    rows = Silence.objects.filter(ends_at__gt=at).select_related("database", "created_by")
    return rows.order_by("ends_at")
