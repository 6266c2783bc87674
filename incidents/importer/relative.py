"""Times that lean on another one: "the next day", "ten minutes later", "in the days before"."""
# ruff: noqa: E501 - a pattern is read on one line

import re
from dataclasses import dataclass
from datetime import timedelta

from incidents.importer.items import Document
from incidents.importer.leading import after_time, leading_time
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times

_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30,
}  # fmt: skip
_UNIT = r"(?:s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?)"
_BEFORE = re.compile(
    r"^\W*(?:(?:in|during|over|for)\s+)?(?:the\s+|some\s+|a few\s+|several\s+)?"
    r"(?:last\s+|final\s+|few\s+)?(?:minutes?|hours?|days?|weeks?|months?|years?|moments?|run-?up)\s+"
    r"(?:before|prior to|leading (?:up )?to|preceding|to)\s+",
    re.IGNORECASE,
)
_NEXT = re.compile(
    r"^\W*(?:on |by )?(?:the )?(?:next|following) (day|morning|afternoon|evening|night|business day)\b[\s,]*",
    re.IGNORECASE,
)
_LATER = re.compile(
    rf"^\W*(?:about |around |roughly |some |~)?(\d{{1,4}}|{'|'.join(_NUMBERS)}) ?({_UNIT}) later\b[\s,:]*",
    re.IGNORECASE,
)
_AGO = re.compile(
    rf"^\W*(?:about |around |roughly |some |approximately )?(\d{{1,3}}|{'|'.join(_NUMBERS)}) (day|week|month|year)s?"
    r" (?:before|prior to|ahead of) (?:the|this) (?:incident|outage|event|failure|attack|change)\b[\s\])*:,–-]*",
    re.IGNORECASE,
)
_SAME = re.compile(
    r"^\W*(?:later|earlier)?\s*(?:that|the same) (?:same )?(?:day|morning|afternoon|evening|night)\b[\s,:]*",
    re.IGNORECASE,
)
_COUNT = re.compile(
    rf"^[\s\[(*]*T ?([+\-\u2212]) ?(?:(\d{{1,3}}):(\d\d)(?::(\d\d))?"
    rf"|(\d{{1,5}}) ?({_UNIT})(?: ?(\d{{1,2}}) ?(m(?:in(?:ute)?s?)?)?)?\b"
    r"|0{1,2}(?!\d|:\d))[\s\])*:–-]*"
)
_ZERO = re.compile(r"\bT ?(?:[+\-] ?)?0{0,2} ?(?:=|is|was|:)\s", re.IGNORECASE)
_ZERO_AFTER = re.compile(r"[^.;]{0,60}\bT ?[+\-]? ?0{1,2}\b")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_EDGE = re.compile(r"^[\s:,–-]+")


@dataclass(frozen=True, slots=True)
class Ago:
    """So many days, weeks, months or years before the incident."""

    number: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """How a statement leans on another time.

    ``before``: somewhere before ``stated``. ``shift``: that much after the entry before it.
    ``count``: that much after the first dated entry, as in "T+5 min".
    """

    text: str
    words: str
    stated: Stated | None = None
    before: bool = False
    shift: timedelta | None = None
    count: timedelta | None = None
    ago: Ago | None = None
    exact: bool = False


def leading_relative(text: str) -> Relative | None:
    """How ``text`` leans on another time, if that is how it begins."""
    if match := _BEFORE.match(text):
        stated = next(iter(find_times(text[: match.end() + 60])), None)
        if stated is None or stated.begin > match.end() + 12:
            return None
        return Relative(text=text, words=text[: stated.finish], stated=stated, before=True)
    if counted := _leading_count(text):
        return counted
    if match := _LATER.match(text):
        shift = timedelta(seconds=_number(match[1]) * _SECONDS[match[2][0].lower()])
        exact = match[2][0].lower() in "smh"
        return Relative(
            text=text[match.end() :], words=match[0].strip(" ,:"), shift=shift, exact=exact
        )
    if match := _NEXT.match(text) or _SAME.match(text):
        return _on_a_day(text, match, days=1 if match.re is _NEXT else 0)
    return None


def _leading_count(text: str) -> Relative | None:
    """Return how a statement counts from the beginning: "T+5 min", "two days before it"."""
    if match := _AGO.match(text):
        ago = Ago(_number(match[1]), match[2].lower())
        return Relative(text=text[match.end() :], words=match[0].strip(" [(*:,])"), ago=ago)
    if match := _COUNT.match(text):
        return Relative(
            text=text[match.end() :], words=match[0].strip(), count=_counted(match), exact=True
        )
    return None


def _number(words: str) -> int:
    return int(words) if words.isdigit() else _NUMBERS[words.lower()]


def _on_a_day(text: str, match: re.Match[str], *, days: int) -> Relative:
    rest = text[match.end() :]
    stated = leading_time(rest)
    told = stated is not None and (stated.has_clock or stated.has_day)
    clocked = stated if told else None
    return Relative(
        text=after_time(rest, clocked) if clocked else _EDGE.sub("", rest),
        words=match[0].strip(" ,:"),
        stated=clocked,
        shift=timedelta(days=days),
    )


def _is_zero(text: str, stated: Stated) -> bool:
    """Whether a time is the one that "T+5 min" counts from: "T = 10:00", "10:00 UTC (T+0)"."""
    before = list(_ZERO.finditer(text[: stated.begin]))
    if before and not text[before[-1].end() : stated.begin].strip(" *(~"):
        return True
    return bool(_ZERO_AFTER.match(text, stated.finish))


def find_zero(document: Document) -> tuple[int, Point] | None:
    """Return the line and the time that a document counts from, if entries count from one."""
    if not any(_COUNT.match(item.text) for item in document.items):
        return None
    for item in document.items:
        for stated in find_times(item.words.masked):
            if stated.has_clock and _is_zero(item.words.masked, stated):
                return item.line, stated.start
    return None


def _counted(match: re.Match[str]) -> timedelta:
    if match[5]:
        count = timedelta(seconds=int(match[5]) * _SECONDS[match[6][0].lower()])
        count += timedelta(minutes=int(match[7] or 0))
    elif not match[2]:
        count = timedelta()
    elif match[4]:
        count = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4]))
    else:
        count = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return count if match[1] == "+" else -count
