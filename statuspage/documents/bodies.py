"""What people wrote, made safe: little markup on pages, plain text for the API and the feed."""

import functools
import html
import re
from collections.abc import Mapping

import nh3
from django.utils.html import escape, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from markdown import Markdown

from incidents.models import MaintenanceUpdate, StatusUpdate

_TAGS = {"p", "br", "ul", "ol", "li", "code", "pre", "a", "strong", "em"}
_BREAK = re.compile(r"\r\n?|\n")
_WRITTEN_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def words_of(update: StatusUpdate | MaintenanceUpdate) -> str:
    """Return what an update says in the language that is active, or else as it was written."""
    return words_in(update.translations, update.body)


def words_in(translations: Mapping[str, str], body: str) -> str:
    """Return the translation for the language that is active, or else the body."""
    return translations.get(get_language() or "", body)


@functools.lru_cache(maxsize=2000)
def as_html(body: str) -> SafeString:
    """Return a body as HTML: paragraphs, line breaks, lists, code, links; anything else is text."""
    source = escape(_WRITTEN_BREAK.sub("\n", body)).replace("&gt;", ">").replace("&#x27;", "'")
    if source.count("[") > _MOST_BRACKETS:
        source = source.replace("[", "&#91;")
    clean = nh3.clean(
        _rendered(source),
        tags=_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
    )
    return mark_safe(clean)  # noqa: S308 - nh3 has just cleaned it


def _rendered(source: str) -> str:
    markdown = Markdown(extensions=["nl2br", "sane_lists"], output_format="html")
    try:
        return markdown.convert(_LINK.sub(r"<\g<0>>", source))
    except RecursionError:
        # Lists in lists, deeper than anybody writes: it is shown as it stands.
        return "<p>" + source.replace("\n", "<br>") + "</p>"


# For each bracket, Markdown looks for its twin to the end: a page of them would take seconds.
_MOST_BRACKETS = 200
# A bare address, not one that stands in a link's brackets or in code already.
_LINK = re.compile(r"(?<![(<\[\"'`=])\bhttps?://[^\s<>()\"'`]+[^\s<>()\"'`.,;:!?]")


def as_plain(body: str) -> str:
    """Return a body as the API carries it: text, its line breaks as ``<br />``, no other tag."""
    text = _WRITTEN_BREAK.sub("\n", body).strip()
    # Clients put it into pages: what looks like a tag is carried as text.
    return _BREAK.sub("<br />", text.replace("<", "&lt;").replace(">", "&gt;"))


@functools.lru_cache(maxsize=2000)
def unmarked(body: str) -> str:
    """Return a body as plain words and line breaks; behind the words of a link, where it leads."""
    if not _MARKS.search(body):
        return body
    told = _ANCHOR.sub(_told, as_html(body)).replace("<li>", "- ").replace("</p>\n<p>", "\n\n")
    return html.unescape(strip_tags(told)).strip()


def _told(anchor: re.Match[str]) -> str:
    place, words = anchor.groups()
    return words if words in (place, place.removeprefix("mailto:")) else f"{words} ({place})"


# What makes a body more than words: emphasis, code, links, and what begins a heading or a quote.
_MARKS = re.compile(r"[*_`\[\\]|^ {0,3}[#>]", re.MULTILINE)
_ANCHOR = re.compile(r'<a href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)


def as_text(body: str) -> str:
    """Return a body for a message: what was written, without tags."""
    return html.unescape(_WRITTEN_BREAK.sub("\n", body)).strip()


def first_words(body: str, limit: int = 240) -> str:
    """Return the beginning of a body in plain words, cut at a word."""
    text = " ".join(_WRITTEN_BREAK.sub(" ", unmarked(body)).split())
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + "…"
