"""What is fetched, and in which manner: plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from backups.storage.s3 import ObjectRef

MIB = 1024 * 1024
PART_BYTES = 16 * MIB


class Unsound(Exception):
    """A finisher found that the bytes cannot be what they should be; they are fetched once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchItem:
    """One object to bring, and the name of its file inside the stage.

    ``part_hashes`` are SHA-256 of each ``PART_BYTES`` from the manifest, or empty when none was
    recorded.
    """

    ref: ObjectRef
    to: str
    part_hashes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a fetch behaves."""

    large_at_once: int = 4
    small_at_once: int = 12
    block_bytes: int = MIB
    outage_seconds: float = 3600.0
    waiting_after_seconds: float = 5.0
    longest_pause_seconds: float = 5.0
    tries_of_damaged: int = 3
    step_seconds: float = 0.25
