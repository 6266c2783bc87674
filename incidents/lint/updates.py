"""What customers were told too late, too seldom, or with a promise that did not hold."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from incidents.importer import Entry, Reading
from incidents.importer.reading import is_clocked, without_zone
from incidents.lint.findings import Finding, Level, cite, clock, finding

# After an hour without a word customers have found out by themselves; in a long incident an
# update every four hours is the suggestion.
LATEST_FIRST_UPDATE = timedelta(hours=1)
LONGEST_SILENCE = timedelta(hours=4)

_END_OF_DAY = re.compile(
    r"\bby (?:the )?end of (?:the |this )?(?:day|today)\b|\bby tonight\b|\btoday\b", re.IGNORECASE
)
_WITHIN = re.compile(
    r"\b(?:in|within) (?:the next )?(?:about )?(\d{1,3}) (minutes?|hours?|days?)\b", re.IGNORECASE
)
_VAGUE = re.compile(
    r"\bin the next (?:few |couple of )?(?:minutes|hours|days)\b|\bsoon\b|\bshortly\b",
    re.IGNORECASE,
)

# The words of an estimate, and of one that did not hold.
_ETA = re.compile(
    r"\bETA\b|\bestimated? (?:time|to be)\b|\bexpect(?:ed)? to\b|\bby (?:the )?end of\b"
    r"|\bin the next (?:few )?(?:hours|minutes|days)\b",
    re.IGNORECASE,
)
_MISSED = re.compile(
    r"\b(?:ETA|estimate|deadline)\b.{0,20}\b(?:missed|passed|slipped|not met)\b", re.IGNORECASE
)
_MISSED_OUTCOME = "missed"


def first_update_late(reading: Reading) -> Iterator[Finding]:
    """Find where the first word to customers came long after the start."""
    started = next((e for e in reading.entries if e.milestone == "started"), None)
    first = next((e for e in _updates(reading)), None)
    if started is None or first is None:
        return
    delay = _between(started, first)
    if delay is not None and delay > LATEST_FIRST_UPDATE:
        yield finding(
            "first_update_late",
            Level.NOTICE,
            (started, first),
            message=f"Customers were first told {in_words(delay)} after the start.",
            evidence=f"{clock(started.start)} to {clock(first.start)}",
            fix="Say in the postmortem why, and what will make it sooner.",
        )


def update_gap(reading: Reading) -> Iterator[Finding]:
    """Find long silences between updates; the longest is named, the others are evidence."""
    updates = _updates(reading)
    gaps = [
        (gap, first, second)
        for first, second in pairwise(updates)
        if (gap := _between(first, second)) is not None and gap > LONGEST_SILENCE
    ]
    if not gaps:
        return
    longest, first, second = max(gaps, key=lambda found: found[0])
    others = sorted((gap for gap, *_ in gaps if gap is not longest), reverse=True)
    yield finding(
        "update_gap",
        Level.NOTICE,
        (first, second),
        message=f"{in_words(longest)} passed between two updates to customers.",
        evidence="also " + ", ".join(in_words(gap) for gap in others) if others else "",
        fix="Promise the time of the next update in each one.",
    )


def eta_missed_without_promise(reading: Reading) -> Iterator[Finding]:
    """Find where an ETA is said to be missed that no earlier entry gives."""
    if reading.promises:
        return
    for entry in reading.entries:
        if "eta_missed" not in entry.tags and not _MISSED.search(entry.text):
            if _gives_eta(entry):
                return
            continue
        yield finding(
            "eta_missed_without_promise",
            Level.WARNING,
            (entry,),
            message="An ETA was missed that is not on record.",
            evidence=cite(entry, entry.text60),
            fix="Add the entry or update in which it was given.",
        )
        return


def eta_expired(reading: Reading) -> Iterator[Finding]:
    """Find where an ETA given to customers passed, or cannot be checked at all."""
    late = [
        (entry, why)
        for entry in _updates(reading)
        if _gives_eta(entry) and (why := _broken(entry, reading))
    ]
    if late:
        yield finding(
            "eta_expired",
            Level.NOTICE,
            [entry for entry, _ in late],
            message="What customers were promised did not come in time, or cannot be checked.",
            evidence="; ".join(cite(entry, why) for entry, why in late),
            fix="Give a time, and a new one before it passes.",
        )


def _gives_eta(entry: Entry) -> bool:
    return "eta" in entry.tags or bool(_ETA.search(entry.text))


def _broken(entry: Entry, reading: Reading) -> str:
    promised = [promise for promise in reading.promises if promise.made_in == entry.row]
    if entry.row and promised:
        # The record knows what was promised, and what became of it.
        missed = next((p for p in promised if p.outcome == _MISSED_OUTCOME), None)
        return f"due {clock(missed.due)}, and missed" if missed else ""
    due = _due(entry)
    if due is None:
        return "it has no time that could be checked" if _VAGUE.search(entry.text) else ""
    over = next(
        (
            without_zone(e.start)
            for e in reading.entries
            if e.milestone in ("recovered", "resolved")
        ),
        None,
    )
    return f"due {due:%Y-%m-%d %H:%M}" if over is None or over > due else ""


def _due(entry: Entry) -> datetime | None:
    given = without_zone(entry.start)
    if given is None:
        return None
    if _END_OF_DAY.search(entry.text):
        return given.replace(hour=23, minute=59)
    if match := _WITHIN.search(entry.text):
        unit = match[2].rstrip("s").lower() + "s"
        return given + timedelta(**{unit: int(match[1])})
    return None


def _updates(reading: Reading) -> list[Entry]:
    told = [e for e in reading.entries if e.kind == "update" and is_clocked(e.start)]
    return sorted(told, key=lambda entry: entry.start or "")


def _between(first: Entry, second: Entry) -> timedelta | None:
    one, other = without_zone(first.start), without_zone(second.start)
    return other - one if one is not None and other is not None else None


def in_words(span: timedelta) -> str:
    """Return a span as "28 h 38 min"."""
    minutes = int(span.total_seconds() // 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


UPDATE_CHECKS = (first_update_late, update_gap, eta_missed_without_promise, eta_expired)
