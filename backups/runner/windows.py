"""Looking for a location's saturation windows once a day, and keeping what was found."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from backups import saturation
from backups.models import (
    ProbeKind,
    SaturationWindow,
    StorageLocation,
    StorageMeasurement,
    StorageProbe,
    WindowSource,
)
from backups.queries.weather import window_of
from backups.runner.probing import choose_probe_object
from backups.saturation import Reading, Window

# What was measured in so many weeks tells of the habits of today.
LOOKS_BACK = timedelta(weeks=9)
DAILY = timedelta(hours=23)
# Errors that are none of the storage's weather: keys, names, a clock.
_READS = (ProbeKind.GET, ProbeKind.LIST)


def storages_to_look_at(*, at: datetime) -> list[int]:
    """Return the locations whose windows were not looked for today."""
    return list(
        StorageLocation.objects.filter(_due(at)).order_by("pk").values_list("pk", flat=True)
    )


def look_for_windows(*, location_id: int, at: datetime, is_asked_for: bool = False) -> bool:
    """Look for a location's windows if that is due, and keep what was found; say whether it was.

    Of two that are called at the same time one does it. A window keeps its row as long as it is
    mostly the same hours, and with it since when it is so.
    """
    rows = StorageLocation.objects.filter(pk=location_id)
    claimed = (rows if is_asked_for else rows.filter(_due(at))).update(windows_looked_at=at)
    location = rows.first()
    if not claimed or location is None:
        return False
    choose_probe_object(location)
    readings = readings_of(location, at=at)
    found = saturation.find_windows(readings, at=at, zones=_zones(location))
    _keep(location, found, readings, at=at)
    return True


def readings_of(location: StorageLocation, *, at: datetime) -> list[Reading]:
    """Return what was measured of a location in the last weeks: by probes, and by real fetches."""
    since = at - LOOKS_BACK
    probes = StorageProbe.objects.filter(location=location, at__gt=since, at__lte=at)
    reads_pieces = probes.filter(kind=ProbeKind.RANGE, error="").exists()
    found = []
    for when, kind, seconds, length, error in probes.order_by("at").values_list(
        "at", "kind", "seconds", "bytes", "error"
    ):
        if error and error not in saturation.PASSING:
            continue
        speed = None
        if not error and seconds > 0:
            if kind == ProbeKind.RANGE:
                speed = length / seconds
            elif kind in _READS and not reads_pieces:
                speed = 1 / seconds
        found.append(Reading(at=when, speed=speed, failed=int(bool(error)), kind=kind))
    fetched = StorageMeasurement.objects.filter(
        location=location, measured_at__gt=since, measured_at__lte=at
    )
    found += [
        Reading(
            at=row.measured_at,
            speed=row.bytes / row.seconds if row.bytes else None,
            asked=row.requests,
            failed=min(row.errors, row.requests),
            kind="FETCH",
        )
        for row in fetched.order_by("measured_at")
    ]
    return found


def _due(at: datetime) -> Q:
    # Nobody has looked in the future: that clock ran ahead.
    never = Q(windows_looked_at__isnull=True) | Q(windows_looked_at__gt=at)
    return never | Q(windows_looked_at__lte=at - DAILY)


def _zones(location: StorageLocation) -> list[str]:
    """Return the zones that may explain the hours: what is said of the provider, then UTC."""
    declared = location.windows.filter(source=WindowSource.DECLARED).values_list("tz", flat=True)
    return list(dict.fromkeys([location.tz, *declared.order_by("-since_at"), "UTC"]))


def _keep(
    location: StorageLocation, found: Sequence[Window], readings: Sequence[Reading], *, at: datetime
) -> None:
    horizon = min((each.at for each in readings), default=at)
    with transaction.atomic():
        rows = list(
            SaturationWindow.objects.select_for_update()
            .filter(location=location, source=WindowSource.DETECTED)
            .order_by("until_at", "-since_at")
        )
        for window in found:
            row = _row_of(window, rows, at=at)
            if row is None:
                _new_row(location, window, at=at)
                continue
            rows.remove(row)
            _renew(row, window, horizon=horizon)
        for row in rows:
            _end_if_gone(row, readings, at=at)


def _row_of(
    window: Window, rows: Sequence[SaturationWindow], *, at: datetime
) -> SaturationWindow | None:
    """Return the row that keeps this window: the same hours, at a time that both have seen."""
    for row in rows:
        known = window_of(row)
        if not saturation.is_alike(known, window, at=at):
            continue
        began, ended = known.since_at or at, known.until_at or at
        if began <= (window.until_at or at) and (window.since_at or at) <= ended:
            return row
    return None


def _new_row(location: StorageLocation, window: Window, *, at: datetime) -> None:
    SaturationWindow.objects.create(
        location=location,
        source=WindowSource.DETECTED,
        weekdays=list(window.weekdays),
        from_minute=window.from_minute,
        until_minute=window.until_minute,
        tz=window.tz,
        slower=window.slower,
        error_share=window.error_share,
        since_at=window.since_at or at,
        until_at=window.until_at,
    )


def _renew(row: SaturationWindow, window: Window, *, horizon: datetime) -> None:
    """Write down what is known of a window now. What began before the horizon is known already."""
    since = window.since_at or row.since_at
    if row.since_at <= horizon or since - horizon < timedelta(days=2):
        since = min(row.since_at, since)
    row.weekdays = list(window.weekdays)
    row.from_minute, row.until_minute, row.tz = window.from_minute, window.until_minute, window.tz
    row.slower, row.error_share = window.slower, window.error_share
    row.since_at, row.until_at = since, window.until_at
    row.save()


def _end_if_gone(row: SaturationWindow, readings: Sequence[Reading], *, at: datetime) -> None:
    """End a window that is not found any more, if its hours were measured; else it stays."""
    window = replace(window_of(row), since_at=None)
    if row.until_at is None and saturation.was_looked_at(readings, window, at=at):
        row.until_at = at
        row.save(update_fields=["until_at"])
