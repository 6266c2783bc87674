"""What a loss of a database would cost, now and before."""

from collections.abc import Sequence
from datetime import datetime

from backups.models import LossForecast


def losses_now() -> "dict[int, LossForecast]":
    """Return the newest forecast of each database that has one, by its id, in one question."""
    rows = LossForecast.objects.filter(database__unregistered_at=None)
    rows = rows.order_by("database_id", "-at").distinct("database_id")
    return {row.database_id: row for row in rows}


def losses_since(database_id: int, *, since: datetime, most: int = 400) -> Sequence[LossForecast]:
    """Return the forecasts of a database since then, oldest first: all, or so many evenly spread.

    The newest is always among them.
    """
    rows = LossForecast.objects.filter(database_id=database_id, at__gte=since).order_by("at")
    known = list(rows.values_list("pk", flat=True))
    if len(known) > most:
        known = [known[place * (len(known) - 1) // (most - 1)] for place in range(most)]
    return list(rows.filter(pk__in=known))
