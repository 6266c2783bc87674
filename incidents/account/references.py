"""Live references in a section's Markdown: {{timeline}}, {{duration detect}}, {{entry 12}}.

A block stands alone on its line and becomes a list or a table; an inline one becomes words. What
is in no such form, or names nothing that there is, stays as it was written.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from incidents.account.record import Record
from incidents.account.words import DURATIONS, duration_words, entry_words, moment_words

BLOCKS = {
    "timeline": "every entry, by time",
    "figures": "durations, updates, promises, components",
    "impacts": "what customers went without",
    "updates": "what customers were told",
    "promises": "what customers were promised, and how it ended",
    "causes": "every cause; of one kind alone: {{causes luck}}",
    "actions": "every action item",
}
INLINE = {
    "title": "the incident's title",
    "summary": "its summary",
    "severity": "its severity",
    "components": "the components",
    "duration detect": "how long it took: detect, acknowledge, first-update, mitigate, recover or "
    "resolve",
    "moment started": "when it was: started, detected, declared, first_update, mitigated, "
    "recovered or resolved",
    "entry 12": "an entry of the timeline, by the number in its address",
    "cause 3": "a cause, by its number",
    "action 7": "an action item, by its number",
}
_REFERENCE = re.compile(r"\{\{[ \t]*([a-z][a-z_ 0-9-]{0,60}?)[ \t]*\}\}")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ROWS = ("entry", "cause", "action")


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference as it was written; its words are parted by single spaces."""

    written: str
    name: str
    is_block: bool

    @property
    def block(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def kind(self) -> str:
        """What narrows a block; empty for all."""
        return self.name.partition(" ")[2]


def pieces(body: str) -> Iterator[str | Reference]:
    """Yield the text and the references in it, in their order; joined as written, they are it.

    What stands in fenced code is text.
    """
    fence = ""
    for line in body.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        mark = _FENCE.fullmatch(bare)
        if fence:
            fence = "" if mark and _closes(mark, fence) else fence
            yield line
        elif mark and not ("`" in mark[1] and "`" in mark[2]):
            fence = mark[1]
            yield line
        else:
            yield from _of_line(line, bare)


def open_fence(body: str) -> str:
    """Return the fence with which code that never ends has begun; empty if there is none."""
    fence = ""
    for line in body.splitlines():
        if mark := _FENCE.fullmatch(line):
            if fence:
                fence = "" if _closes(mark, fence) else fence
            elif not ("`" in mark[1] and "`" in mark[2]):
                fence = mark[1]
    return fence


def _closes(mark: re.Match[str], fence: str) -> bool:
    return mark[1].startswith(fence) and not mark[2].strip()


def _of_line(line: str, bare: str) -> Iterator[str | Reference]:
    alone = _REFERENCE.fullmatch(bare.strip())
    if alone and bare[:1] not in (" ", "\t"):
        name = " ".join(alone[1].split())
        if name.partition(" ")[0] in BLOCKS:
            yield Reference(bare, name, is_block=True)
            yield line[len(bare) :]
            return
    last = 0
    for found in _REFERENCE.finditer(line):
        yield line[last : found.start()]
        yield Reference(found[0], " ".join(found[1].split()), is_block=False)
        last = found.end()
    yield line[last:]


def is_known_block(reference: Reference) -> bool:
    """Whether a block can be written: only causes are narrowed, to a kind."""
    kinds = (
        "trigger", "primary", "contributing", "scale", "process", "mitigator", "risk", "luck",
    )  # fmt: skip
    return not reference.kind or (reference.block == "causes" and reference.kind in kinds)


def inline_words(reference: Reference, record: Record) -> str | None:
    """Return what an inline reference says now; None if it names nothing that there is."""
    name, _space, of = reference.name.partition(" ")
    if not of:
        return _whole(name, record)
    if name == "duration" and of in DURATIONS:
        return duration_words(record, of)
    if name == "moment":
        return _moment(record, of)
    return _row(record, name, int(of)) if name in _ROWS and of.isdecimal() else None


def _whole(name: str, record: Record) -> str | None:
    match name:
        case "title" | "summary":
            return " ".join(str(getattr(record, name)).split()) or "not written yet"
        case "severity":
            return record.severity.upper()
        case "components":
            return ", ".join(record.components) or "none named"
    return None


def _moment(record: Record, of: str) -> str | None:
    known = (
        "started", "detected", "declared", "first_update", "mitigated", "recovered", "resolved",
    )  # fmt: skip
    if of not in known:
        return None
    at = dict(record.moments).get(of)
    return moment_words(at, record.tz) if at else "not known"


def _row(record: Record, name: str, number: int) -> str | None:
    if name == "entry":
        entry = next((one for one in record.entries if one.n == number), None)
        return entry_words(entry, record.tz) if entry else None
    rows = record.causes if name == "cause" else record.actions
    row = next((one for one in rows if one.n == number), None)
    return " ".join(row.text.split()) if row else None


def unknown_references(body: str, record: Record) -> tuple[str, ...]:
    """Return the references in a body that name nothing, as they were written."""
    return tuple(
        piece.written
        for piece in pieces(body)
        if isinstance(piece, Reference)
        and not (
            is_known_block(piece) if piece.is_block else inline_words(piece, record) is not None
        )
    )


def renumbered(body: str, number: Callable[[str, int], int | None]) -> str:
    """Return a body whose references to rows carry other numbers.

    ``number`` takes "entry", "cause" or "action" and a number; with None, it stays as it is.
    """

    def said(piece: str | Reference) -> str:
        if isinstance(piece, str):
            return piece
        name, _space, of = piece.name.partition(" ")
        if piece.is_block or name not in _ROWS or not of.isdecimal():
            return piece.written
        other = number(name, int(of))
        return piece.written if other is None else f"{{{{{name} {other}}}}}"

    return "".join(map(said, pieces(body)))
