"""Causes and factors: sections that name them, and lines that are labelled so."""

import re

from incidents.importer.items import SIGN, Document, Item, Kind
from incidents.importer.leading import leading_time
from incidents.importer.reading import Cause
from incidents.importer.sections import Section, SectionRole

_LABEL = re.compile(
    r"^\W*(?P<label>(?:(?:primary|root|main|underlying|direct|immediate|contributing|scale|process|trigger(?:ing)?"
    r"|aggravating|mitigating)\s+)?(?:causes?|factors?|trigger|mitigator|risk))\s*(?:\([^)]*\))?\s*[:–—-]\s*",
    re.IGNORECASE,
)
_KINDS = (
    ("trigger", re.compile(r"trigger", re.IGNORECASE)),
    ("contributing", re.compile(r"contribut|aggravat", re.IGNORECASE)),
    ("scale", re.compile(r"scale", re.IGNORECASE)),
    ("process", re.compile(r"process", re.IGNORECASE)),
    ("mitigator", re.compile(r"mitigat", re.IGNORECASE)),
    ("risk", re.compile(r"risk", re.IGNORECASE)),
    ("luck", re.compile(r"luck", re.IGNORECASE)),
    ("primary", re.compile(r"primary|root|main|underlying|direct|immediate|cause", re.IGNORECASE)),
)
# A choice that was made, rather than a thing that broke.
_CHOICE = re.compile(
    r"\brather than\b|\binstead of\b|\bworkarounds? (?:was|were)\b"
    r"|\b(?:review|procedure|process|runbook|policy)\b"
    r"|\bno (?:procedure|process|runbook|alert|test)|\bwas not (?:tested|reviewed|documented)\b",
    re.IGNORECASE,
)


def find_causes(document: Document, entry_lines: set[int]) -> list[Cause]:
    """Return the causes, in the order of the document."""
    causes: list[Cause] = []
    grown: dict[int, int] = {}
    after_label = False
    for item in document.items:
        if item.line in entry_lines or item.kind in (Kind.CODE, Kind.QUOTE, Kind.ROW):
            after_label = after_label and item.line not in entry_lines
            continue
        label = _LABEL.match(item.text)
        if label and item.kind != Kind.HEADING and _may_label(item):
            causes.append(_cause(item, kind_of(label["label"]), item.text[label.end() :]))
            after_label = True
        elif after_label and _goes_on(item):
            causes.append(_cause(item, _kind_by_words(item.text), item.text))
        elif item.section.own_role == SectionRole.CAUSES and item.kind in (Kind.LINE, Kind.BULLET):
            _grow(causes, grown, item)
            after_label = False
        else:
            after_label = False
    return causes


def _may_label(item: Item) -> bool:
    return item.section.role not in (SectionRole.ACTIONS, SectionRole.NOISE)


def _goes_on(item: Item) -> bool:
    """Tell whether a line goes on with the factors: it has no label, time or sign of its own."""
    return (
        item.kind in (Kind.LINE, Kind.BULLET)
        and item.section.role not in (SectionRole.ACTIONS, SectionRole.NOISE)
        and leading_time(item.text) is None
        and not SIGN.match(item.text)
    )


def _grow(causes: list[Cause], grown: dict[int, int], item: Item) -> None:
    """Paragraphs of one section tell one cause; each outer bullet tells one of its own."""
    key = item.section.line
    if item.kind == Kind.BULLET and item.indent == 0:
        causes.append(_cause(item, _kind_of_section(item.section), item.text))
        grown[key] = len(causes) - 1
    elif key in grown:
        known = causes[grown[key]]
        causes[grown[key]] = Cause(
            line=known.line, kind=known.kind, text=f"{known.text}\n\n{item.text}"
        )
    else:
        causes.append(_cause(item, _kind_of_section(item.section), item.text))
        grown[key] = len(causes) - 1


def _kind_of_section(section: Section) -> str:
    return kind_of(section.title) if section.own_role else _kind_by_words(section.title)


def kind_of(label: str) -> str:
    """Return the kind of cause that a label or a heading names."""
    return next((kind for kind, words in _KINDS if words.search(label)), "contributing")


def _kind_by_words(text: str) -> str:
    return "process" if _CHOICE.search(text) else "contributing"


def _cause(item: Item, kind: str, text: str) -> Cause:
    return Cause(line=item.line, kind=kind, text=text.strip())
