"""From the bytes of a file to the text that was written in it."""

import codecs
from dataclasses import dataclass

from incidents.importer.refusals import DocumentTooLong, NotText

# Longer than any postmortem; what is longer is a log, a dump, or a mistake.
LARGEST_FILE = 4 * 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_LOOKED_AT = 4096
# In UTF-16, every second byte of a text in Latin letters is zero.
_MANY_ZEROS = 0.3
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x0b\x1b\x08")
_FEW_CONTROLS = 0.01


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, the name of its encoding, and whether that one was only guessed."""

    text: str
    encoding: str
    guessed: bool = False


def decode(content: bytes) -> Decoded:
    """Return the text of a file: by its mark, as UTF-8, else by the likeliest guess.

    :raises DocumentTooLong: if it has more than LARGEST_FILE bytes
    :raises NotText: if it is no text at all, such as a picture or an archive
    """
    if len(content) > LARGEST_FILE:
        raise DocumentTooLong
    for mark, codec, name in _MARKS:
        if content.startswith(mark):
            return Decoded(_strictly(content, codec), name)
    head = content[:_LOOKED_AT]
    zeros = head.count(0)
    if zeros:
        if zeros < _MANY_ZEROS * len(head):
            raise NotText
        little = head[1::2].count(0) >= head[::2].count(0)
        return Decoded(
            _strictly(content, "utf-16-le" if little else "utf-16-be"), "UTF-16", guessed=True
        )
    if sum(byte in _CONTROLS for byte in head) > _FEW_CONTROLS * len(head):
        raise NotText
    try:
        return Decoded(content.decode("utf-8"), "UTF-8")
    except UnicodeDecodeError:
        # Bytes that Windows-1252 leaves open are read as Latin-1 reads them.
        return Decoded(_western(content), "Windows-1252", guessed=True)


def _strictly(content: bytes, codec: str) -> str:
    try:
        return content.decode(codec)
    except UnicodeDecodeError as fault:
        raise NotText from fault


def _western(content: bytes) -> str:
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")
