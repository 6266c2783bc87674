"""An account as HTML: sections with their references written out, and nothing that could run."""

import html
import re
from collections.abc import Iterable

import nh3
from markdown import Markdown

from incidents.account.markdown import ROWS, rows_of
from incidents.account.record import Cause, Record
from incidents.account.references import (
    Reference,
    inline_words,
    is_known_block,
    open_fence,
    pieces,
)
from incidents.account.rows import Row, shown
from incidents.account.words import figures

_TAGS = {
    "p", "br", "ul", "ol", "li", "code", "pre", "a", "strong", "em", "h3", "h4", "h5", "h6",
    "blockquote", "hr", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
# For each bracket, Markdown looks for its twin to the end: a page of them would take seconds.
_MOST_BRACKETS = 400
# Signs that no keyboard has stand for what is put in once the rest is clean.
_OPEN, _CLOSE = "\ue000", "\ue001"
_HELD = re.compile(f"(<p>)?{_OPEN}([0-9]+){_CLOSE}(?(1)</p>)|{_OPEN}([0-9]+){_CLOSE}")
_CODE = re.compile(r"(<code[^>]*>)(.*?)(</code>)", re.DOTALL)
_LINK = re.compile(r"(?<![(<\[\"'`=])\bhttps?://[^\s<>()\"'`]+[^\s<>()\"'`.,;:!?]")
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;
overflow-wrap:anywhere}
h1{line-height:1.2}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem;border-bottom:1px solid #8886}
pre{overflow:auto;padding:.6rem;border:1px solid #8886}
.facts{color:GrayText;font-size:.9em}
"""


def body_html(body: str, record: Record) -> str:
    """Return a section's Markdown as HTML, safe for any page; headings begin at the third level.

    References are written out from the record; what names nothing stays, marked as unknown.
    """
    body = body.replace(_OPEN, "").replace(_CLOSE, "")
    inserted: list[tuple[str, str]] = []
    source = ""
    for piece in pieces(body):
        if isinstance(piece, str):
            source += piece
            continue
        is_block = piece.is_block and is_known_block(piece)
        inserted.append((_said(piece, record), piece.written))
        token = f"{_OPEN}{len(inserted) - 1}{_CLOSE}"
        source += f"\n\n{token}\n\n" if is_block else token
    if fence := open_fence(body):
        source += f"\n{fence}"
    # In one pass: what is put in may hold the same signs, and is text.
    return _HELD.sub(lambda found: _put(inserted, found), _cleaned(source))


def _put(inserted: list[tuple[str, str]], found: re.Match[str]) -> str:
    said, written = inserted[int(found[2] or found[3])]
    is_block = said.startswith(("<table", "<ul", "<p"))
    if found[1]:
        return said if is_block else f"<p>{said}</p>"
    # A block that did not come to stand alone would break what it stands in.
    return html.escape(written) if is_block else said


def published_html(page: str) -> str:
    """Return a public edition that was kept as HTML, cleaned once more, safe for any page."""
    clean = nh3.clean(
        page,
        tags=_TAGS | {"h2", "span", "mark"},
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    return str(clean)


def record_html(record: Record) -> str:
    """Return the sections as HTML, each under its title."""
    return "\n".join(
        f"<h2>{html.escape(section.title)}</h2>\n{body_html(section.body, record)}"
        for section in record.sections
    )


def document_html(record: Record, *, language: str = "en") -> str:
    """Return the account as one file that needs no other, and in which nothing can run."""
    title = html.escape(record.title)
    summary = f"<p>{_lines(record.summary)}</p>" if record.summary else ""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        f'<!doctype html>\n<html lang="{html.escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"{summary}\n{record_html(record)}\n</body>\n</html>\n"
    )


def _cleaned(source: str) -> str:
    escaped = html.escape(source, quote=False)
    # What begins a quote is Markdown; no tag can begin, for nothing that opens one is left.
    escaped = escaped.replace("&gt;", ">")
    if escaped.count("[") > _MOST_BRACKETS:
        escaped = escaped.replace("[", "&#91;")
    clean = nh3.clean(
        _converted(escaped),
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
    )
    # Markdown writes the signs of code out once more.
    return _CODE.sub(
        lambda found: found[1] + re.sub(r"&amp;(?=(?:lt|gt|amp);)", "&", found[2]) + found[3],
        str(clean),
    )


def _converted(source: str) -> str:
    markdown = Markdown(
        extensions=["nl2br", "sane_lists", "fenced_code", "tables"], output_format="html"
    )
    # A section stands under its own title, so that its headings begin below it.
    source = re.sub(r"^(#{1,6})(?= )", lambda found: "#" * min(len(found[1]) + 2, 6), source,
                    flags=re.MULTILINE)  # fmt: skip
    try:
        return str(markdown.convert(_LINK.sub(r"<\g<0>>", source)))
    except RecursionError:
        # Lists in lists, deeper than anybody writes: it is shown as it stands.
        return "<p>" + source.replace("\n", "<br>") + "</p>"


def _said(piece: Reference, record: Record) -> str:
    if piece.is_block and is_known_block(piece):
        return _block(piece, record)
    words = inline_words(piece, record)
    if words is None:
        return f'<mark class="unknown">{html.escape(piece.written)} (names nothing)</mark>'
    return html.escape(words)


def _block(block: Reference, record: Record) -> str:
    if block.block == "figures":
        lines = "".join(
            f"<tr><th>{html.escape(label)}</th><td>{html.escape(value)}</td></tr>"
            for label, value in figures(record)
        )
        return f"<table><tbody>{lines}</tbody></table>"
    rows = list(rows_of(record, block.block))
    if block.kind:
        rows = [row for row in rows if isinstance(row, Cause) and row.kind == block.kind]
    if not rows:
        return "<p>None is on record.</p>"
    if ROWS[block.block][0] in ("entry", "update"):
        return _table(rows, record)
    return "<ul>" + "".join(f"<li>{_item(row, record)}</li>" for row in rows) + "</ul>"


def _table(rows: Iterable[Row], record: Record) -> str:
    lines = (
        f"<tr><td>{html.escape(words.head)}</td><td>{_lines(words.text)}{_facts(words.facts)}"
        "</td></tr>"
        for words in (shown(row, record) for row in rows)
    )
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def _item(row: Row, record: Record) -> str:
    words = shown(row, record)
    return f"<strong>{html.escape(words.head)}</strong> {_lines(words.text)}{_facts(words.facts)}"


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    said = "; ".join(f"{name}: {fact}" for name, fact in facts if fact)
    return f'<br><span class="facts">{_lines(said)}</span>' if said else ""


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
