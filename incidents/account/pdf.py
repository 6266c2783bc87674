"""An account as PDF. Its words reach the typesetter as data, never as markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import typst

from incidents.account.page import record_html
from incidents.account.record import Record

_TEMPLATE = Path(__file__).with_name("account.typ")
_VOID = ("br", "hr")
# Deeper than anybody writes; the typesetter's own patience ends not far behind.
_DEEPEST = 12
# So much of a word fits into the narrowest column.
_LONG_WORD = re.compile(r"\S{40}(?=\S)")

Node = dict[str, Any]


def write_pdf(record: Record) -> bytes:
    """Return the account as PDF: the same words as its HTML, links included."""
    tree = _Tree()
    tree.feed(record_html(record))
    tree.close()
    told = {"title": _set(record.title), "summary": _set(record.summary), "body": tree.root["c"]}
    made: bytes = typst.compile(
        _TEMPLATE.read_bytes(), sys_inputs={"told": json.dumps(told)}, format="pdf"
    )
    return made


class _Tree(HTMLParser):
    """Clean HTML as a tree: {"t": tag, "h": address, "c": children}, with text as strings."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root: Node = {"t": "body", "c": []}
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node: Node = {"t": tag, "h": dict(attrs).get("href") or "", "c": []}
        if len(self._open) <= _DEEPEST:
            self._open[-1]["c"].append(node)
        else:
            # Its words go to the last that is shown.
            node["c"] = self._open[-1]["c"]
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, 0, -1):
            if self._open[place]["t"] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1]["c"].append(_set(data))


def _set(words: str) -> str:
    """Return words as they can be set: signs that no line can hold are marked, long words break."""
    plain = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in words)
    return _LONG_WORD.sub(lambda piece: piece[0] + "\u200b", plain)
