"""Which year a date without one means. It is never guessed: it is stated, inferred, or asked."""

from collections.abc import Iterable
from datetime import date, timedelta

from incidents.importer.reading import Mention
from incidents.importer.refusals import Evidence, YearReading, YearUnclear

_NEAR = timedelta(days=45)
_ACTION_LAG = timedelta(days=330)
_HALF_A_YEAR = timedelta(days=183)
_TIMELINE = ("entry", "heading", "document")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SEARCHED = 6


def nearest_year(month: int, day: int, anchor: date) -> int:
    """Return the year that puts a date closest to ``anchor``, so that December precedes January."""
    options = [y for y in (anchor.year - 1, anchor.year, anchor.year + 1) if _on(y, month, day)]
    return min(
        options or [anchor.year], key=lambda year: abs((_on(year, month, day) or anchor) - anchor)
    )


def needs_year(mentions: Iterable[Mention]) -> bool:
    """Whether a date of the timeline lacks its year, and no other one of them has it."""
    placed = [mention for mention in mentions if mention.place in _TIMELINE]
    return bool(placed) and not any(mention.year for mention in placed)


def infer_year(mentions: tuple[Mention, ...]) -> int:
    """Return the year that the rest of the document agrees on.

    :raises YearUnclear: if it names no year, or speaks for more than one
    """
    timeline = [m for m in mentions if m.place in _TIMELINE and m.year is None]
    named = (
        _named(timeline, mentions)
        or _weakly_named(timeline, mentions)
        or {
            m.year: [Evidence(f"the document is marked {m.said}", (m.line,))]
            for m in mentions
            if m.place == "year" and m.year
        }
    )
    _add_weekdays(timeline, named)
    if len(named) == 1:
        return next(iter(named))
    raise YearUnclear(
        tuple(YearReading(year, tuple(evidence)) for year, evidence in sorted(named.items()))
    )


def _named(timeline: list[Mention], mentions: tuple[Mention, ...]) -> dict[int, list[Evidence]]:
    """Years named beside a date of the timeline, or by what was to be done soon after it."""
    found: dict[int, list[Evidence]] = {}
    for mention in mentions:
        if mention.year is None or mention.place not in ("text", "action"):
            continue
        if mention.place == "text" and _is_near(mention, timeline):
            found.setdefault(_year_beside(mention, timeline), []).append(
                Evidence(f"the text names {mention.said}", (mention.line,))
            )
        elif mention.place == "action":
            year = _year_before(mention, timeline)
            found.setdefault(year, []).append(
                Evidence(f"an action is dated {mention.said}", (mention.line,))
            )
    return found


def _weakly_named(
    timeline: list[Mention], mentions: tuple[Mention, ...]
) -> dict[int, list[Evidence]]:
    """Years of any other date in the document, which was written after the incident."""
    found: dict[int, list[Evidence]] = {}
    for mention in mentions:
        if mention.year is not None and mention.place in ("text", "remark"):
            year = _year_before(mention, timeline)
            found.setdefault(year, []).append(
                Evidence(f"the text names {mention.said}", (mention.line,))
            )
    return found


def _add_weekdays(timeline: list[Mention], named: dict[int, list[Evidence]]) -> None:
    dated = [m for m in timeline if m.weekday is not None and m.day is not None]
    if not dated:
        return
    fits = {year for year in named if all(_fits(m, year) for m in dated)}
    if named and not fits:
        fits = {
            year
            for nearby in named
            for year in range(nearby - _SEARCHED, nearby + 1)
            if all(_fits(m, year) for m in dated)
        }
        fits = {max(fits)} if fits else set()
    for year in fits:
        names = ", ".join(dict.fromkeys(_WEEKDAYS[m.weekday or 0] for m in dated))
        named.setdefault(year, []).insert(
            0, Evidence(f"the weekdays fit: {names}", tuple(m.line for m in dated))
        )


def _fits(mention: Mention, year: int) -> bool:
    day = _on(year, mention.month, mention.day or 1)
    return day is not None and day.weekday() == mention.weekday


def _is_near(mention: Mention, timeline: list[Mention]) -> bool:
    """Whether either reading of a date lies close to the timeline."""
    readings = [(mention.month, mention.day or 1)]
    if mention.other_month is not None:
        readings.append((mention.other_month, mention.other_day or 1))
    for month, day in readings:
        named = _on(mention.year or 0, month, day)
        for entry in timeline:
            other = _on(mention.year or 0, entry.month, entry.day or 1)
            if named and other and abs(named - other) <= _NEAR:
                return True
    return False


def _year_beside(mention: Mention, timeline: list[Mention]) -> int:
    """Return the year of the timeline's first date, told by a date that lies close to it.

    What was published on 6 January 2021 and begins on 31 December began in 2020.
    """
    year, first = mention.year or 0, timeline[0]
    named = _on(year, mention.month, mention.day or 1)
    start = _on(year, first.month, first.day or 1)
    turned = named is not None and start is not None and start - named > _HALF_A_YEAR
    return year - 1 if turned else year


def _year_before(mention: Mention, timeline: list[Mention]) -> int:
    """Return the latest year that puts the timeline before a date that follows it."""
    year = mention.year or 0
    named = _on(year, mention.month, mention.day or 28)
    first = timeline[0]
    start = _on(year, first.month or 1, first.day or 1)
    return year - 1 if named and start and start > named else year


def _on(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month or 1, day)
    except ValueError:
        return None
