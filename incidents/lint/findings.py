"""What the lint hands out: a finding, with everything a person needs to judge it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from incidents.importer import Entry


class Level(StrEnum):
    """Errors hold up the approval of a postmortem; warnings and notices do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Thing(Protocol):
    """What a finding can be about: it stands in a line of a document, or is a row."""

    @property
    def line(self) -> int: ...

    @property
    def row(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a timeline that contradicts itself, is missing, or came late.

    ``objects`` name what it is about: rows of the record (``entry:12``, ``action:3``) or lines of
    a document (``line:4``). ``lines`` are the source lines among them and ``entries`` the numbers
    of the timeline entries. ``code`` is stable, so that a dismissal can name it.
    """

    code: str
    level: Level
    message: str
    objects: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()
    evidence: str = ""
    fix: str = ""

    @property
    def subject(self) -> str:
        """What it is about, in words that stay the same while it is about the same."""
        return " ".join(sorted(self.objects))

    def as_json(self) -> dict[str, Any]:
        """Return it as the API and the commands show it."""
        return {
            "code": self.code,
            "level": str(self.level),
            "subject": self.subject,
            "objects": list(self.objects),
            "lines": list(self.lines),
            "message": self.message,
            "evidence": self.evidence,
            "fix": self.fix,
        }


def finding(
    code: str,
    level: Level,
    things: Iterable[Thing],
    *,
    message: str,
    evidence: str = "",
    fix: str = "",
) -> Finding:
    """Return a finding about these entries, actions, causes or mentions."""
    about = list(things)
    return Finding(
        code=code,
        level=level,
        message=message,
        objects=tuple(dict.fromkeys(name_of(thing) for thing in about)),
        lines=tuple(dict.fromkeys(thing.line for thing in about if not thing.row)),
        entries=tuple(dict.fromkeys(thing.n for thing in about if isinstance(thing, Entry))),
        evidence=evidence,
        fix=fix,
    )


def name_of(thing: Thing) -> str:
    """Return the row that a thing is, or the line in which it stands."""
    return thing.row or f"line:{thing.line}"


def cite(thing: Thing, words: str) -> str:
    """Return words with the place where they stand: a line, or the time of an entry."""
    if not thing.row:
        return f"line {thing.line}: {words}"
    if isinstance(thing, Entry):
        return f"{clock(thing.start)}: {words}"
    return f"{thing.row.partition(':')[0]}: {words}"


def clock(words: str | None) -> str:
    """Write an ISO time as a person does: ``2026-01-12 00:14``."""
    if not words:
        return "time not known"
    return words[: len("2026-01-12T00:14")].replace("T", " ")
