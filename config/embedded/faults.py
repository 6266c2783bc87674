"""What a fault proxy does wrong, and what it has seen: plain values."""

import json
import random
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How a connection to the storage misbehaves. By default, not at all.

    Shares are between 0 and 1. Resets, stalls and flipped bytes happen in bodies of answers.
    """

    # Refuse and cut every connection.
    down: bool = False
    # The share of requests that are answered 503.
    error_share: float = 0.0
    # Cut the connection once this many bytes of an answer have passed, in this share of answers.
    reset_after_bytes: int | None = None
    reset_share: float = 1.0
    # Fall silent at this byte, for so long, in this share of answers.
    stall_at_byte: int | None = None
    stall_seconds: float = 60.0
    stall_share: float = 1.0
    # Cut a connection once this many bytes have passed over it, in one answer or several, or at
    # any byte between the first figure and the second.
    cut_after_bytes: int | None = None
    cut_before_bytes: int | None = None
    # Do not answer this share of requests for so long.
    silent_share: float = 0.0
    silent_seconds: float = 60.0
    # Flip one bit of this byte, in this share of answers.
    flip_at_byte: int | None = None
    flip_share: float = 1.0
    # Flip one bit somewhere in every so many bytes, on average.
    flip_every_bytes: int | None = None
    # All connections together, both ways.
    bytes_per_second: int | None = None
    # Each connection.
    connection_bytes_per_second: int | None = None
    # The hours at which everybody takes backups: so long after these faults came into force, for
    # so long, all connections together are this slow, and this share of requests is answered 503.
    saturated_after_seconds: float = 0.0
    saturated_for_seconds: float = 0.0
    saturated_bytes_per_second: int | None = None
    saturated_error_share: float = 0.0
    # Before each answer.
    latency_seconds: float = 0.0
    # Only these objects ("bucket/key", * and ? match) suffer; ``down`` and speed concern all.
    keys: str = "*"

    def concern(self, key: str) -> bool:
        return fnmatchcase(key, self.keys)

    def at(self, seconds: float) -> "Faults":
        """Return the faults as they are so long after they came into force."""
        since = seconds - self.saturated_after_seconds
        if not 0 <= since < self.saturated_for_seconds:
            return self
        return replace(
            self,
            bytes_per_second=self.saturated_bytes_per_second or self.bytes_per_second,
            error_share=max(self.saturated_error_share, self.error_share),
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Faults":
        """Read what `to_json` has written; fields may be missing.

        :raises ValueError: if it is no JSON object of known fields
        """
        found = json.loads(text)
        known = {each.name for each in fields(cls)}
        if not isinstance(found, dict) or not known.issuperset(found):
            raise ValueError(f"Faults are a JSON object with fields out of {sorted(known)}.")
        return cls(**found)


@dataclass(slots=True)
class Count:
    """What passed for one object."""

    requests: int = 0
    bytes_down: int = 0
    bytes_up: int = 0
    errors: int = 0
    resets: int = 0
    stalls: int = 0
    silences: int = 0
    flips: int = 0


@dataclass(slots=True)
class Ledger:
    """Counts by object ("bucket/key"), kept by many threads."""

    _counts: dict[str, Count] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, key: str, **amounts: int) -> None:
        with self._lock:
            count = self._counts.setdefault(key, Count())
            for name, amount in amounts.items():
                setattr(count, name, getattr(count, name) + amount)

    def snapshot(self) -> dict[str, Count]:
        """Return the counts as they are now."""
        with self._lock:
            return {key: Count(**asdict(count)) for key, count in self._counts.items()}

    def total(self) -> Count:
        """Return the sum over all objects."""
        counts = self.snapshot().values()
        return Count(
            **{each.name: sum(getattr(c, each.name) for c in counts) for each in fields(Count)}
        )

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()

    def to_json(self) -> str:
        counts: Mapping[str, Count] = self.snapshot()
        return json.dumps({key: asdict(count) for key, count in counts.items()}, indent=2)


class Dice:
    """Chance with a seed, shared by many threads."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets
        self._lock = threading.Lock()

    def hits(self, share: float) -> bool:
        with self._lock:
            return self._random.random() < share

    def between(self, low: int, high: int) -> int:
        with self._lock:
            return self._random.randint(low, max(low, high))


class Throttle:
    """A common limit on the speed of many threads."""

    def __init__(self) -> None:
        self._free_at = 0.0
        self._lock = threading.Lock()

    def delay(self, amount: int, *, bytes_per_second: int, now: float) -> float:
        """Return how long to wait, so that the sum of all amounts keeps to the speed."""
        with self._lock:
            self._free_at = max(self._free_at, now) + amount / bytes_per_second
            return self._free_at - now
