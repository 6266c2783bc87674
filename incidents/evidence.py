"""What may be attached to an entry, judged by what it holds, and the storage where it lies.

Nothing here trusts a name or a browser: a file is what its bytes say that it is.
"""

import codecs
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage

from incidents.errors import Refused

_PICTURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-\d"), "application/pdf"),
)
_TEXTS = {
    "": "text/plain",
    "txt": "text/plain",
    "log": "text/plain",
    "out": "text/plain",
    "err": "text/plain",
    "md": "text/plain",
    "csv": "text/csv",
    "json": "application/json",
}
_ENDINGS = {
    "image/png": {"png"},
    "image/jpeg": {"jpg", "jpeg"},
    "image/gif": {"gif"},
    "image/webp": {"webp"},
    "application/pdf": {"pdf"},
}
# A page or a drawing that a browser would run, whatever it is called. Logs may begin with "<34>".
_MARKUP = re.compile(r"\s*<\s*(?:[!?]|[a-z])", re.IGNORECASE)
# What no text holds; tab, line ends, form feed and the escape of coloured logs, it does.
_UNPRINTED = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
# What no name needs: control signs, line ends, and those that turn the direction of reading, by
# which "fdp.txt" is read as "txt.pdf".
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_JSON_BEGINS = re.compile(r'\s*[\[{"]')
_HEAD = 4096
_MIB = 1024 * 1024
_LONGEST_NAME = 200


class FileOfAnotherKind(Refused):
    code = "file-of-another-kind"
    message = (
        "Attach a picture (PNG, JPEG, GIF, WebP), a PDF, or plain text in UTF-8 (.txt, .log, .csv, "
        ".json). Put anything else where your files are, and attach a link to it."
    )


class FileNotAsNamed(Refused):
    code = "file-not-as-named"
    message = "The file is not what its name says. Give it the ending of what it holds."


class FileIsEmpty(Refused):
    code = "file-is-empty"
    message = "The file is empty. Choose the one that shows something."


class FileTooLarge(Refused):
    code = "file-too-large"
    message = "The file is too large. Attach the part that matters, or a link to it."


class FileDiffers(Refused):
    code = "file-differs"
    message = "The file has another SHA-256 than was said. Send it again, as it is."


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a file holds: its type by its bytes, its size, and its SHA-256 in hexadecimal."""

    content_type: str
    size: int
    sha256: str


class EvidenceStorage(FileSystemStorage):
    """A folder of its own, ``EVIDENCE_ROOT``, that nobody but the server reads."""

    def __init__(self) -> None:
        super().__init__(
            location=settings.EVIDENCE_ROOT,
            file_permissions_mode=0o600,
            directory_permissions_mode=0o700,
        )


def examine(chunks: Iterable[bytes], *, name: str, limit: int) -> Examined:
    """Say what a file is, once all of it was read.

    :raises FileTooLarge: as soon as more than ``limit`` bytes were read
    :raises FileIsEmpty: if there are none
    :raises FileOfAnotherKind: if it is nothing that may be attached
    :raises FileNotAsNamed: if the ending of its name says something else
    """
    digest, size, head, text = hashlib.sha256(), 0, b"", _Text()
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise FileTooLarge(
                f"The file is larger than {limit / _MIB:g} MiB, which is the limit. Attach the "
                "part that matters, or a link to it."
            )
        digest.update(chunk)
        head += chunk[: max(0, _HEAD - len(head))]
        text.read(chunk)
    if not size:
        raise FileIsEmpty
    return Examined(
        content_type=_kind(head, _ending(name), text), size=size, sha256=digest.hexdigest()
    )


def plain_name(name: str) -> str:
    """Return the name of a file without folders and unprinted signs, and not too long."""
    bare = _UNSEEN.sub("", re.split(r"[/\\]", name)[-1]).strip(" .")
    if len(bare) <= _LONGEST_NAME:
        return bare or "file"
    suffix = Path(bare).suffix[:20]
    return bare[: _LONGEST_NAME - len(suffix)] + suffix


class _Text:
    """Whether all that was read is text in UTF-8, and how it begins."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.is_text = True
        self.head = ""

    def read(self, chunk: bytes) -> None:
        if not self.is_text:
            return
        try:
            words = self._decoder.decode(chunk)
        except UnicodeDecodeError:
            self.is_text = False
            return
        self.head += words[: max(0, _HEAD - len(self.head))]
        self.is_text = not _UNPRINTED.search(words)


def _kind(head: bytes, ending: str, text: _Text) -> str:
    for mark, kind in _PICTURES:
        if mark.match(head):
            if ending not in _ENDINGS[kind] | {""}:
                raise FileNotAsNamed(
                    f"The file is called .{ending}, but holds {kind}. Give it the ending of what "
                    "it holds."
                )
            return kind
    if not text.is_text or _MARKUP.match(text.head):
        raise FileOfAnotherKind
    if any(ending in endings for endings in _ENDINGS.values()):
        raise FileNotAsNamed(
            f"The file is called .{ending}, but holds plain text. Give it the ending of what it "
            "holds."
        )
    if ending not in _TEXTS:
        raise FileOfAnotherKind
    kind = _TEXTS[ending]
    if kind == "application/json" and not _JSON_BEGINS.match(text.head):
        raise FileNotAsNamed("The file is called .json, but holds plain text. Call it .txt.")
    return kind


def _ending(name: str) -> str:
    """Return the ending of a name in small letters; logs that were rotated, log.1, have none."""
    ending = Path(plain_name(name)).suffix.lower().lstrip(".")
    return "" if ending.isdecimal() else ending
