"""Text inside a Markdown document, so that it stays text, and the same text read back from it.

What is escaped here is read back to the letter, whatever it was.
"""

import re

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>()#+\-.!|~&:=$@^\"']")
# Where a space would be lost, or make code of a line; and signs that are no words at all.
_LOST = re.compile(r"^[ ]|(?<=[ \n])[ ]|[ ](?=\n|$)|[^\S \n]|[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_BREAK = "\\\n  "
_WRITTEN = re.compile(r"\\\n {0,2}|\\(.)|&#(\d{1,7});", re.DOTALL)
# In a body that is Markdown itself: what would begin a tag, or a link that leads elsewhere than to
# the web, becomes an entity; an entity that was there before stays one.
_TAG_OR_LINK = re.compile(
    r"&(?=(?:lt|amp|#40|#58|#33|#123);)|<|(?<=\])\((?!\s*(?:https?://|mailto:|#|/(?!/)))"
    r"|(?<=\]):|!(?=\[)|\r",
    re.IGNORECASE,
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", "(": "&#40;", ":": "&#58;", "!": "&#33;", "\r": "&#13;"}
_BACK = {entity: sign for sign, entity in _ENTITIES.items()}
_ENTITY = re.compile("|".join(map(re.escape, _BACK)))


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it and nothing else; its lines hang under a list."""
    shown = _SPECIAL.sub(r"\\\g<0>", text)
    shown = _LOST.sub(lambda found: f"&#{ord(found[0])};", shown)
    return shown.replace("\n", _BREAK)


def unescaped(shown: str) -> str:
    """Return the text that was escaped, or written by a person in its place."""
    return _WRITTEN.sub(_sign, shown)


def _sign(found: re.Match[str]) -> str:
    if not found[2]:
        return found[1] or "\n"
    try:
        sign = chr(int(found[2]))
        sign.encode()
    except (ValueError, OverflowError):
        # No sign has this number, or half of one.
        return ""
    return sign.replace("\0", "")


def harmless(body: str) -> str:
    """Return Markdown without tags, pictures, and links to anything but pages and mail."""
    return _TAG_OR_LINK.sub(lambda found: _ENTITIES[found[0]], body)


def restored(shown: str) -> str:
    """Return the Markdown that was made harmless."""
    return _ENTITY.sub(lambda found: _BACK[found[0]], shown)
