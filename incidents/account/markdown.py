"""An account as Markdown: words to read, and beside them marks by which it is read back whole."""

from collections.abc import Iterable, Iterator

from incidents.account.escaping import escaped, harmless
from incidents.account.marks import mark
from incidents.account.record import Cause, Record, Section
from incidents.account.references import (
    Reference,
    inline_words,
    is_known_block,
    open_fence,
    pieces,
)
from incidents.account.rows import Row, shown
from incidents.account.words import figures, moment_words

# What of a row its visible words alone say; its mark says the rest.
UNMARKED = {
    "entry": ("text",),
    "update": ("body",),
    "promise": (),
    "impact": ("text",),
    "cause": ("text",),
    "action": ("text", "reason", "check", "proof"),
    "dismissal": ("reason",),
}
# Which rows a block writes, and what they are called where no section does.
ROWS = {
    "timeline": ("entry", "Timeline"),
    "updates": ("update", "Updates to customers"),
    "promises": ("promise", "Promises"),
    "impacts": ("impact", "Impact"),
    "causes": ("cause", "Causes"),
    "actions": ("action", "Action items"),
    "dismissals": ("dismissal", "Findings that were decided about"),
}
_BARE = ("sections", "entries", "updates", "promises", "impacts", "causes", "actions",
         "dismissals", "title", "summary")  # fmt: skip


def write_markdown(record: Record) -> str:
    """Return the whole record as a document that reads as one and imports as the same record."""
    return "\n".join(_Writer(record, is_marked=True).lines()) + "\n"


def write_plain(record: Record) -> str:
    """Return the sections alone, their references written out, without any mark."""
    return "\n".join(_Writer(record, is_marked=False).section_lines()).strip() + "\n"


def rows_of(record: Record, block: str) -> Iterable[Row]:
    """Return the rows that a block writes, in the order of the record."""
    return getattr(record, "entries" if block == "timeline" else block)  # type: ignore[no-any-return]


class _Writer:
    """One document. Each row is marked where it stands first, and nowhere else."""

    def __init__(self, record: Record, *, is_marked: bool) -> None:
        self._record = record
        self._is_marked = is_marked
        self._written: set[tuple[str, int]] = set()

    def lines(self) -> Iterator[str]:
        record = self._record
        yield mark("record", record, without=_BARE)
        yield f"# {escaped(record.title)}"
        yield ""
        if record.summary:
            yield escaped(record.summary)
            yield ""
        yield mark("body")
        yield ""
        yield from self._head()
        yield from self.section_lines()
        for block, (name, title) in ROWS.items():
            if left := [row for row in rows_of(record, block) if not self._is_there(name, row)]:
                yield mark("rows")
                yield ""
                yield f"## {title}"
                yield ""
                yield from self._items(name, left)
        yield mark("end")

    def section_lines(self) -> Iterator[str]:
        for section in self._record.sections:
            if self._is_marked:
                yield mark("section", section, without=("title", "body"))
            yield f"## {escaped(section.title)}"
            yield ""
            if self._is_marked:
                yield mark("resume")
            yield from self._section(section)
            if fence := open_fence(section.body):
                if self._is_marked:
                    yield mark("close")
                yield fence
            yield ""

    def _head(self) -> Iterator[str]:
        record = self._record
        yield f"- Severity: {record.severity.upper()}"
        for name, at in record.moments:
            yield f"- {name.replace('_', ' ').capitalize()}: {escaped(moment_words(at, record.tz))}"
        yield ""

    def _section(self, section: Section) -> Iterator[str]:
        text = ""
        for piece in pieces(section.body):
            if isinstance(piece, Reference) and piece.is_block and is_known_block(piece):
                yield from [text] if text else []
                text = ""
                yield from self._block(piece)
            else:
                text += self._inline(piece)
        yield text

    def _inline(self, piece: str | Reference) -> str:
        if isinstance(piece, str):
            return harmless(piece)
        words = inline_words(piece, self._record)
        if words is None:
            return harmless(piece.written)
        said = escaped(words)
        if not self._is_marked:
            return said
        # As it was written; two of these signs would end a comment.
        written = piece.written[2:-2].replace("-", ".")
        return f"<!-- hw:in {written} -->{said}<!-- hw:out -->"

    def _block(self, block: Reference) -> Iterator[str]:
        if self._is_marked:
            yield mark("block", block.written)
        yield ""
        if block.block == "figures":
            yield "| | |"
            yield "|---|---|"
            for label, value in figures(self._record):
                yield f"| {escaped(label)} | {escaped(value)} |"
        else:
            name, _title = ROWS[block.block]
            rows = list(rows_of(self._record, block.block))
            if block.kind:
                rows = [row for row in rows if isinstance(row, Cause) and row.kind == block.kind]
            yield from self._items(name, rows) if rows else ["None is on record."]
        yield ""
        if self._is_marked:
            yield mark("resume")

    def _is_there(self, name: str, row: Row) -> bool:
        return (name, row.n) in self._written

    def _items(self, name: str, rows: Iterable[Row]) -> Iterator[str]:
        for row in rows:
            if self._is_marked and not self._is_there(name, row):
                yield mark(name, row, without=UNMARKED[name])
                self._written.add((name, row.n))
            elif self._is_marked:
                # Said again: the words are to be read, and are not read back.
                yield mark("rows")
            yield from item_lines(row, self._record)
        yield ""


def item_lines(row: Row, record: Record) -> Iterator[str]:
    """Yield the lines of a row: its head, its text, and one line for each further fact."""
    words = shown(row, record)
    yield from f"- **{escaped(words.head)}** {escaped(words.text)}".rstrip(" ").split("\n")
    for name, fact in words.facts:
        if fact:
            yield from f"  - {name}: {escaped(fact)}".split("\n")
