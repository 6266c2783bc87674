"""Saying when a storage is busy, and having it looked at."""

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from backups import queries, runner, tasks
from backups.models import SaturationWindow, StorageLocation, StorageProbe, WindowSource
from backups.models.storage import every_day
from incidents.errors import Refused
from incidents.values import zone


class WindowNotKept(Refused):
    code = "saturation-window-refused"
    message = "These hours cannot be kept. Correct them, and say it again."


class WindowIsOver(Refused):
    code = "saturation-window-over"
    message = "This window is over already. Declare a new one if it has come back."


class BeingProbed(Refused):
    code = "storage-being-probed"
    message = "This storage is being probed just now. Look at what it says in three minutes."


def declare_window(
    *,
    location_id: int,
    from_minute: int,
    until_minute: int,
    tz: str = "UTC",
    weekdays: Iterable[int] = (),
    slower: float | None = None,
    error_share: float | None = None,
    note: str = "",
    since_at: datetime | None = None,
    at: datetime,
) -> SaturationWindow:
    """Say in which hours a storage gives less: as its provider announced, or staff know.

    Minutes are those of the day in ``tz``; weekdays 1 (Monday) to 7, none for every day.

    :raises WindowNotKept: if it cannot be so, saying why
    """
    _require_zone(tz)
    if slower is not None and slower < 1:
        raise WindowNotKept("Slower is told as a factor of 1 or more, as in 4. Correct it.")
    if error_share is not None and not 0 <= error_share <= 1:
        raise WindowNotKept("The share of errors lies between 0 and 100 %. Correct it.")
    window = SaturationWindow(
        location_id=location_id,
        source=WindowSource.DECLARED,
        weekdays=sorted(set(weekdays)) or every_day(),
        from_minute=from_minute,
        until_minute=until_minute,
        tz=tz,
        slower=slower,
        error_share=error_share,
        note=note.strip(),
        since_at=since_at or at,
    )
    if not set(window.weekdays) <= set(every_day()):
        raise WindowNotKept("Weekdays go from 1, Monday, to 7, Sunday. Correct them.")
    if from_minute == until_minute:
        raise WindowNotKept(
            "It begins and ends at the same time. For all day say 00:00 to 24:00; else correct it."
        )
    try:
        window.full_clean()
    except ValidationError as error:
        raise WindowNotKept(f"{' '.join(error.messages)} Correct it, and say it again.") from error
    window.save()
    return window


def end_window(*, window_id: int, at: datetime) -> SaturationWindow:
    """Say that hours are not busy any more. One that is still measured is back with the next look.

    :raises NotRegistered: if there is no such window
    :raises WindowIsOver: if it has ended already
    """
    with transaction.atomic():
        window = SaturationWindow.objects.select_for_update().filter(pk=window_id).first()
        if window is None:
            raise queries.NotRegistered(f"There is no saturation window number {window_id}.")
        if window.until_at is not None and window.until_at <= at:
            raise WindowIsOver
        window.until_at = max(at, window.since_at)
        window.save(update_fields=["until_at"])
    return window


def set_storage_zone(*, location_id: int, tz: str) -> StorageLocation:
    """Say in which zone a storage's nights are counted, from the next look on.

    :raises WindowNotKept: if there is no such zone
    """
    _require_zone(tz)
    location = StorageLocation.objects.get(pk=location_id)
    location.tz = tz
    location.save(update_fields=["tz"])
    return location


def ask_to_probe(*, location_id: int) -> None:
    """Have a location probed by a worker, if it was not within the last minutes."""

    # A function, not the task itself: Django asks a robust hook that failed for its name.
    def ask() -> None:
        tasks.probe_storage.delay(location_id=location_id, is_asked_for=True)

    transaction.on_commit(ask, robust=True)


def probe_now(*, location_id: int, at: datetime) -> list[StorageProbe]:
    """Probe a location here and now, and keep how it went.

    :raises BeingProbed: if somebody else is at it
    """
    found = runner.probe_storage(location_id=location_id, at=at, is_asked_for=True)
    if found is None:
        raise BeingProbed
    return found


def find_windows_now(*, location_id: int, at: datetime) -> None:
    """Look for a location's saturation windows here and now, and keep what is found."""
    runner.look_for_windows(location_id=location_id, at=at, is_asked_for=True)


def _require_zone(tz: str) -> None:
    try:
        if not tz or tz[0] in "+-":
            raise ValueError
        zone(tz)
    except ValueError:
        raise WindowNotKept(
            f"There is no time zone {tz!r}. Name one as in UTC or Europe/Amsterdam."
        ) from None
