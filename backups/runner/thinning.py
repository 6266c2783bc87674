"""Letting go of what was written down long ago, and says little by now."""

from datetime import UTC, datetime, timedelta

from django.db.models import Min
from django.db.models.functions import TruncDay, TruncHour

from backups.models import BackupCheckChange, StorageMeasurement

# Kept whole for so long, then one of each stretch, and in the end none.
WHOLE_FOR = timedelta(days=90)
KEPT_FOR = timedelta(days=400)


def thin_check_changes(*, at: datetime) -> int:
    """Let go of old turns of checks; return how many went.

    Beyond 90 days the first of a day into each state is kept, beyond 400 none; but always the last
    one of each check: since then it is so.
    """
    newest = (
        BackupCheckChange.objects.order_by("database_id", "name", "-at", "-id")
        .distinct("database_id", "name")
        .values("pk")
    )
    rows = BackupCheckChange.objects.order_by().exclude(pk__in=newest)
    gone, _rows = rows.filter(at__lt=at - KEPT_FOR).delete()
    old = rows.filter(at__lt=at - WHOLE_FOR)
    days = old.annotate(day=TruncDay("at", tzinfo=UTC)).values("database", "name", "state", "day")
    thinned, _rows = old.exclude(pk__in=days.annotate(first=Min("pk")).values("first")).delete()
    return gone + thinned


def thin_measurements(*, at: datetime) -> int:
    """Let go of old measurements of storages; return how many went.

    Beyond 90 days one of an hour is kept, beyond 400 none: estimates and the search for windows
    look back nine weeks at most.
    """
    gone, _rows = StorageMeasurement.objects.filter(measured_at__lt=at - KEPT_FOR).delete()
    old = StorageMeasurement.objects.order_by().filter(measured_at__lt=at - WHOLE_FOR)
    hours = old.annotate(hour=TruncHour("measured_at", tzinfo=UTC)).values("location", "hour")
    thinned, _rows = old.exclude(pk__in=hours.annotate(first=Min("pk")).values("first")).delete()
    return gone + thinned
