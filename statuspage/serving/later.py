"""Later editions of a document in the archive: one file beside it, written before it.

A line of JSON says to which document they belong, from when each is valid and how long it is; the
editions follow, as gzip. One that belongs to another document than the one that is there was met
in the middle of a change, and counts for nothing.
"""

import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

SUFFIX = ".later"
_GZIP = 31
_LEVEL = 6

# A body, as gzip, and as brotli, which later editions have not.
Bodies = tuple[bytes, bytes, bytes]


def content(of: str, editions: Sequence[tuple[float, bytes]]) -> bytes:
    """Return what to write beside the document of this digest."""
    packed = [(valid_from, compressed(body)) for valid_from, body in editions]
    head = {"of": of, "editions": [(valid_from, len(body)) for valid_from, body in packed]}
    return json.dumps(head).encode() + b"\n" + b"".join(body for _from, body in packed)


def read(document: Path, *, of: str) -> list[tuple[float, Bodies]]:
    """Return the later editions of a document, the earliest first; none if there are none."""
    try:
        line, _newline, rest = beside(document).read_bytes().partition(b"\n")
        head = json.loads(line)
        if head["of"] != of:
            return []
        return _unpacked(head["editions"], rest)
    except (OSError, ValueError, KeyError, TypeError, zlib.error):
        return []


def moments(document: Path) -> list[float]:
    """Return from when each later edition of a document is valid; none if there are none."""
    try:
        with beside(document).open("rb") as file:
            head = json.loads(file.readline())
        return [float(valid_from) for valid_from, _size in head["editions"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def beside(document: Path) -> Path:
    """Return where the later editions of a document lie."""
    return document.with_name(document.name + SUFFIX)


def compressed(body: bytes) -> bytes:
    # No time in the header: equal documents have equal bytes.
    return gzip.compress(body, _LEVEL, mtime=0)


def _unpacked(sizes: Sequence[tuple[float, int]], rest: bytes) -> list[tuple[float, Bodies]]:
    found: list[tuple[float, Bodies]] = []
    start = 0
    for valid_from, size in sizes:
        packed = rest[start : start + size]
        found.append((float(valid_from), (zlib.decompress(packed, _GZIP), packed, b"")))
        start += size
    return found
