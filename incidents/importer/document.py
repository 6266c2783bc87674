"""A document cut into what a reader sees: headings, list items, table rows, lines."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from incidents.importer.items import SIGN, Document, Item, Kind
from incidents.importer.leading import after_time, is_strongly_parted, leading_time
from incidents.importer.markdown import Plain, plain
from incidents.importer.sections import (
    LIST_LEVEL,
    Section,
    is_section_name,
    role_of,
    section_at,
)
from incidents.importer.webtables import begins_table, ends_of_tables, web_rows

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_ATX = re.compile(r"^ {0,3}(#{1,6})(?:\s+|(?=[A-Za-z0-9]))(.*?)\s*#*\s*$")
_WIKI = re.compile(r"^(={2,4})\s*([^=].*?)\s*\1\s*$")
_SETEXT = re.compile(r"^ {0,3}(=+|-{2,})\s*$")
_RULE = re.compile(r"^\s*(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$")
_BULLET = re.compile(r"^(\s*)([-*+•●◦‣▪–—]|\(?\d{1,3}[.)])\s+(?=\S)")
_NUMBER = re.compile(r"\d{1,2}[.)]\s+(?=\S)")
_QUOTE = re.compile(r"^\s*>+ ?")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-*:?\s*)*\|?\s*$")
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_CODE_SPAN = re.compile(r"`[^`]*`")
_FIELD = re.compile(r"^\s*([A-Za-z_][\w \-]*)\s*[:=]\s*(.+)$")
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*\S+")
_ENDS_STATEMENT = re.compile(r"[.!?:;)\"”’]\s*$")
# Hyphens that do not break, spaces of many widths, and a wide colon: the same to a reader.
_TYPOGRAPHY = {
    **dict.fromkeys((0x2010, 0x2011), "-"),
    **dict.fromkeys((0xA0, 0x2007, 0x2009, 0x200A, 0x202F, 0x3000), " "),
    0xFF1A: ":",
    **dict.fromkeys((0x301C, 0xFF5E), "~"),
}
_TABS = 4
_NARROWEST_WRAP = 66
_LONGEST_LABEL = 80
_FRONT_MATTER = 80
_REMARKS = 20
_TITLE_WORDS = 4


def read_document(text: str) -> Document:
    """Cut ``text`` into items. Line numbers are 1-based and count every line of the source."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_TYPOGRAPHY)
    remarks = tuple(
        (text.count("\n", 0, match.start()) + 1, match[1])
        for match in islice(_COMMENT.finditer(text), _REMARKS)
    )
    lines = _COMMENT.sub(_keep_lines, text).expandtabs(_TABS).split("\n")
    begin, fields = _front_matter(lines)
    cutter = _Cutter(lines)
    cutter.cut(begin)
    return Document(tuple(cutter.items), tuple(fields), remarks, len(lines))


def _keep_lines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _front_matter(lines: list[str]) -> tuple[int, list[tuple[int, str, str]]]:
    first = next((n for n, line in enumerate(lines) if line.strip()), 0)
    fence = lines[first].strip() if lines else ""
    if fence not in ("---", "+++"):
        return 0, []
    fields: list[tuple[int, str, str]] = []
    for n in range(first + 1, min(first + _FRONT_MATTER, len(lines))):
        if lines[n].strip() == fence:
            return n + 1, fields
        if match := _FIELD.match(lines[n]):
            fields.append((n + 1, match[1].strip().lower(), match[2].strip().strip("\"'")))
    return 0, []


@dataclass(slots=True)
class _Open:
    """A statement that may go on on the next line."""

    line: int
    kind: Kind
    indent: int
    parts: list[str]
    mark: str = ""
    after_blank: bool = True


@dataclass(slots=True)
class _Cutter:
    """Walks the lines once, and knows what the line before was."""

    lines: list[str]
    items: list[Item] = field(default_factory=list)
    section: Section = field(default_factory=Section)
    open: _Open | None = None
    blank: bool = True
    list_indent: int = -1
    table: int = 0
    in_table: bool = False
    outer_headings: int = 0
    code_indent: int = 0
    table_ends: list[int] = field(default_factory=list)
    tables_from: int = 0

    def cut(self, n: int) -> None:
        # One outermost heading is the title; several are chapters, or incidents.
        self.outer_headings = sum(1 for line in self.lines if re.match(r"#\s", line)) or 1
        self.table_ends = ends_of_tables(self.lines)
        while n < len(self.lines):
            n = self._step(n)
        self._close()

    def _step(self, n: int) -> int:
        line = self.lines[n]
        if fence := _FENCE.match(line):
            return self._fenced(n, fence[1])
        if not line.strip():
            self._close()
            self.blank, self.in_table = True, False
            return n + 1
        if n >= self.tables_from and begins_table(line) and (after := self._web_table(n)):
            return after
        if self._is_heading(n):
            return n + (2 if _is_underlined(self.lines, n) else 1)
        self._line(n, line)
        self.blank = False
        return n + 1

    def _line(self, n: int, line: str) -> None:
        indent = len(line) - len(line.lstrip())
        if _REFERENCE.match(line) or (_RULE.match(line) and not _TABLE_RULE.match(line)):
            self._close()
        elif self._is_row(n):
            self._row(n, line)
        elif match := _BULLET.match(line):
            self._close()
            self.list_indent = len(match[1])
            self.open = _Open(
                n + 1, Kind.BULLET, len(match[1]), [line[match.end() :]], match[2], self.blank
            )
        elif _QUOTE.match(line):
            self._add(n, Kind.QUOTE, _QUOTE.sub("", line), indent)
        elif self._is_code(indent):
            self._add(n, Kind.CODE, line, indent)
        elif self.open is not None and not self._breaks(line):
            self.open.parts.append(line.strip())
        elif self.blank and indent >= _TABS and indent <= self.list_indent:
            self._add(n, Kind.LINE, line.strip(), indent)
        else:
            self._begin_line(n, line, indent)

    def _is_code(self, indent: int) -> bool:
        """Whether a line is set in by four more than its surroundings, after a blank line."""
        base = 0 if self.list_indent < 0 else self.list_indent + 2
        after_code = bool(self.code_indent) and not self.blank
        if indent >= base + _TABS and (self.blank or after_code):
            self.code_indent = indent
            return True
        self.code_indent = 0
        return False

    def _begin_line(self, n: int, line: str, indent: int) -> None:
        if indent == 0:
            self.list_indent = -1
        after_blank = self.blank
        self._close()
        self.open = _Open(n + 1, Kind.LINE, indent, [line.strip()], after_blank=after_blank)

    def _add(self, n: int, kind: Kind, text: str, indent: int) -> None:
        self._close()
        self._emit(_Open(n + 1, kind, indent, [text], after_blank=self.blank))

    def _breaks(self, line: str) -> bool:
        """Whether a line begins a statement of its own rather than going on with the last.

        A break is deliberate if the next word would have fitted on the line before, or if the
        line before is whole and the next one begins with a time.
        """
        assert self.open is not None
        before, words = self.open.parts[-1], line.strip()
        stated = leading_time(plain(words[: _TABS * 60]).text)
        if self.open.kind == Kind.BULLET:
            if stated is not None and not after_time(words, stated) and stated.has_day:
                return len(line) - len(line.lstrip()) <= self.open.indent
            if stated is None or not stated.has_clock:
                return False
            whole = leading_time(plain(" ".join(self.open.parts)).text)
            bare = whole is not None and not after_time(" ".join(self.open.parts), whole)
            return bare or (is_strongly_parted(words, stated) and not _is_full(before, words))
        if SIGN.match(words) or not _is_full(before, words):
            return True
        parted = stated is not None and is_strongly_parted(plain(words).text, stated)
        return (stated is not None and bool(_ENDS_STATEMENT.search(before))) or parted

    def _fenced(self, n: int, fence: str) -> int:
        self._close()
        end = n + 1
        while end < len(self.lines) and not self.lines[end].strip().startswith(fence):
            if self.lines[end].strip():
                self._emit(_Open(end + 1, Kind.CODE, 0, [self.lines[end]]))
            end += 1
        self.blank = True
        return end + 1

    def _is_heading(self, n: int) -> bool:
        line = self.lines[n]
        if match := _ATX.match(line) or _WIKI.match(line):
            self._head(n, match[2], len(match[1]))
            return True
        if _is_underlined(self.lines, n) and self.open is None:
            self._head(n, line.strip(), 1 if "=" in self.lines[n + 1] else 2)
            return True
        return self._is_label(n, line)

    def _is_label(self, n: int, line: str) -> bool:
        """Open a section at a short line of its own, wholly bold or ending in a colon."""
        words = line.strip()
        if len(words) > _LONGEST_LABEL or _QUOTE.match(line):
            return False
        if _names_section(self.lines, n):
            self._head(n, _NUMBER.sub("", words), 7)
            return True
        if not self.blank:
            return False
        bold = re.fullmatch(r"(?:\*\*|__)([^*]+)(?:\*\*|__):?", words)
        if not bold and 0 <= self.list_indent < len(line) - len(line.lstrip()):
            return False  # It goes on with the list's last item.
        text = plain(words).text
        follows = n + 1 >= len(self.lines) or not self.lines[n + 1].strip()
        bullets = n + 1 < len(self.lines) and bool(
            _BULLET.match(self.lines[n + 1]) or "|" in self.lines[n + 1]
        )
        label = text.endswith(":") and not _BULLET.match(line) and leading_time(text) is None
        known = bool(role_of(text)) and len(text.split()) <= _TITLE_WORDS and not text.endswith(".")
        alone = follows or bullets or label
        if _BULLET.match(line) or "|" in words or not alone or not (bold or label or known):
            return False
        self._head(n, words, 8 if leading_time(text) else 7)
        return True

    def _head(self, n: int, words: str, level: int) -> None:
        self._close()
        text = plain(words)
        title = text.text.rstrip(":")
        first = self.outer_headings == 1 and not any(
            item.kind == Kind.HEADING for item in self.items
        )
        self.section = section_at(
            self.section, title=title, level=level, line=n + 1, is_title=first and level == 1
        )
        self.items.append(Item(line=n + 1, kind=Kind.HEADING, words=text, section=self.section))
        self.blank, self.in_table, self.list_indent = True, False, -1

    def _is_row(self, n: int) -> bool:
        line = self.lines[n]
        if "|" not in line:
            return False
        if self.in_table or line.lstrip().startswith("|"):
            return True
        return (
            n + 1 < len(self.lines)
            and "|" in self.lines[n + 1]
            and bool(_TABLE_RULE.match(self.lines[n + 1]))
        )

    def _row(self, n: int, line: str) -> None:
        self._close()
        if not self.in_table:
            self.in_table = True
            self.table += 1
        if _TABLE_RULE.match(line):
            return
        self._add_row(n + 1, tuple(plain(cell) for cell in _cells(line)))

    def _add_row(self, line: int, cells: tuple[Plain, ...]) -> None:
        words = Plain(
            " ".join(cell.text for cell in cells if cell.text),
            " ".join(cell.masked for cell in cells if cell.text),
        )
        self.items.append(
            Item(
                line=line,
                kind=Kind.ROW,
                words=words,
                section=self.section,
                cells=cells,
                table=self.table,
            )
        )

    def _web_table(self, n: int) -> int:
        """Take in a table that is written as HTML; return the line after it, or 0 if it is none."""
        place = bisect_left(self.table_ends, n)
        if place == len(self.table_ends):
            self.tables_from = len(self.lines)
            return 0
        # Lines of a table without rows are not looked at as tables again.
        end = self.table_ends[place]
        self.tables_from = end + 1
        rows = web_rows(self.lines, n, end)
        if not rows:
            return 0
        self._close()
        self.table += 1
        for row in rows:
            self._add_row(row.line, tuple(plain(cell) for cell in row.cells))
        self.blank, self.in_table, self.list_indent = True, False, -1
        return end + 1

    def _close(self) -> None:
        if self.open is not None:
            statement, self.open = self.open, None
            self._emit(statement)

    def _emit(self, statement: _Open) -> None:
        words = plain(" ".join(statement.parts))
        if statement.kind == Kind.BULLET:
            self._leave_labels(statement.indent)
        self.items.append(
            Item(
                line=statement.line,
                kind=statement.kind,
                words=words,
                section=self.section,
                indent=statement.indent,
                mark=statement.mark,
                after_blank=statement.after_blank,
                starts=tuple(_starts(statement)),
            )
        )
        if statement.kind == Kind.BULLET and _labels(statement, words.text):
            # "- **Review actions**:" heads the deeper list below it.
            self.section = section_at(
                self.section,
                title=words.text.rstrip(":"),
                level=LIST_LEVEL + statement.indent,
                line=statement.line,
            )

    def _leave_labels(self, indent: int) -> None:
        while self.section.level >= LIST_LEVEL + indent and self.section.parent is not None:
            self.section = self.section.parent


def _names_section(lines: list[str], n: int) -> bool:
    """Whether a line as "2. Timeline" or "Impact:" heads what follows, in text without markup."""
    number, line = _NUMBER.match(lines[n]), lines[n]
    below = lines[n + 1] if n + 1 < len(lines) else ""
    if number:
        return is_section_name(line[number.end() :]) and not _NUMBER.match(below)
    flush = line.endswith(":") and line[:1].isalpha() and bool(_BULLET.match(below))
    return flush and is_section_name(line)


def _starts(statement: _Open) -> Iterator[tuple[int, int]]:
    """Where in the text each source line begins, near enough to name the line of a sentence."""
    offset = 0
    for n, part in enumerate(statement.parts):
        yield statement.line + n, offset
        offset += len(plain(part).text) + 1


def _labels(statement: _Open, text: str) -> bool:
    raw = " ".join(statement.parts).strip()
    bold = re.fullmatch(r"(?:\*\*|__)[^*]+(?:\*\*|__):?", raw)
    short = len(text) <= _LONGEST_LABEL
    return short and leading_time(text) is None and bool(bold or text.endswith(":"))


def _is_full(before: str, line: str) -> bool:
    """Whether the line before was broken because it was full, as an editor wraps prose."""
    word = line.split(maxsplit=1)[0]
    return len(before) + 1 + len(word) >= _NARROWEST_WRAP and len(before) <= 2 * _NARROWEST_WRAP


def _is_underlined(lines: list[str], n: int) -> bool:
    if n + 1 >= len(lines) or not _SETEXT.match(lines[n + 1]):
        return False
    line = lines[n]
    return not (_BULLET.match(line) or "|" in line or _QUOTE.match(line) or _RULE.match(line))


def _cells(line: str) -> Iterator[str]:
    hidden = _CODE_SPAN.sub(lambda match: match[0].replace("|", "\ue001"), line.strip())
    cells = _CELL_BORDER.split(hidden)
    if cells and not cells[0].strip():
        cells = cells[1:]
    if cells and not cells[-1].strip():
        cells = cells[:-1]
    for cell in cells:
        yield cell.replace("\ue001", "|").replace("\\|", "|").strip()
