"""An account read back from its Markdown. Where a person edited the words, the words count."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from incidents.account.escaping import restored, unescaped
from incidents.account.markdown import ROWS, UNMARKED
from incidents.account.marks import Unreadable, filled, read_mark, value_of
from incidents.account.record import (
    Action,
    Cause,
    Dismissal,
    Entry,
    Impact,
    Promise,
    Record,
    Section,
    Update,
)
from incidents.account.rows import (
    CAUSES,
    MILESTONES,
    OUTCOMES,
    STATES,
    Row,
    shown,
)
from incidents.account.words import read_time
from incidents.errors import Refused

_KINDS: Mapping[str, type[Any]] = {
    "entry": Entry,
    "update": Update,
    "promise": Promise,
    "impact": Impact,
    "cause": Cause,
    "action": Action,
    "dismissal": Dismissal,
}
_ITEM = re.compile(r"- \*\*((?:\\.|[^*\\])*)\*\* ?(.*)", re.DOTALL)
_FACT = re.compile(r"  - ([A-Z][a-z ]+): ?(.*)", re.DOTALL)
_INLINE = re.compile(r"<!-- hw:in ([a-z_ \t0-9.]+) -->.*?<!-- hw:out -->", re.DOTALL)
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\$")
_TOLD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d)\b.*, (\w+)")
_PHASES = ("investigating", "identified", "monitoring", "resolved")


class NotAnAccount(Refused):
    """A document that has marks, but not such as were written here."""

    code = "not-an-account"
    message = (
        "This was exported here, but its hidden marks were changed and cannot be read. Export it "
        "again, and edit only the words that you see."
    )


def is_account(text: str) -> bool:
    """Whether a document was exported here and holds a whole record."""
    head = text.lstrip("\ufeff \t\r\n")[:200]
    return head.startswith("<!-- hw:record ")


def read_account(text: str) -> Record:
    """Return the record that a document holds, with what people wrote into it since.

    :raises NotAnAccount: if its marks cannot be read
    """
    reader = _Reader()
    try:
        for number, line in enumerate(_lines(text), start=1):
            try:
                reader.take(line)
            except Unreadable as fault:
                raise NotAnAccount(f"{NotAnAccount.message} Line {number}: {fault}") from fault
        return reader.record()
    except Unreadable as fault:
        raise NotAnAccount(f"{NotAnAccount.message} {fault}") from fault


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


@dataclass(slots=True)
class _Draft:
    """A section while it is read: its title's lines, and the pieces of its body."""

    given: Mapping[str, Any]
    title: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)


class _Reader:
    """Takes a document line by line. What stands between two marks belongs to the first."""

    def __init__(self) -> None:
        self._head: Record | None = None
        self._rows: dict[str, list[Any]] = {name: [] for name in _KINDS}
        self._sections: list[_Draft] = []
        self._mark: tuple[str, str] = ("", "")
        self._chunk: list[str] = []

    def take(self, line: str) -> None:
        found = read_mark(line)
        if found is None:
            self._chunk.append(line)
            return
        self._finish()
        self._mark, self._chunk = found, []

    def record(self) -> Record:
        """Return what was read.

        :raises Unreadable: if the document does not begin with the record, or has no end
        """
        if self._head is None or self._mark[0] != "end":
            raise Unreadable("The document has no end.")
        rows: dict[str, Any] = {
            "entries" if name == "entry" else f"{name}s": tuple(sorted(kept, key=_number))
            for name, kept in self._rows.items()
        }
        sections = tuple(
            self._section(draft, number) for number, draft in enumerate(self._sections, start=1)
        )
        whole = replace(self._head, sections=sections, **rows)
        return _consistent(whole)

    def _finish(self) -> None:
        """Take what stood behind the last mark."""
        name, words = self._mark
        if name == "record":
            self._read_head(words)
        elif name and self._head is None:
            raise Unreadable("The document does not begin with the record.")
        elif name == "section":
            given = value_of(words)
            if not isinstance(given, dict):
                raise Unreadable("The hidden mark is no object.")
            self._sections.append(_Draft(given=given, title=self._chunk))
        elif name == "resume" and self._sections:
            self._sections[-1].body.append("\n".join(self._chunk))
        elif name == "block" and self._sections:
            written = value_of(words)
            if not isinstance(written, str):
                raise Unreadable("The hidden mark names no block.")
            self._sections[-1].body.append(written)
        elif name in _KINDS:
            self._read_rows(name, words)

    def _read_head(self, words: str) -> None:
        if self._head is not None:
            raise Unreadable("The document holds two records.")
        title, _break, summary = "\n".join(self._chunk).strip("\n").partition("\n\n")
        given = value_of(words)
        if not isinstance(given, dict):
            raise Unreadable("The hidden mark is no object.")
        said = {
            "title": unescaped(title.removeprefix("# ")),
            "summary": unescaped(summary.strip("\n")),
        }
        self._head = filled(Record, given | said)

    def _section(self, draft: _Draft, number: int) -> Section:
        title = unescaped("\n".join(draft.title).strip("\n").removeprefix("## ").strip())
        body = "".join(draft.body)
        body = _INLINE.sub(lambda found: f"{{{{{found[1].replace('.', '-')}}}}}", body)
        said = {"title": title or "Untitled", "body": restored(body).strip(), "n": number}
        section: Section = filled(Section, {**draft.given, **said})
        return section

    def _read_rows(self, name: str, words: str) -> None:
        assert self._head is not None
        given = value_of(words)
        if not isinstance(given, dict):
            raise Unreadable("The hidden mark is no object.")
        for place, (head, text, facts) in enumerate(_items(self._chunk)):
            if place == 0:
                own = dict.fromkeys(UNMARKED[name], "") | given
                if "text" in UNMARKED[name] or name == "update":
                    own["body" if name == "update" else "text"] = text
                if name == "dismissal":
                    own["reason"] = text
                row = filled(_KINDS[name], own)
                self._rows[name].append(_edited(row, head, text, facts, self._head))
            elif (new := _added(name, head, text, facts, self._head)) is not None:
                number = max((row.n for row in self._rows[name]), default=0)
                self._rows[name].append(replace(new, n=max(number, _highest(self._rows)) + 1))


def _highest(rows: Mapping[str, list[Any]]) -> int:
    # Rows that a person wrote stand behind all that were there: others may name those by number.
    return max((row.n for kept in rows.values() for row in kept), default=0) + 1_000_000


def _number(row: Row) -> int:
    return row.n


def _items(lines: list[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield head, text and facts of the items of a list."""
    head, text, facts = "", "", dict[str, str]()
    for line in _joined(lines):
        if item := _ITEM.fullmatch(line):
            if head:
                yield head, text, facts
            head, text, facts = unescaped(item[1]), unescaped(item[2]), {}
        elif (fact := _FACT.fullmatch(line)) and head:
            facts[fact[1]] = unescaped(fact[2])
        elif line.startswith("  ") and head:
            # A person went on in a line of their own.
            text += "\n" + unescaped(line.strip())
    if head:
        yield head, text, facts


def _joined(lines: list[str]) -> Iterator[str]:
    """Yield lines with those joined that a backslash at the end makes one."""
    kept = ""
    for line in lines:
        kept = f"{kept}\n{line}" if kept else line
        if _CONTINUED.search(line):
            continue
        yield kept
        kept = ""
    if kept:
        yield kept


def _edited(row: Row, head: str, text: str, facts: dict[str, str], record: Record) -> Row:
    """Return a row with what a person changed in its words."""
    was = shown(row, record)
    said = {name: fact for name, fact in facts.items() if dict(was.facts).get(name, "") != fact}
    gone = {name: "" for name, fact in was.facts if fact and name not in facts}
    changes = said | gone
    match row:
        case Entry():
            time = row.time if head == was.head else read_time(head, row.time.tz or record.tz)
            return replace(row, time=time, **_entry_changes(changes))
        case Update():
            return row if head == was.head else _update(row, head, record)
        case Promise():
            outcome = head.rpartition(": ")[2]
            is_known = outcome in ("open", "met", "missed", "superseded", "withdrawn")
            row = replace(row, outcome=outcome if is_known else row.outcome)
            return row if text == was.text else replace(row, text=text)
        case Cause():
            return replace(row, kind=_code(CAUSES, head) or row.kind)
        case Action():
            row = replace(row, reason=facts.get("Reason", ""), proof=facts.get("Proof", ""))
            row = replace(row, check=facts.get("How we will know", ""))
            state = _code(STATES, head) or row.state
            return replace(row, state=state, **_action_changes(changes, row, record))
    return row


def _update(row: Update, head: str, record: Record) -> Update:
    found = _TOLD.fullmatch(head)
    time = read_time(found[1], record.tz) if found else None
    if found is None or time is None or time.at is None or found[2] not in _PHASES:
        return row
    # Words to the minute are no news of the second.
    is_same = row.published_at.replace(second=0, microsecond=0) == time.at
    return replace(row, phase=found[2], published_at=row.published_at if is_same else time.at)


def _entry_changes(changes: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, fact in changes.items():
        match name:
            case "Milestone" if not fact or _code(MILESTONES, fact):
                found["milestone"] = _code(MILESTONES, fact)
            case "Outcome" if not fact or _code(OUTCOMES, fact):
                found["outcome"] = _code(OUTCOMES, fact)
            case "Tags":
                found["tags"] = tuple(tag.strip()[:40] for tag in fact.split(",") if tag.strip())
            case "For customers":
                found["is_public"] = fact.lower() == "yes"
            case "See" if not fact:
                found["links"] = ()
    return found


def _action_changes(changes: Mapping[str, str], row: Action, record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, fact in changes.items():
        match name:
            case "Owner":
                found |= {"owner": "", "owner_label": fact[:140]}
            case "Due":
                found["due"] = read_time(fact, row.due.tz or record.tz)
            case "Done":
                found["done"] = read_time(fact, row.done.tz or record.tz)
            case "Tracker":
                found["tracker_url"] = fact
            case "For customers":
                found["is_public"] = fact.lower() == "yes"
    return found


def _added(name: str, head: str, text: str, facts: dict[str, str], record: Record) -> Row | None:
    """Return a row that a person wrote among the others, without a mark."""
    if name == "entry":
        return replace(
            Entry(n=0, time=read_time(head, record.tz), text=text), **_entry_changes(facts)
        )
    if name == "cause" and (kind := _code(CAUSES, head)):
        return Cause(n=0, kind=kind, text=text)
    if name == "action" and (state := _code(STATES, head)):
        new = Action(
            n=0,
            text=text,
            state=state,
            reason=facts.get("Reason", ""),
            proof=facts.get("Proof", ""),
            check=facts.get("How we will know", ""),
        )
        return replace(new, **_action_changes(facts, new, record))
    return None


def _code(words: Mapping[str, str], said: str) -> str:
    return next((code for code, label in words.items() if label == said), "")


def _consistent(record: Record) -> Record:
    """Return a record in which nothing names a row that is gone, and every row says something."""
    kept = {
        block: {row.n for row in getattr(record, "entries" if block == "timeline" else block)}
        for block in ROWS
    }
    entries, updates, causes = kept["timeline"], kept["updates"], kept["causes"]
    if any(len(rows) != len(getattr(record, "entries" if block == "timeline" else block))
           for block, rows in kept.items()):  # fmt: skip
        raise Unreadable("Two rows have the same number.")
    return replace(
        record,
        updates=tuple(one for one in record.updates if one.entry in entries),
        promises=tuple(
            replace(
                one,
                made_in=one.made_in if one.made_in in updates else 0,
                settled_by=one.settled_by if one.settled_by in entries else 0,
                replaced_by=one.replaced_by if one.replaced_by in kept["promises"] else 0,
            )
            for one in record.promises
        ),
        causes=tuple(
            replace(one, evidence=tuple(n for n in one.evidence if n in entries))
            for one in record.causes
        ),
        actions=tuple(
            replace(one, addresses=tuple(n for n in one.addresses if n in causes))
            for one in record.actions
        ),
    )


def moments_of(record: Record) -> dict[str, datetime]:
    """Return the times of the milestones, those of the entries before those that were kept."""
    own = {entry.milestone: entry.time.at for entry in record.entries if entry.milestone}
    return dict(record.moments) | {name: at for name, at in own.items() if at}
