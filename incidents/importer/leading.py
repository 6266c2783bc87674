"""The time with which a statement begins, and what it says after it."""

import re
from dataclasses import replace

from incidents.importer.calendar import Day
from incidents.importer.stated import Point, Stated
from incidents.importer.times import find_times

_PREFIX = re.compile(
    r"[\s\[(*_\"'“:|•–—-]*(?:(?:at|on|by|from|since|between|in|starting(?: at)?|beginning(?: at)?"
    r"|update(?: at)?:?|as of|the|early|late|mid|before|after|prior to|until|time:|date:)"
    r"[\s(*_-]+){0,3}",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"(?:\s*(?:[\])*_:;,|>–—→=]|-+(?=[\s>])|\.(?=\s)|-(?=[A-Za-z]))+|\s+)*\s*")
_STRONG = re.compile(r"[\s\])*_]*(?:[:|>–—→\t]|-+[\s>]|\s-)")
_VAGUE = re.compile(r"\W*(?:in |by )?(?:the )?(?:early|late|mid)\b", re.IGNORECASE)
_LEAD_LENGTH = 240


_ONLY_YEAR = re.compile(
    r"[\s\[(*]*(?:in |early |late |mid-?)*((?:19|20)\d{2})[\])*]*(?=\s*(?:[:–—|]|-\s|$))",
    re.IGNORECASE,
)


def leading_time(text: str) -> Stated | None:
    """Return the time with which ``text`` begins, if it begins with one."""
    if only := _ONLY_YEAR.match(text):
        year = Point(day=Day(year=int(only[1]), month=0))
        return Stated(start=year, begin=only.start(1), finish=only.end(), said=only[0].strip())
    prefix = _PREFIX.match(text)
    offset = prefix.end() if prefix else 0
    for stated in find_times(text[:_LEAD_LENGTH]):
        if stated.begin > offset and text[offset : stated.begin].strip(" ~±(["):
            return None
        vague = bool(_VAGUE.match(text[:offset])) and not stated.has_clock
        said = text[: stated.finish].strip(" :[*")
        return replace(stated, said=said, approx=stated.approx or vague)
    return None


def after_time(text: str, stated: Stated) -> str:
    """Return what ``text`` says after its leading time and the separator that follows."""
    rest = text[stated.finish :]
    separator = _SEPARATOR.match(rest)
    return rest[separator.end() if separator else 0 :].strip()


def is_strongly_parted(text: str, stated: Stated) -> bool:
    """Whether a colon, dash or bar follows the leading time, as in a list of events."""
    rest = text[stated.finish :]
    return not rest.strip() or bool(_STRONG.match(rest))
