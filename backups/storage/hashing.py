"""The hash of a block: what a manifest records, and what proves a block that was fetched.

BLAKE3, by which a core checks some 8 GB/s, where SHA-256 takes 2 even with instructions of its own
and was nearly half of what a fetch cost. The first manifests hold SHA-256, and stay good: a hash
says which it is.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from blake3 import blake3

if TYPE_CHECKING:
    from typing_extensions import Buffer

DIGEST_BYTES = 32
_BLAKE3 = "blake3:"


class Digest(Protocol):
    """A hash that is being taken."""

    def update(self, data: "Buffer", /) -> object: ...

    def digest(self) -> bytes: ...


def new_digest(recorded: Sequence[str]) -> Digest:
    """Begin a hash of the kind that was recorded; of ours, if nothing was."""
    if recorded and not recorded[0].startswith(_BLAKE3):
        return hashlib.sha256()
    return blake3()


def digest_of(content: "Buffer", recorded: Sequence[str]) -> bytes:
    """Return the hash of a content, of the kind that was recorded."""
    digest = new_digest(recorded)
    digest.update(content)
    return digest.digest()


def recorded_hash(content: "Buffer") -> str:
    """Return what a manifest records of a content: the kind of the hash, and the hash in hex."""
    return f"{_BLAKE3}{blake3(content).hexdigest()}"


def bare(recorded: str) -> str:
    """Return a recorded hash without its kind."""
    return recorded.removeprefix(_BLAKE3)
