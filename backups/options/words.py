"""How a board says things to staff, on the desk and on the command line."""

import math
from datetime import datetime, timedelta

from backups.options.values import Point, Range, Strategy

POINTS = {
    Point.LATEST: "To the latest",
    Point.MOMENT: "To a moment",
    Point.BACKUP: "The backup alone",
    Point.STAGED: "Staged: the backup first, then the rest",
    Point.HERE: "What the standby has, without the archive",
}
STRATEGIES = {
    Strategy.STAGE: "Stage: everything to the disk first",
    Strategy.STREAM: "Stream: unpacked while it arrives",
    Strategy.RELAY: "Relay: the backup tool reads through Highwater",
    Strategy.STANDBY: "Standby: what is kept warm there is brought up",
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


def span(length: timedelta) -> str:
    """Write a stretch of time that people chose, in the largest unit it fills: 7 days, 4 h."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, one, many in ((_DAY, "day", "days"), (_HOUR, "h", "h"), (_MINUTE, "min", "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {one if seconds == unit else many}"
    return duration(length)


def spans(before: timedelta, after: timedelta) -> str:
    """Write how a stretch of time changes, its unit once where it is the same: 1 to 7 days."""
    was, becomes = span(before), span(after)
    number, _space, unit = was.partition(" ")
    if " " not in unit and unit.removesuffix("s") == becomes.partition(" ")[2].removesuffix("s"):
        return f"{number} to {becomes}"
    return f"{was} to {becomes}"


def brief_range(seconds: Range) -> str:
    """Write a range of seconds in one unit, its ends rounded outwards: 9-31 h.

    Where its low end is less than one of them, that stands in a unit of its own: 40 min to 3 h.
    """
    # A day or an hour is told in the smaller unit until there are a few of them.
    units = ((3, _DAY, "days"), (2, _HOUR, "h"), (2, _MINUTE, "min"), (0, 1, "s"))
    unit, name = next((unit, name) for few, unit, name in units if seconds.high >= few * unit)
    low, high = math.floor(seconds.low / unit), math.ceil(seconds.high / unit)
    if low == 0 and seconds.low >= 1:
        return f"{duration(timedelta(seconds=seconds.low))} to {high} {name}"
    return f"{low}-{high} {name}" if low < high else f"{high} {name}"
