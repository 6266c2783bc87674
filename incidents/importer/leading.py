"""The time with which a statement begins, and what it says after it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

from incidents.importer.calendar import Day
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times
from incidents.importer.zones import Zone

_PREFIX = re.compile(
    r"[\s\[(*_\"'“:|•–—-]*(?:(?:at|on|by|from|since|between|in|starting(?: at)?|beginning(?: at)?"
    r"|um|gegen|ab|am|vers|à|le|dès|om|rond|vanaf|op|a las|sobre|alle"
    r"|update(?: at)?:?|(?:last )?(?:posted|updated|published)(?: (?:at|on))?:?"
    r"|as of|also|the|early|late|mid|(?:morning|afternoon|evening|night)(?: of)?"
    r"|before|after|prior to|until|time:|date:)"
    r"[\s(*_-]+){0,3}",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"(?:\s*(?:[\])*_:;,|>–—→=]|-+(?=[\s>])|\.(?=\s)|-(?=[A-Za-z]))+|\s+)*\s*")
_STRONG = re.compile(r"[\s\])*_]*(?:[:|>–—→\t]|-+[\s>]|\s-)")
_ROUGHLY = re.compile(r"\W*(?:gegen|vers|rond|sobre)\b", re.IGNORECASE)
_EPOCH = re.compile(r"[\s\[(]*(?P<seconds>1\d{9})(?:\d{3})?[\])]*(?=\s*(?:[:|–—]|-\s|$))")
_VAGUE = re.compile(
    r"\W*(?:also )?(?:in |by |on )?(?:the )?(?:early|late|mid|morning|afternoon|evening|night)\b",
    re.IGNORECASE,
)
_LEAD_LENGTH = 240
_PREFIXES = 60


_ONLY_YEAR = re.compile(
    r"[\s\[(*]*(?:in |early |late |mid-?)*(?P<year>(?:19|20)\d{2})"
    r"(?:-(?:(?P<month>0[1-9]|1[0-2])|MM|XX|\?\?)-(?:DD|XX|\?\?))?(?:\[\^\w+\])?[\])*]*(?=\s*(?:[:–—|]|-\s|$))",
    re.IGNORECASE,
)


def leading_time(text: str) -> Stated | None:
    """Return the time with which ``text`` begins, if it begins with one."""
    return _leading(text[: _LEAD_LENGTH + _PREFIXES])


# Statements are looked at in several passes, from several sides.
@lru_cache(maxsize=16_384)
def _leading(text: str) -> Stated | None:
    if only := _ONLY_YEAR.match(text):
        coarse = Point(day=Day(year=int(only["year"]), month=int(only["month"] or 0)))
        return Stated(start=coarse, begin=only.start(1), finish=only.end(), said=only[0].strip())
    if epoch := _EPOCH.match(text):
        return _since_epoch(epoch)
    prefix = _PREFIX.match(text)
    offset = prefix.end() if prefix else 0
    for stated in find_times(text[:_LEAD_LENGTH]):
        if stated.begin > offset and text[offset : stated.begin].strip(" ~±(["):
            return None
        vague = bool(_VAGUE.match(text[:offset])) and not stated.has_clock
        vague = vague or bool(_ROUGHLY.match(text[:offset]))
        said = text[: stated.finish].strip(" :[*")
        return replace(stated, said=said, approx=stated.approx or vague)
    return None


def _since_epoch(match: re.Match[str]) -> Stated:
    """Return the time that seconds since 1970 mean, with or without milliseconds after them."""
    moment = datetime.fromtimestamp(int(match["seconds"]), tz=UTC)
    point = Point(
        day=Day(year=moment.year, month=moment.month, day=moment.day),
        clock=moment.time(),
        zone=Zone("UTC", minutes=0),
    )
    return Stated(
        start=point,
        begin=match.start("seconds"),
        finish=match.end(),
        said=match[0].strip(" [(])"),
    )


def after_time(text: str, stated: Stated) -> str:
    """Return what ``text`` says after its leading time and the separator that follows."""
    rest = text[stated.finish :]
    separator = _SEPARATOR.match(rest)
    return rest[separator.end() if separator else 0 :].strip()


def is_strongly_parted(text: str, stated: Stated) -> bool:
    """Whether a colon, dash or bar follows the leading time, as in a list of events."""
    rest = text[stated.finish :]
    return not rest.strip() or bool(_STRONG.match(rest))
