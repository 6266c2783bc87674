"""What is fetched, and in which manner: plain values."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from backups.errors import ObjectDamaged
from backups.storage.values import MIB, ObjectRef

__all__ = ["BLOCK_BYTES", "MIB", "PART_BYTES", "FetchItem", "Manner", "Unsound"]

# What one request asks for, and what is checked, written and journalled at a time.
PART_BYTES = 16 * MIB
BLOCK_BYTES = MIB


class Unsound(Exception):
    """A finisher found that the bytes cannot be what they should be; they are fetched once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchItem:
    """One object to bring, and the name of its file inside the stage.

    ``part_hashes`` are hashes of equally long stretches from the manifest (see ``hashing``), or
    empty when none was recorded. How long they are (a power of two of MiB, 16 at most) follows
    from their number.
    """

    ref: ObjectRef
    to: str
    part_hashes: Sequence[str] = ()

    @property
    def hashed_bytes(self) -> int:
        """Return how long the stretches are that ``part_hashes`` speak of.

        :raises ObjectDamaged: if there are more or fewer than the object can have
        """
        length = PART_BYTES
        while length >= BLOCK_BYTES:
            if max(-(-self.ref.size // length), 1) == len(self.part_hashes):
                return length
            length //= 2
        raise ObjectDamaged(f"{self.ref.key}: not as long as its manifest says")

    @property
    def identity(self) -> str:
        """Return what makes two copies the same: what the manifest says, else the ETag."""
        if not self.part_hashes:
            return f"etag:{self.ref.etag}"
        return "sha256:" + hashlib.sha256("".join(self.part_hashes).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a fetch behaves. Where a source is concerned, each source."""

    # Large ranges in flight to begin with; more or fewer follow from what they bring.
    large_at_once: int = 8
    # Requests in flight at most, small ones among them.
    small_at_once: int = 64
    bytes_per_second: int = 0
    outage_seconds: float = 3600.0
    waiting_after_seconds: float = 5.0
    longest_pause_seconds: float = 5.0
    # Silence after which an answer is given up; it is asked for elsewhere much earlier.
    silence_seconds: float = 10.0
    # Times that a stretch may come damaged; each costs no more than what shares its hash.
    tries_of_damaged: int = 8
    # Times that a whole object may turn out not to be what it should.
    tries_of_unsound: int = 3
    step_seconds: float = 0.25
    # An object without a manifest is compared with its ETag, where that can be a checksum.
    compares_etags: bool = True
