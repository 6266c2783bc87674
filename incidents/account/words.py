"""How an account says times, stretches of time and figures; times that a person wrote, read."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from incidents.account.record import Entry, Impact, Record, Time

NOT_KNOWN = "time not known"
_SHAPES = {
    "minute": "%Y-%m-%d %H:%M",
    "hour": "%Y-%m-%d %H:00",
    "day": "%Y-%m-%d",
    "month": "%Y-%m",
    "year": "%Y",
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Name in a reference: what it is called, and the milestone up to which it counts from the start.
DURATIONS = {
    "detect": ("Time to detect", "detected"),
    "acknowledge": ("Time to acknowledge", "declared"),
    "first-update": ("Time to the first update", "first_update"),
    "mitigate": ("Time to mitigate", "mitigated"),
    "recover": ("Time to recover", "recovered"),
    "resolve": ("Time to resolve", "resolved"),
}
_POINT = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:[ T](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d))?)?)?)?"
)
_QUARTER = re.compile(r"(?P<year>\d{4}) Q(?P<quarter>[1-4])")
_CLOCK = re.compile(r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?")


def zone_of(name: str) -> tzinfo:
    """Return a zone by its name or offset; UTC for one that there is not."""
    try:
        if name[:1] in ("+", "-"):
            return datetime.fromisoformat(f"2000-01-01T00:00{name}").tzinfo or UTC
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return UTC


def moment_words(at: datetime, tz: str) -> str:
    """Write a moment to the minute in a zone, with the zone's offset."""
    return f"{_local(at, tz):%Y-%m-%d %H:%M %Z}"


def time_words(time: Time, tz: str) -> str:
    """Write a time as exactly as it is known, in the zone in which it was said, or else in ``tz``.

    A time without a date is what was said of it.
    """
    if time.at is None:
        return time.said or NOT_KNOWN
    here = tz if time.precision in ("minute", "hour") else time.tz or tz
    words = _point(_local(time.at, here), time.precision)
    if time.until is not None:
        until = _local(time.until, here)
        is_clock = time.precision == "minute" and until.date() == _local(time.at, here).date()
        words += " – " + (_clock(until) if is_clock else _point(until, time.precision))
    return f"about {words}" if time.approx else words


def read_time(words: str, tz: str) -> Time:
    """Read a time that a person wrote in the same form; what is in no such form is only said."""
    stated = words.strip()
    plain = stated.removeprefix("about ").strip()
    first, _dash, last = (part.strip() for part in plain.partition("–"))
    start = _read_point(first, tz)
    if start is None:
        return Time(said="" if stated == NOT_KNOWN else stated[:200])
    at, precision = start
    end = None
    if last:
        clock = _CLOCK.fullmatch(last)
        found = _read_point(f"{first[:10]} {last}" if clock else last, tz)
        if found is None or found[0] < at:
            return Time(said=stated[:200])
        end = found[0]
    return Time(at=at, until=end, precision=precision, approx=plain != stated, tz=tz)


def span_words(span: timedelta) -> str:
    """Write a stretch of time in its two largest units: 8 h 00 min."""
    seconds = abs(int(span.total_seconds()))
    sign = "-" if span < timedelta(0) else ""
    if seconds < _MINUTE:
        return f"{sign}{seconds} s"
    if seconds < _HOUR:
        return f"{sign}{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{sign}{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02} min"
    return f"{sign}{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def duration_words(record: Record, name: str) -> str:
    """Say how long it took to a milestone, from the start; "not known" where either is missing."""
    moments = dict(record.moments)
    start, end = moments.get("started"), moments.get(DURATIONS[name][1])
    if start is None or end is None:
        return "not known"
    ends = {entry.milestone: entry.time for entry in record.entries if entry.milestone}
    inexact = [
        time
        for mark in ("started", DURATIONS[name][1])
        if (time := ends.get(mark)) and (time.approx or time.precision != "minute")
    ]
    return ("about " if inexact else "") + span_words(end - start)


def figures(record: Record) -> Iterator[tuple[str, str]]:
    """Yield what the incident was in figures: what is counted, and how much it was.

    Durations count from the start. The longest silence is the longest stretch between two updates
    to customers, the end of the incident included.
    """
    for name, (label, _milestone) in DURATIONS.items():
        yield label, duration_words(record, name)
    told = sorted(update.published_at for update in record.updates)
    ends = dict(record.moments).get("resolved")
    told += [ends] if told and ends and ends > told[-1] else []
    gaps = [later - sooner for sooner, later in pairwise(told)]
    yield "Updates to customers", str(len(record.updates))
    yield "Longest silence", span_words(max(gaps)) if gaps else "not known"
    settled = [one.outcome for one in record.promises if one.outcome in ("met", "missed")]
    yield (
        "Promises kept",
        f"{settled.count('met')} of {len(settled)}" if settled else "none on record",
    )
    yield "Components", ", ".join(record.components) or "none named"
    if tenants := {impact.tenant for impact in record.impacts if impact.tenant}:
        yield "Customers hit on their own", str(len(tenants))


def impact_words(impact: Impact, tz: str) -> str:
    """Say for how long which part was how, and from when on data is missing."""
    kinds = {
        "outage": "Outage",
        "degraded": "Degraded",
        "data_unavailable": "Data unavailable",
        "data_lost": "Data lost",
    }
    until = moment_words(impact.until, tz) if impact.until else "now"
    of = f" of {impact.component}" if impact.component else ""
    lost = f"; of {moment_words(impact.data_from_at, tz)} and later" if impact.data_from_at else ""
    return f"{kinds[impact.kind]}{of}, {moment_words(impact.at, tz)} – {until}{lost}"


def entry_words(entry: Entry, tz: str) -> str:
    """Return an entry in one line: its time and its words."""
    return f"{time_words(entry.time, tz)}: {' '.join(entry.text.split())}"


def _local(at: datetime, tz: str) -> datetime:
    try:
        return at.astimezone(zone_of(tz))
    except (OverflowError, ValueError):
        return at


def _point(local: datetime, precision: str) -> str:
    if precision == "quarter":
        return f"{local:%Y} Q{(local.month + 2) // 3}"
    if precision == "minute":
        return f"{local:%Y-%m-%d} {_clock(local)}"
    return local.strftime(_SHAPES[precision])


def _clock(local: datetime) -> str:
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def _read_point(words: str, tz: str) -> tuple[datetime, str] | None:
    here = zone_of(tz)
    try:
        if found := _QUARTER.fullmatch(words):
            month = int(found["quarter"]) * 3 - 2
            return datetime(int(found["year"]), month, 1, tzinfo=here).astimezone(UTC), "quarter"
        found = _POINT.fullmatch(words)
        if found is None:
            return None
        parts = {name: int(value) for name, value in found.groupdict().items() if value}
        at = datetime(**{"month": 1, "day": 1, **parts}, tzinfo=here)
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    levels = (("minute", "minute"), ("day", "day"), ("month", "month"))
    return at, next((level for name, level in levels if name in parts), "year")
