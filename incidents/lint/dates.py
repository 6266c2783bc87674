"""Dates that contradict each other, or that leave out what they should say."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from incidents.importer import Mention, Reading
from incidents.lint.findings import Finding, Level, cite, finding

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TIMELINE = ("entry", "heading")
_NEAR = timedelta(days=45)
_FAR = timedelta(days=250)
_WRITTEN_WITHIN = timedelta(days=30)
_DAY = timedelta(days=1)


def weekday_mismatch(reading: Reading) -> Iterator[Finding]:
    """Find where a date is given with a weekday that it does not have."""
    wrong = [
        (mention, day)
        for mention in reading.mentions
        if mention.weekday is not None
        and (day := _meant(mention)) is not None
        and day.weekday() != mention.weekday
    ]
    if not wrong:
        return
    first, day = wrong[0]
    yield finding(
        "weekday_mismatch",
        Level.ERROR,
        _in_order(mention for mention, _ in wrong),
        message=f"{day} is a {_WEEKDAYS[day.weekday()]}, not a {_WEEKDAYS[first.weekday or 0]}.",
        evidence="; ".join(cite(m, f"{m.said} read as {d}") for m, d in wrong),
        fix="Correct the weekday, or choose the year in which all of them fit.",
    )


def year_conflict(reading: Reading) -> Iterator[Finding]:
    """Find where the document names different years for the same days."""
    span = _span(reading)
    if span is None:
        return
    open_year = _lacks_year(reading)
    places = ("text", "action") if open_year else ("text",)
    named = [m for m in reading.mentions if m.year and m.place in places]
    against = [m for m in named if _belongs_to_another_year(m, span)]
    if not against:
        return
    years = {m.year for m in against}
    beside = [m for m in named if m.year not in years and _is_close(m, span)]
    yield finding(
        "year_conflict",
        Level.ERROR,
        _in_order([*against, *beside]),
        message="The same days are given in different years: "
        + ", ".join(
            str(y) for y in sorted({m.year or 0 for m in (*against, *beside)} | {span[0].year})
        )
        + ".",
        evidence="; ".join(cite(m, m.said) for m in (*against, *beside)),
        fix="Ask which year is right, correct the other, and dismiss this with the reason.",
    )


def impossible_date(reading: Reading) -> Iterator[Finding]:
    """Find entries on a day that the calendar does not have."""
    wrong = [entry for entry in reading.entries if "impossible_date" in entry.flags]
    if wrong:
        yield finding(
            "impossible_date",
            Level.ERROR,
            wrong,
            message=f"There is no such day as {wrong[0].said}.",
            evidence="; ".join(cite(entry, entry.said) for entry in wrong),
            fix="Give the day that was meant; until then the entry has no time.",
        )


def year_missing(reading: Reading) -> Iterator[Finding]:
    """No date of the timeline has a year."""
    if not _lacks_year(reading):
        return
    bare = [m for m in reading.mentions if m.year is None and m.place in (*_TIMELINE, "action")]
    yield finding(
        "year_missing",
        Level.WARNING,
        _in_order(bare),
        message="No date of the timeline has a year.",
        evidence=f"They are read as {reading.year}.",
        fix="Write the year in the first date or heading.",
    )


def ambiguous_day_month(reading: Reading) -> Iterator[Finding]:
    """Find where a numeric date could be read with day and month exchanged."""
    unclear = [m for m in reading.mentions if m.is_ambiguous]
    if unclear:
        yield finding(
            "ambiguous_day_month",
            Level.WARNING,
            _in_order(unclear),
            message=f"{unclear[0].said} has two readings; it is taken as {unclear[0].resolved}.",
            evidence="; ".join(cite(m, f"{m.said} as {m.resolved}") for m in unclear),
            fix="Write the date with the month's name, or as YYYY-MM-DD.",
        )


def document_date_vs_timeline(reading: Reading) -> Iterator[Finding]:
    """Find where the title or the date field names a day far from what the timeline tells."""
    span = _span(reading)
    if span is None:
        return
    for mention in reading.mentions:
        day = _meant(mention)
        if mention.place != "document" or day is None or mention.day is None:
            continue
        if span[0] - _DAY <= day <= span[1] + _WRITTEN_WITHIN:
            continue
        yield finding(
            "document_date_vs_timeline",
            Level.WARNING,
            (mention,),
            message=f"The document is dated {day}, its timeline runs from {span[0]} to {span[1]}.",
            evidence=cite(mention, mention.said),
            fix="Correct the title or the date field; it may come from a copied template.",
        )


def _span(reading: Reading) -> tuple[date, date] | None:
    days = [entry.at.date() for entry in reading.entries if entry.at is not None]
    return (min(days), max(days)) if days else None


def _lacks_year(reading: Reading) -> bool:
    timeline = [m for m in reading.mentions if m.place in (*_TIMELINE, "document")]
    return any(m.place in _TIMELINE for m in timeline) and not any(m.year for m in timeline)


def _belongs_to_another_year(mention: Mention, span: tuple[date, date]) -> bool:
    """Far from the timeline as written, and close to it in the timeline's own year."""
    day = _meant(mention)
    if day is None or _distance(day, span) < _FAR:
        return False
    moved = (_in_year(day, year) for year in {span[0].year, span[1].year})
    return any(other is not None and _distance(other, span) <= _NEAR for other in moved)


def _is_close(mention: Mention, span: tuple[date, date]) -> bool:
    day = _meant(mention)
    return day is not None and _distance(day, span) <= _NEAR


def _distance(day: date, span: tuple[date, date]) -> timedelta:
    return max(span[0] - day, day - span[1], timedelta())


def _in_year(day: date, year: int) -> date | None:
    try:
        return day.replace(year=year)
    except ValueError:
        return None


def _meant(mention: Mention) -> date | None:
    if mention.resolved is not None:
        return date.fromisoformat(mention.resolved)
    if mention.year is None or mention.day is not None or not mention.month:
        return None
    return date(mention.year, mention.month, 1)


def _in_order(mentions: Iterable[Mention]) -> list[Mention]:
    return sorted(mentions, key=lambda mention: mention.line)


DATE_CHECKS = (
    weekday_mismatch,
    year_conflict,
    impossible_date,
    year_missing,
    ambiguous_day_month,
    document_date_vs_timeline,
)
