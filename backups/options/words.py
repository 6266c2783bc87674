"""How a board says things to staff, on the desk and on the command line."""

from datetime import datetime, timedelta

from backups.options.values import Point, Range, Strategy

POINTS = {
    Point.LATEST: "To the latest",
    Point.MOMENT: "To a moment",
    Point.BACKUP: "The backup alone",
    Point.STAGED: "Staged: the backup first, then the rest",
}
STRATEGIES = {
    Strategy.STAGE: "Stage: everything to the disk first",
    Strategy.STREAM: "Stream: unpacked while it arrives",
    Strategy.RELAY: "Relay: the backup tool reads through Highwater",
}
PHASES = {
    "FIRST": "first part",
    "FETCH": "fetch",
    "UNPACK": "unpack",
    "REPLAY": "replay",
    "VERIFY": "verify",
    "TENANTS": "tenants",
}
_KILO = 1000
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def told(moment: datetime) -> str:
    """Write a moment so exactly that what is told can be asked for, and loses nothing."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def to_the_second(moment: datetime) -> str:
    """Write a moment for reading."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(span: timedelta) -> str:
    """Write a stretch of time in its two largest units."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def amount(count: float) -> str:
    """Write bytes in decimal units."""
    power = 0
    while count >= _KILO and power < len(_UNITS) - 1:
        count, power = count / _KILO, power + 1
    return f"{count:.{1 if power and count < _KILO / 10 else 0}f} {_UNITS[power]}"


def told_range(seconds: Range) -> str:
    """Write a range of seconds by its ends: 12 min to 1 h 30 min."""
    low, high = (duration(timedelta(seconds=each)) for each in (seconds.low, seconds.high))
    return low if low == high else f"{low} to {high}"
