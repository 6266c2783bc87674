"""Sentences of running text that tell when something happened."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from incidents.importer.leading import after_time, leading_time
from incidents.importer.markdown import Plain
from incidents.importer.stated import Stated
from incidents.importer.times import find_times

# Not after "a.m.", "approx." or an initial.
_BREAK = re.compile(
    r";\s+(?=[A-Za-z])|(?<=[.!?])(?<!\b[ap]\.m\.)(?<!approx\.)(?<!\bca\.)(?<!\b[A-Z]\.)[\"”')]*\s+(?=[\"“'(\[]?[A-Z0-9@])"
)
# ", and at 7 pm it was warm": a clause with a clock of its own, after one with another.
_CLAUSE = re.compile(
    r",\s+(?:and then|and|but|then)\s+(?=(?:[\w'’-]+\s+){0,8}?(?:at|by)\s+(?:about\s+|around\s+|~)?"
    r"\d{1,2}(?::\d\d|\s?[ap]\.?m))",
    re.IGNORECASE,
)
_DANGLING = re.compile(r",\s+(?:and then|and|but|then)$", re.IGNORECASE)
_INNER = re.compile(
    r"(?:,?\s*\b(?:at|on|by|from|since|until|around|about|between|in|as of|starting)\s+"
    r"(?:the\s+|approximately\s+|roughly\s+|around\s+|about\s+)*)?$",
    re.IGNORECASE,
)
_FUTURE = re.compile(
    r"\b(?:will|shall|going to|plan(?:ned|s)? to|scheduled for|due)\b", re.IGNORECASE
)
_HABIT = re.compile(
    r"\b(?:(?:every|each) (?:hour|day|night|morning|evening|week|month|\w+day)"
    r"|daily|nightly|weekly|(?:on|at) week(?:days|ends)|usually|normally|always|please)\b",
    re.IGNORECASE,
)
# "The nightly job had locked the table at 02:10" happened once.
_ONCE = re.compile(
    r"\b(?:the|our|a) (?:daily|nightly|weekly)\b.*"
    r"\b(?:had|was|were|caused|failed|began|started|crashed|stopped|broke)\b",
    re.IGNORECASE,
)
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with a clock time, and its words without it."""

    stated: Stated
    text: str
    offset: int = 0
    leads: bool = True


def sentences(words: Plain) -> Iterator[Sentence]:
    """Return the sentences that state a clock time, or that begin with a date."""
    position = 0
    for part in _split(words.masked):
        text = words.text[position : position + len(part)]
        if found := _told(text.strip(" ;"), part.strip(" ;")):
            yield replace(found, text=_DANGLING.sub("", found.text), offset=position)
        position += len(part)


def _split(masked: str) -> Iterator[str]:
    begin = 0
    for match in _BREAK.finditer(masked):
        yield from _clauses(masked[begin : match.end()])
        begin = match.end()
    yield from _clauses(masked[begin:])


def _clauses(sentence: str) -> Iterator[str]:
    begin = 0
    for match in _CLAUSE.finditer(sentence):
        if any(_tells(found) for found in find_times(sentence[begin : match.start()])):
            yield sentence[begin : match.end()]
            begin = match.end()
    yield sentence[begin:]


def _told(text: str, masked: str) -> Sentence | None:
    if len(masked) > _LONGEST:
        return None
    stated = leading_time(masked)
    if stated is not None:
        return Sentence(stated, after_time(text, stated))
    inner = next((found for found in find_times(masked) if _tells(found)), None)
    if inner is None or _FUTURE.search(masked):
        return None
    if not inner.has_day and _HABIT.search(masked) and not _ONCE.search(masked):
        return None
    before = _INNER.sub("", text[: inner.begin])
    words = f"{before.rstrip(' (,:')}{_after(text[inner.finish :])}".strip()
    return Sentence(inner, words, leads=False)


def _tells(stated: Stated) -> bool:
    """Whether a time within a sentence is one: "from midnight" alone is a habit."""
    if not stated.has_clock:
        return False
    return stated.has_day or stated.said.lower() not in ("noon", "midnight")


def _after(rest: str) -> str:
    return rest.lstrip(")]") if rest[:1] in ").,;:]" else f" {rest.lstrip()}"
