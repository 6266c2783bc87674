"""Markdown as people write it, turned into the words that a reader sees."""

import html
import re
from dataclasses import dataclass

# Stands in for a character of inline code or of an address, where no time may be read.
HIDDEN = "\ue000"

_CODE = re.compile(r"(`+)([^`]+)\1")
_IMAGE = re.compile(r"!\[[^\[\]]{0,300}\](?:\([^()]{0,2000}\)|\[[^\[\]]{0,300}\])")
_LINK = re.compile(
    r"\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)?)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])"
)
_AUTOLINK = re.compile(r"<((?:https?|mailto|ftp):[^>\s]*)>")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_BLOCK_TAG = re.compile(
    r"</?(?:td|th|tr|p|li|ul|ol|dt|dd|dl|div|blockquote|h[1-6])(?:\s[^<>]*)?>", re.IGNORECASE
)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>")
_STRONG = re.compile(r"\*\*|__(?=\S)|(?<=\S)__|~~")
_STAR = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]*[^\s*])\*(?![\w*])")
_UNDERSCORE = re.compile(r"(?<![\w_])_(?=[^\s_])([^_\n]*[^\s_])_(?![\w_])")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|~<>])")
_SPACE = re.compile(r"\s+")
_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s<>\"')\]]+|\bwww\.[^\s<>\"')\]]+")
# A date such as 2021/04/03 is no path.
_DIGITS_IN_PATH = re.compile(
    r"(?<![\w/])(?!(?:\d{1,4}/){2}\d{1,4}(?![\w/]))(?:[\w.\-]+/){2,}[\w.\-]+"
)
_DISPOSABLE = re.compile(r"[`\[<&*_~\\!\ue000]|https?:|www\.|ftp:|/|\s\s|\t")


@dataclass(frozen=True, slots=True)
class Plain:
    """Words without markup. ``masked`` has the same length, with code and addresses hidden."""

    text: str
    masked: str


def plain(raw: str) -> Plain:
    """Return the words of one piece of markdown, whitespace collapsed."""
    if not _DISPOSABLE.search(raw):
        text = raw.strip()
        return Plain(text, text)
    codes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        words = _SPACE.sub(" ", match[2])
        codes.append(words)
        return HIDDEN * len(words)

    text = _CODE.sub(hide, raw.replace(HIDDEN, " "))
    text = _BLOCK_TAG.sub(" ", _BREAK.sub(" ", text))
    text = _AUTOLINK.sub(r"\1", text)
    text = _IMAGE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _TAG.sub("", text)
    text = _STRONG.sub("", text)
    text = _UNDERSCORE.sub(r"\1", _STAR.sub(r"\1", text))
    text = html.unescape(_ESCAPE.sub(r"\1", text))
    text = _SPACE.sub(" ", text).strip()
    return _uncover(text, codes)


def _uncover(text: str, codes: list[str]) -> Plain:
    letters = iter("".join(codes))
    shown = "".join(next(letters, " ") if char == HIDDEN else char for char in text)
    masked = _DIGITS_IN_PATH.sub(_cover, _ADDRESS.sub(_cover, text))
    return Plain(shown, masked)


def _cover(match: re.Match[str]) -> str:
    return HIDDEN * len(match[0])
