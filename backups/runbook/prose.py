"""Staff's markdown, made safe: commands stay as they were typed, no tag of theirs gets through."""

import re

import nh3
from markdown import Markdown
from markdown.inlinepatterns import AutolinkInlineProcessor

_TAGS = {
    "p", "br", "ul", "ol", "li", "code", "pre", "a", "strong", "em", "blockquote", "hr",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
# Headings are the page's own; in a section they are bold lines.
_HEADING = re.compile(r"<h[1-6][^>]*>(.*?)</h[1-6]>", re.DOTALL)
_BARE_LINK = r"(https?://[^\s<>()\"'`]+[^\s<>()\"'`.,;:!?])"
# For each bracket, Markdown looks for its twin to the end: a page of them would take seconds.
_MOST_BRACKETS = 400


def as_html(text: str) -> str:
    """Return markdown as clean HTML: lists, tables, code, links. Tags in it are shown as text."""
    if text.count("[") > _MOST_BRACKETS:
        text = text.replace("[", "\\[")
    markdown = Markdown(
        extensions=["nl2br", "sane_lists", "fenced_code", "tables"], output_format="html"
    )
    markdown.preprocessors.deregister("html_block")
    markdown.inlinePatterns.deregister("html")
    markdown.inlinePatterns.register(
        AutolinkInlineProcessor(_BARE_LINK, markdown), "bare-link", 115
    )
    try:
        made = markdown.convert(text)
    except RecursionError:
        # Lists in lists, deeper than anybody writes: it is shown as it stands.
        made = "<pre>" + nh3.clean_text(text) + "</pre>"
    return nh3.clean(
        _HEADING.sub(r"<p><strong>\1</strong></p>", made),
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    )
