"""Dates as people write them: one pattern, read into year, month and day."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# By their first letters, in English, German, French, Dutch, Spanish, Italian and Portuguese.
_MONTHS = (
    r"jan(?:uary?|uari?|vier|v|eiro)?|jänner|gennaio|enero",
    r"feb(?:ruary?|ruari?|rero|braio)?|fév(?:rier|r)?|fevrier|fevereiro",
    r"mar(?:ch|s|zo)?|märz|maerz|maart|março",
    r"apr(?:ile?)?|avr(?:il)?|abril",
    r"may|mai(?:o)?|mayo|mei|maggio",
    r"jun[ei]?|juin|junio|junho|giugno",
    r"jul[yi]?|juil(?:let)?|julio|julho|luglio",
    r"aug(?:ust(?:us)?)?|août|aout|agosto",
    r"sept?(?:embre|embre?r?|iembre)?|settembre|setembro",
    r"o[ck]t(?:ob(?:er|re))?|octubre|ottobre|outubro",
    r"nov(?:emb(?:er|re)|iembre|embro)?",
    r"de[cz](?:emb(?:er|re|ro))?|déc(?:embre)?|diciembre|dicembre",
)
_MONTH = f"(?:{'|'.join(_MONTHS)})"
_MONTH_NAMES = tuple(re.compile(names, re.IGNORECASE) for names in _MONTHS)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NTH = rf"{_DAY}(?:st|nd|rd|th)?"
_ORDINAL = rf"{_DAY}(?:st|nd|rd|th|er|\.|º|e)?"
_YEAR = r"(?:19|20)\d{2}"
# A year that is not the hour and minute of "Oct 21 2015 UTC" or "Oct 21 20:15".
_TAIL_YEAR = rf"{_YEAR}(?!\d|:\d|\s?(?:UTC|GMT|Z\b))"
_DASH = r"\s?(?:-|–|—|to|until|through)\s?"
WEEKDAY = r"(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"

# The order is the order of trust: the longer and less ambiguous forms come first.
DATE_PATTERN = "|".join(
    (
        rf"(?P<iso>(?<![\d\-]){_YEAR}(?P<s1>[-/.])(?:0?[1-9]|1[0-2])(?P=s1){_DAY}(?!\d|[-/]\d))",
        rf"(?P<ymd>(?<!\d){_YEAR}[ \-,]{{1,2}}{_MONTH}\b\.?[ \-]{_NTH}\b(?!:\d))",
        rf"(?P<mdd>\b{_MONTH}\b\.?[ ]?{_NTH}{_DASH}{_NTH}(?!\d|[:.]\d|\s?[ap]\.?m\b)(?:,?\s{_TAIL_YEAR})?)",
        rf"(?P<ddm>(?<![\d:.\-]){_NTH}{_DASH}{_NTH}(?:\sof)?[ ]{_MONTH}\b\.?(?:,?\s{_TAIL_YEAR})?)",
        rf"(?P<mdy>\b{_MONTH}\b\.?[ \-]?{_NTH}\b(?!\d|:\d|\s?[ap]\.?m\b)(?:(?:,\s?|\s|-){_TAIL_YEAR})?)",
        rf"(?P<dmy>(?<![\d:.,\-/]){_ORDINAL}(?:\s(?:of|de|di))?[ \-/]{_MONTH}\b\.?(?:(?: de |[ ,\-/]{{1,2}}){_TAIL_YEAR})?)",
        rf"(?P<num>(?<![\d.:/\-]){_DAY}(?P<s2>[-/.]){_DAY}(?P=s2)(?:{_YEAR}|\d{{2}}(?=\b(?!\.\d)))(?![\d/\-]))",
        rf"(?P<md>(?<![\d.:/\-])(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|(?:0?[1-9]|1[0-2])/{_DAY})(?=[ T,]{{1,2}}[0-2]?\d:[0-5]\d))",
        r"(?P<dm>(?<![\d.:/\-])(?:1[3-9]|2\d|3[01])[-/](?:0?[1-9]|1[0-2])(?=[ ,]{1,2}[0-2]?\d:[0-5]\d))",
        rf"(?P<my>\b{_MONTH}\b\.?,?\s{_TAIL_YEAR}\b)",
        rf"(?P<iym>(?<![\d\-/]){_YEAR}-(?:0[1-9]|1[0-2])(?![\d\-]))",
    )
)

_NUMBER = re.compile(r"\d+")
_NAME = re.compile(_MONTH, re.IGNORECASE)
_SHORT_YEARS = 99
_LONGEST_MONTH = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A date as written: what is not stated is None; month 0 means that only a year is named.

    ``last`` is the end of a range such as "January 15-17"; ``swapped`` is the other reading of
    a numeric date whose day and month could be exchanged.
    """

    year: int | None
    month: int
    day: int | None = None
    last: int | None = None
    swapped: "Day | None" = None

    def on(self, year: int) -> date | None:
        """Return the date in that year; None if the calendar has none."""
        try:
            return date(year, self.month or 1, self.day or 1)
        except ValueError:
            return None

    def exchanged(self) -> "Day":
        """Return the other reading of an ambiguous numeric date, or the date itself."""
        return self.swapped or self


def read_day(match: re.Match[str]) -> Day | None:
    """Return the date of a match of DATE_PATTERN as it is written, be it one that does not exist."""
    form = str(match.lastgroup) if match.lastgroup not in ("s1", "s2") else ""
    form = form or ("iso" if match["iso"] else "num")
    words = match[form]
    if form == "num" and "." in words:
        form = "dot"  # "01.03.2022" is written where the day comes first
    numbers = [int(number) for number in _NUMBER.findall(words)]
    name = _NAME.search(words)
    return _READERS[form](numbers, _month(name[0]) if name else 0)


def _month(name: str) -> int:
    return next(n for n, names in enumerate(_MONTH_NAMES, 1) if names.fullmatch(name))


def _numeric(numbers: list[int], *, dotted: bool) -> Day | None:
    first, second, year = numbers
    year += 0 if year > _SHORT_YEARS else 2000
    month_first = Day(year=year, month=first, day=second)
    day_first = Day(year=year, month=second, day=first)
    if first > len(_MONTHS):
        return day_first if second <= len(_MONTHS) else None
    if second > len(_MONTHS):
        return month_first
    if dotted:
        return day_first
    return replace(month_first, swapped=day_first if first != second else None)


def _without_year(numbers: list[int]) -> Day:
    month, day = numbers
    other = Day(year=None, month=day, day=month) if day <= len(_MONTHS) and day != month else None
    return Day(year=None, month=month, day=day, swapped=other)


def _named(numbers: list[int], month: int) -> Day:
    year = numbers.pop() if numbers[-1] > _LONGEST_MONTH else None
    last = numbers[1] if len(numbers) > 1 else None
    return Day(year=year, month=month, day=numbers[0], last=last)


_READERS: dict[str, Callable[[list[int], int], Day | None]] = {
    "iso": lambda n, _: Day(year=n[0], month=n[1], day=n[2]),
    "ymd": lambda n, month: Day(year=n[0], month=month, day=n[1]),
    "mdd": _named,
    "ddm": _named,
    "mdy": _named,
    "dmy": _named,
    "num": lambda n, _: _numeric(n, dotted=False),
    "dot": lambda n, _: _numeric(n, dotted=True),
    "md": lambda n, _: _without_year(n),
    "dm": lambda n, _: Day(year=None, month=n[1], day=n[0]),
    "my": lambda n, month: Day(year=n[0], month=month),
    "iym": lambda n, _: Day(year=n[0], month=n[1]),
}
