"""The parts in which a large object is copied: how long they are, and which have arrived."""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from backups.storage.etags import is_composite, may_speak
from backups.storage.uploads import Stored
from backups.storage.values import MIB, ObjectRef

PART_BYTES = 16 * MIB
# The source's own parts are kept up to this length: then both have the same ETag.
LONGEST_KEPT_PART = 32 * MIB
SHORTEST_PART = 5 * MIB
MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One object to be copied, and the key that it is to have. Hashes as in ``FetchItem``."""

    ref: ObjectRef
    to: str
    part_hashes: Sequence[str] = ()


def parts_like(ref: ObjectRef, first_part: int | None, hashed_bytes: int) -> int:
    """Return how long the parts of a copy are to be.

    As the source's were, so that ETags are the same, unless they are very long, or would cut
    through the blocks that a manifest speaks of.
    """
    length = PART_BYTES
    while ref.size > length * MOST_PARTS:
        length *= 2
    kept = first_part or 0
    fits = SHORTEST_PART <= kept <= LONGEST_KEPT_PART and kept * MOST_PARTS >= ref.size
    fits = fits and (not hashed_bytes or kept % hashed_bytes == 0)
    if fits and is_composite(ref.etag) and -(-ref.size // kept) == parts_of_etag(ref.etag):
        return kept
    return length


@dataclass(slots=True, eq=False)
class Large:
    """One object that is copied in parts."""

    wanted: Wanted
    hashed: int
    part_bytes: int
    # Its parts are the source's, so that the ETag of the whole is to be the same.
    keeps_parts: bool
    upload: str = ""
    is_resumed: bool = False
    is_given_up: bool = False
    # As far as the destination has said.
    etags_are_checksums: bool = True
    etags: dict[int, str] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def parts(self) -> int:
        return -(-self.wanted.ref.size // self.part_bytes)

    @property
    def is_whole(self) -> bool:
        return len(self.etags) == self.parts

    def length_of(self, number: int) -> int:
        start = (number - 1) * self.part_bytes
        return max(min(self.part_bytes, self.wanted.ref.size - start), 0)

    def missing(self) -> list[int]:
        return [number for number in range(1, self.parts + 1) if number not in self.etags]

    def took(self, number: int, stored: Stored, digest: str) -> bool:
        """Note a part, and say whether it was the last one."""
        with self._lock:
            self.etags[number], self.digests[number] = stored.etag or digest, digest
            self.etags_are_checksums &= stored.is_checksum
            return len(self.etags) == self.parts


def md5_of(content: bytes | bytearray | memoryview) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def is_plain(etag: str) -> bool:
    return may_speak(etag) and not is_composite(etag)


def parts_of_etag(etag: str) -> int:
    """Return of how many parts a composite ETag says that its object was made."""
    return int(etag.rpartition("-")[2])


def is_of_parts(content: bytearray, etag: str, part_bytes: int) -> bool:
    """Whether bytes in parts of this length have this ETag."""
    view = memoryview(content)
    starts = range(0, len(view), part_bytes)
    return composite_of([md5_of(view[at : at + part_bytes]) for at in starts]) == etag


def composite_of(etags: Sequence[str]) -> str:
    """Return the ETag that S3 makes of these parts' ETags; nothing if they are no checksums."""
    if not all(is_plain(each) for each in etags):
        return ""
    digests = b"".join(bytes.fromhex(each) for each in etags)
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(etags)}"
