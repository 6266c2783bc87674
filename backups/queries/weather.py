"""What a storage gave of late, the windows in which it gives less, and what falls into them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from backups import saturation, schedules
from backups.models import (
    Backup,
    BackupPolicy,
    Database,
    LossForecast,
    ProbeKind,
    SaturationWindow,
    StorageLocation,
    StorageProbe,
)
from backups.options.words import duration

WEEK = timedelta(days=7)
# Backups of which it is not known how long they take are reckoned with as this long.
_USUAL_BACKUP = timedelta(hours=1)
_LAST_BACKUPS = 10
# A restore that, begun at any hour, would meet a window so often is told of: nobody chooses the
# hour at which a database is lost.
_LIKELY = 0.25
LATEST_PROBES = 20


def windows_of(
    location_ids: Iterable[int], *, at: datetime, since: datetime | None = None
) -> Mapping[int, list[saturation.Window]]:
    """Return the windows of each location, each told once: those that hold at a moment or later.

    With ``since``, those that held at any time since then as well, declared and detected.
    """
    ids = list(location_ids)
    over = Q(until_at__isnull=True) | Q(until_at__gt=since or at)
    rows = SaturationWindow.objects.filter(over, location__in=ids).order_by("from_minute", "id")
    found: dict[int, list[saturation.Window]] = {each: [] for each in ids}
    for row in rows:
        found[row.location_id].append(window_of(row))
    if since is not None:
        return found
    return {each: saturation.merged(windows, at=at) for each, windows in found.items()}


def window_of(row: SaturationWindow) -> saturation.Window:
    """Return the window that a row keeps."""
    return saturation.Window(
        weekdays=tuple(sorted(row.weekdays)),
        from_minute=row.from_minute,
        until_minute=row.until_minute,
        tz=row.tz,
        slower=row.slower,
        error_share=row.error_share,
        since_at=row.since_at,
        until_at=row.until_at,
    )


def window_rows(location_id: int) -> "list[tuple[SaturationWindow, saturation.Window]]":
    """Return the windows of a location with their words: those that hold first, then the newest."""
    rows = SaturationWindow.objects.filter(location_id=location_id)
    ordered = sorted(rows, key=lambda row: (row.until_at is not None, -row.since_at.timestamp()))
    return [(row, window_of(row)) for row in ordered]


def last_probes(
    location_id: int, *, since: datetime | None = None, most: int = LATEST_PROBES
) -> "list[StorageProbe]":
    """Return the newest probes of a location."""
    rows = StorageProbe.objects.filter(location_id=location_id)
    if since is not None:
        rows = rows.filter(at__gte=since)
    return list(rows.order_by("-at", "id")[:most])


def heat_of(location: StorageLocation, *, at: datetime, tz: str) -> saturation.Heat:
    """Return what a location's probes of the last weeks say by hours and weekdays of a zone."""
    rows = StorageProbe.objects.filter(
        location=location, at__gt=at - saturation.HEAT_FOR, at__lte=at
    ).values_list("at", "kind", "bytes", "seconds", "first_byte_seconds", "error")
    return saturation.heat_of(
        (
            saturation.Probed(
                at=when,
                rate=length / seconds if kind == ProbeKind.RANGE and seconds else None,
                first_byte_seconds=first_byte if not error else None,
                has_failed=error in saturation.PASSING,
            )
            for when, kind, length, seconds, first_byte, error in rows
        ),
        tz=tz,
    )


def advice(database: Database, at: datetime) -> list[str]:
    """Say what of a database's backups and likely restores falls into its storage's windows.

    A sentence each, which says what to do; none where nothing does.
    """
    storage = database.storage
    windows = windows_of([storage.pk], at=at)[storage.pk]
    if not windows:
        return []
    return [
        *_of_schedules(database, storage, windows, at=at),
        *_of_restore(database, storage, windows, at=at),
    ]


def _of_schedules(
    database: Database, storage: StorageLocation, windows: Sequence[saturation.Window], *,
    at: datetime,
) -> list[str]:  # fmt: skip
    policy = BackupPolicy.objects.filter(database=database).first()
    if policy is None:
        return []
    takes = _usual_length(database)
    plans = {"Full": policy.full_schedule, "Incremental": policy.incremental_schedule}
    found = []
    for name, expression in plans.items():
        if not expression:
            continue
        moments = list(schedules.moments(expression, policy.tz, after=at, before=at + WEEK))
        met = saturation.meeting(windows, moments, seconds=takes.total_seconds())
        count = len({each.at for each in met})
        if met:
            found.append(
                f"{name} backups begin {schedules.in_words(expression)} ({policy.tz}): {count} of "
                f"the {len(moments)} of the next week run into the hours in which {storage} is "
                f"busy, {met[0].window.words}. Plan them for other hours."
            )
    return found


def _of_restore(
    database: Database, storage: StorageLocation, windows: Sequence[saturation.Window], *,
    at: datetime,
) -> list[str]:  # fmt: skip
    newest = LossForecast.objects.filter(database=database, at__lte=at).order_by("-at").first()
    if newest is None or newest.middle_seconds is None:
        return []
    copies = windows_of(database.copies.values_list("pk", flat=True), at=at)
    if not all(copies.values()):
        # One of them gives the same at all hours.
        return []
    share = saturation.share_that_meets(windows, seconds=newest.middle_seconds, after=at)
    if share < _LIKELY:
        return []
    takes = duration(timedelta(seconds=newest.middle_seconds))
    words = (
        f"A restore takes about {takes}: begun at any hour, {share:.0%} of them run into the hours "
        f"in which {storage} is busy, {windows[0].words}. Keep a copy at another provider, or make "
        "restores shorter by full backups more often."
    )
    return [words]


def _usual_length(database: Database) -> timedelta:
    rows = Backup.objects.filter(database=database, is_finished=True, ended_at__isnull=False)
    lengths = sorted(
        ended - began
        for began, ended in rows.order_by("-ended_at").values_list("began_at", "ended_at")[
            :_LAST_BACKUPS
        ]
        if began is not None
    )
    return max(lengths[len(lengths) // 2], timedelta(minutes=1)) if lengths else _USUAL_BACKUP
