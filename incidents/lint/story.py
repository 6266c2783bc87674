"""Where the story contradicts itself: two starts, two ends, things done that still run."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

from incidents.importer import Entry, Reading
from incidents.importer.reading import is_clocked, without_zone
from incidents.importer.times import find_times
from incidents.lint.findings import Finding, Level, cite, clock, finding
from incidents.lint.updates import in_words

_BEGAN = re.compile(r"\b(?:started|began|begun)\b[^.;]{0,60}$", re.IGNORECASE)
_DONE = re.compile(r"\b(?:completed?|finished|done|concluded)\b", re.IGNORECASE)
_RUNNING = re.compile(
    r"\b(?:is|are|still) (?:being |currently |still )?(?:running|ongoing|in progress|under ?way|restored|processed)\b",
    re.IGNORECASE,
)
_WHOLE = re.compile(
    r"\bfull(?:y)? (?:restored|operational|recovered|functional)\b|\ball (?:\S+ ){0,4}(?:restored|recovered)\b"
    r"|\bfull recovery\b",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"\b(\d{1,3}|one|two|three|four|five|six|seven|ten|twelve)[ -](minute|hour|day|week)s?\b",
    re.IGNORECASE,
)
_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10,
    "twelve": 12,
}  # fmt: skip
_STEM = 6
_TOLERANCE = 0.1
_COMMON = {"status", "update", "databa", "produc", "custom", "servic"}
_ORDER = ("started", "detected", "declared", "mitigated", "recovered", "resolved")


def start_disagrees(reading: Reading) -> Iterator[Finding]:
    """Find where a text gives another clock time for the start than the timeline."""
    started = _milestone(reading, "started")
    if started is None:
        return
    own = without_zone(started.start)
    assert own is not None
    for entry in reading.entries:
        for stated in find_times(entry.text):
            said = stated.start.clock
            if said is None or not _BEGAN.search(entry.text[: stated.begin]):
                continue
            if entry.n != started.n and said != own.time():
                yield finding(
                    "start_disagrees",
                    Level.WARNING,
                    (started, entry),
                    message=f"The start is {own:%H:%M} in the timeline and {said:%H:%M} here.",
                    evidence=cite(entry, stated.said),
                    fix="Say which it is; if customers were told wrongly, correct the update.",
                )


def done_before_still_running(reading: Reading) -> Iterator[Finding]:
    """Something is completed, and later still running."""
    timed = [entry for entry in reading.entries if is_clocked(entry.start)]
    # Stems are cut once: a long timeline would have them cut again for each pair.
    running = [(n, e, _stems(e.text)) for n, e in enumerate(timed) if _RUNNING.search(e.text)]
    whole = [(n, e, _stems(e.text)) for n, e in enumerate(timed) if _WHOLE.search(e.text)]
    for n, entry in enumerate(timed):
        if not running or not _DONE.search(entry.text) or entry.kind == "update":
            continue
        about = _stems(entry.text)
        still = next(((k, e) for k, e, of in running if k > n and about & of), None)
        if still is None:
            continue
        again = [e for k, e, of in whole if k > still[0] and about & of][:1]
        told = [entry, still[1], *again]
        yield finding(
            "done_before_still_running",
            Level.WARNING,
            told,
            message=f"It is completed at {clock(entry.start)}, and still running at {clock(still[1].start)}.",
            evidence="; ".join(cite(e, e.text60) for e in told),
            fix="Say what was completed and what was not.",
        )


def fully_restored_twice(reading: Reading) -> Iterator[Finding]:
    """Full recovery is declared more than once."""
    whole = [e for e in reading.entries if is_clocked(e.start) and _WHOLE.search(e.text)]
    if len(whole) > 1 and whole[0].start != whole[-1].start:
        yield finding(
            "fully_restored_twice",
            Level.NOTICE,
            (whole[0], whole[-1]),
            message=f"Full recovery is told at {clock(whole[0].start)} and again at {clock(whole[-1].start)}.",
            fix="Say what each of them covered.",
        )


def milestones_out_of_order(reading: Reading) -> Iterator[Finding]:
    """Find where a milestone lies before one that must precede it."""
    reached = [entry for name in _ORDER if (entry := _milestone(reading, name)) is not None]
    for first, second in pairwise(reached):
        one, other = without_zone(first.start), without_zone(second.start)
        if (first.milestone, second.milestone) == ("detected", "declared"):
            # Whoever declares it has noticed it; the alert may come later.
            continue
        if one is not None and other is not None and other < one:
            yield finding(
                "milestones_out_of_order",
                Level.WARNING,
                (first, second),
                message=f"{second.milestone} at {clock(second.start)} is before {first.milestone} at {clock(first.start)}.",
                fix="Correct a time, or set the milestones on the right entries.",
            )


def duration_vs_timeline(reading: Reading) -> Iterator[Finding]:
    """Find where a cause names a moment and how long it is until the start, and the two do not fit."""
    started = _milestone(reading, "started")
    if started is None:
        return
    failed = without_zone(started.start)
    assert failed is not None
    for cause in reading.causes:
        said = _SPAN.search(cause.text)
        since = _entry_named_in(cause.text, reading)
        if said is None or since is None:
            continue
        claimed, moment = _claimed(said), without_zone(since.start)
        assert moment is not None
        real = failed - moment
        if real <= timedelta() or abs(real - claimed) <= claimed * _TOLERANCE:
            continue
        yield finding(
            "duration_vs_timeline",
            Level.NOTICE,
            (since, cause),
            message=f'"{said[0]}" is {in_words(real)} by the timeline.',
            evidence=f"{clock(since.start)} to {clock(started.start)}",
            fix="Give the figure that the timeline gives, or say what else it covers.",
        )


def no_timeline(reading: Reading) -> Iterator[Finding]:
    """Nothing in the document reads like an entry."""
    if not reading.entries:
        yield finding(
            "no_timeline",
            Level.WARNING,
            (),
            message="No entry with a time was found.",
            fix="Begin each entry with its time, as in a list or a table.",
        )


def _milestone(reading: Reading, name: str) -> Entry | None:
    return next((entry for entry in reading.entries if entry.milestone == name), None)


def _entry_named_in(text: str, reading: Reading) -> Entry | None:
    """Return the entry whose day and clock a text names."""
    for stated in find_times(text):
        day, clock = stated.start.day, stated.start.clock
        if day is None or clock is None:
            continue
        for entry in reading.entries:
            moment = without_zone(entry.start)
            same = moment and (moment.month, moment.day) == (day.month, day.day)
            if moment and same and moment.time() == clock and is_clocked(entry.start):
                return entry
    return None


def _claimed(said: re.Match[str]) -> timedelta:
    number = int(said[1]) if said[1].isdigit() else _NUMBERS[said[1].lower()]
    return timedelta(**{f"{said[2].lower()}s": number})


def _stems(text: str) -> set[str]:
    words = {word[:_STEM].lower() for word in re.findall(r"[A-Za-z]{6,}", text)}
    return words - _COMMON


STORY_CHECKS = (
    start_disagrees,
    done_before_still_running,
    fully_restored_twice,
    milestones_out_of_order,
    duration_vs_timeline,
    no_timeline,
)
