"""Times that run backwards, lie in no zone, or are not known."""
# ruff: noqa: E501 - a sentence is read on one line

from collections.abc import Iterator
from itertools import pairwise

from incidents.importer import Entry, Reading
from incidents.importer.reading import is_clocked, without_zone
from incidents.importer.zones import Zone, label_is_in_force, read_zone
from incidents.lint.findings import Finding, Level, cite, clock, finding


def time_goes_backwards(reading: Reading) -> Iterator[Finding]:
    """Find entries earlier than the one before, in a list that otherwise runs forward."""
    parts: dict[int, list[Entry]] = {}
    for entry in reading.entries:
        if is_clocked(entry.start):
            parts.setdefault(entry.part, []).append(entry)
    for timed in parts.values():
        pairs = list(pairwise(timed))
        falling = [(first, second) for first, second in pairs if _is_later(first, second)]
        rising = sum(1 for first, second in pairs if _is_later(second, first))
        if len(falling) > rising:
            continue
        for first, second in falling:
            yield finding(
                "time_goes_backwards",
                Level.WARNING,
                (first, second),
                message=f"{clock(second.start)} is listed after {clock(first.start)}.",
                evidence=f"{cite(first, first.said or first.text60)}; {cite(second, second.said or second.text60)}",
                fix="Correct the time or its date, or put the entries in order.",
            )


def range_ends_before_start(reading: Reading) -> Iterator[Finding]:
    """Find where a range ends before it begins."""
    for entry in reading.entries:
        start, end = without_zone(entry.start), without_zone(entry.end)
        if start is not None and end is not None and end < start:
            yield finding(
                "range_ends_before_start",
                Level.ERROR,
                (entry,),
                message=f"The range ends at {clock(entry.end)}, before its start at {clock(entry.start)}.",
                evidence=cite(entry, entry.said or entry.text60),
                fix="Correct one of the two times.",
            )


def duplicate_start(reading: Reading) -> Iterator[Finding]:
    """Find where a moment and a range begin at the same time, which may be one thing told twice."""
    seen: dict[str, Entry] = {}
    for entry in reading.entries:
        if not is_clocked(entry.start) or entry.start is None:
            continue
        other = seen.setdefault(entry.start, entry)
        if other is not entry and bool(other.end) != bool(entry.end):
            yield finding(
                "duplicate_start",
                Level.NOTICE,
                (other, entry),
                message=f"A moment and a range both begin at {clock(entry.start)}.",
                fix="Nothing, if they are two things; else merge them.",
            )


def timezone_missing(reading: Reading) -> Iterator[Finding]:
    """Find where the times of the timeline name no zone."""
    zone = reading.timezone
    if zone is not None and zone.stated:
        return
    bare = [entry for entry in reading.entries if is_clocked(entry.start)]
    if not bare:
        return
    only = f"The only zone in the document is {zone.label} in line {zone.line}." if zone else ""
    yield finding(
        "timezone_missing",
        Level.WARNING,
        bare,
        message="The times name no zone.",
        evidence=only or "No zone is named anywhere.",
        fix='State it once above the timeline: "All times in UTC."',
    )


def timezones_differ(reading: Reading) -> Iterator[Finding]:
    """Entries of one list are in different zones."""
    labels: dict[str, list[Entry]] = {}
    for entry in reading.entries:
        if entry.zone_label:
            labels.setdefault(entry.zone, []).append(entry)
    if len(labels) <= 1:
        return
    rarer = min(labels.values(), key=len)
    yield finding(
        "timezones_differ",
        Level.NOTICE,
        rarer,
        message="The timeline uses more than one zone: "
        + ", ".join(sorted({e.zone_label for group in labels.values() for e in group}))
        + ".",
        fix="Give all times in one zone, best in UTC.",
    )


def tz_label_not_in_force(reading: Reading) -> Iterator[Finding]:
    """Find where a label is used on a date when the clocks of its place show another one."""
    wrong: dict[str, list[Entry]] = {}
    for entry in reading.entries:
        zone, moment = _zone(entry), without_zone(entry.start)
        if zone and moment and is_clocked(entry.start) and not label_is_in_force(zone, moment):
            wrong.setdefault(zone.label, []).append(entry)
    for label, entries in wrong.items():
        yield finding(
            "tz_label_not_in_force",
            Level.WARNING,
            entries,
            message=f"{label} is not what clocks show on {(entries[0].start or '')[:10]}.",
            evidence=f"The times are read as {entries[0].zone}, as the label says.",
            fix="If local time was meant, read the document with the name of its zone.",
        )


def unknown_time(reading: Reading) -> Iterator[Finding]:
    """Find where an entry has a placeholder where its time should be, or none at all."""
    for entry in reading.entries:
        marked = {"unknown_time", "placeholder_time"} & set(entry.flags)
        if marked:
            yield finding(
                "unknown_time",
                Level.NOTICE,
                (entry,),
                message="The time of this entry is not known.",
                evidence=cite(entry, entry.said or entry.text60),
                fix="Look it up in logs or chats, or say between which times it lies.",
            )


def redundant_meridiem(reading: Reading) -> Iterator[Finding]:
    """Find where a time of the 24-hour clock carries am or pm."""
    for entry in reading.entries:
        if "redundant_meridiem" in entry.flags:
            yield finding(
                "redundant_meridiem",
                Level.NOTICE,
                (entry,),
                message=f"{entry.said} has an hour above 12 and am or pm as well.",
                fix="Drop am or pm.",
            )


def _is_later(first: Entry, second: Entry) -> bool:
    if first.zone and second.zone:
        assert first.at is not None
        assert second.at is not None
        return first.at > second.at
    one, other = without_zone(first.start), without_zone(second.start)
    return one is not None and other is not None and one > other


def _zone(entry: Entry) -> Zone | None:
    return read_zone(entry.zone_label) if entry.zone_label else None


TIME_CHECKS = (
    time_goes_backwards,
    range_ends_before_start,
    duplicate_start,
    timezone_missing,
    timezones_differ,
    tz_label_not_in_force,
    unknown_time,
    redundant_meridiem,
)
