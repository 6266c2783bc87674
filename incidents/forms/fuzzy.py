"""Dates as people plan: a day, a month, a quarter, a year, or from one to another."""

import re
from datetime import UTC, date, datetime, time

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents.times import OutOfTime, is_in_time
from incidents.values import Precision, When, zone

FORMS = gettext_lazy(
    "As exact as you can say: 2026-02-14, 14 February 2026, February 2026, Q1 2026 or 2026; "
    "or from one to another, 2026-02-14 to 2026-02-16."
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_SHORTEST = 3
_JOINER = re.compile(r"\s*(?:–|—|\bto\b|\buntil\b|\s-\s)\s*", re.IGNORECASE)
_APPROX = re.compile(r"^(?:~|±|≈|about\s|around\s)\s*", re.IGNORECASE)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), precision)
    for pattern, precision in (
        (r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})", Precision.DAY),
        (r"(?P<day>\d{1,2})\.?\s+(?P<name>[a-z]+)\.?,?\s+(?P<year>\d{4})", Precision.DAY),
        (r"(?P<name>[a-z]+)\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})", Precision.DAY),
        (r"(?P<year>\d{4})-(?P<month>\d{1,2})", Precision.MONTH),
        (r"(?P<name>[a-z]{3,})\.?,?\s+(?P<year>\d{4})", Precision.MONTH),
        (r"Q(?P<quarter>[1-4])[\s/-]*(?P<year>\d{4})", Precision.QUARTER),
        (r"(?P<year>\d{4})[\s/-]*Q(?P<quarter>[1-4])", Precision.QUARTER),
        (r"(?P<year>\d{4})", Precision.YEAR),
    )
)


def read_fuzzy(words: str, *, tz: str) -> When:
    """Read a date as exact as it is said, in this zone.

    :raises ValueError: with a sentence that names the forms, if it cannot be read
    """
    said = " ".join(words.split())
    bare = _APPROX.sub("", said)
    parts = _JOINER.split(bare)
    if len(parts) > 2:  # noqa: PLR2004 - from one to another
        raise ValueError(_unreadable(said))
    start, precision = _read_one(parts[0], said)
    until = None
    if len(parts) > 1:
        end, end_precision = _read_one(parts[1], said)
        if end_precision != precision:
            raise ValueError(_("Both ends of a range must be equally exact."))
        if end < start:
            raise ValueError(_("The end is before the start."))
        until = _instant(end, tz)
    return When(
        at=_instant(start, tz),
        until=until,
        precision=precision,
        approx=bare != said,
        tz=tz,
        said=said,
    )


def _read_one(words: str, said: str) -> tuple[date, str]:
    for pattern, precision in _SHAPES:
        if found := pattern.fullmatch(words.strip()):
            day = _date(found.groupdict(), said)
            if not is_in_time(day):
                raise ValueError(str(OutOfTime.message))
            return day, precision
    raise ValueError(_unreadable(said))


def _date(parts: dict[str, str | None], said: str) -> date:
    year = int(parts["year"] or 0)
    if quarter := parts.get("quarter"):
        return date(year, int(quarter) * 3 - 2, 1)
    name = parts.get("name")
    month = _month(name, said) if name else int(parts.get("month") or 1)
    try:
        return date(year, month, int(parts.get("day") or 1))
    except ValueError as fault:
        raise ValueError(_("%s is no day of the calendar.") % said) from fault


def _month(name: str, said: str) -> int:
    word = name.lower()
    for number, month in enumerate(_MONTHS, start=1):
        if month.startswith(word) and len(word) >= _SHORTEST:
            return number
    raise ValueError(_unreadable(said))


def _instant(day: date, tz: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone(tz)).astimezone(UTC)


def _unreadable(said: str) -> str:
    return _("“%(said)s” is not understood. %(forms)s") % {"said": said, "forms": FORMS}
