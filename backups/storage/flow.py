"""How one source is doing, and how much may be asked of it at once.

Two windows bound the requests in flight. The one on all of them is halved when the source says
that it is busy and grows again with every answer (AIMD). The one on large ranges climbs for as long
as more of them bring more bytes a second, and steps back when they do not.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from backups.storage.answers import PassingTrouble
from backups.storage.values import MIB

LARGE_BYTES = 4 * MIB
# The windows never shrink below these: a source that refuses at random must not be starved.
LEAST, LEAST_LARGE, MOST_LARGE = 4, 4, 32
CLIMB_SECONDS, REST_SECONDS = 0.7, 10.0
GAIN = 1.15
MINUTE = 60
MANY_FAILURES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one source gave in the last minute.

    ``seconds`` are those in which something was asked of it; ``first_byte_seconds`` is the median,
    None if nothing came.
    """

    source: str
    seconds: float
    bytes: int
    requests: int
    errors: int
    first_byte_seconds: float | None


@dataclass(slots=True)
class _Second:
    at: int
    bytes: int = 0
    requests: int = 0
    errors: int = 0
    is_asked: bool = False


def _recent() -> deque[float]:
    return deque(maxlen=50)


@dataclass(slots=True)
class Flow:
    """The state of one source, kept by many threads. Times are of a monotonic clock."""

    most: int = 64
    large_window: float = 8.0
    longest_pause_seconds: float = 5.0
    window: float = 16.0
    in_flight: int = 0
    large_in_flight: int = 0
    cool_until: float = 0.0
    failures: int = 0
    # Between 0 and 1: what share of the last requests came to nothing.
    badness: float = 0.0
    first_bytes: deque[float] = field(default_factory=_recent)
    gaps: deque[float] = field(default_factory=_recent)
    # Bytes of bodies since the beginning.
    brought_in_all: int = 0
    seconds_a_mib: deque[float] = field(default_factory=_recent)
    _seconds: deque[_Second] = field(default_factory=lambda: deque(maxlen=MINUTE))
    _halved_at: float = 0.0
    _climbed_at: float = field(default_factory=time.monotonic)
    _climbed_from: tuple[float, float] | None = None
    _bytes_since: int = 0
    _was_full: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def has_room(self, now: float, *, large: bool) -> bool:
        with self._lock:
            if now < self.cool_until or self.in_flight >= self.window:
                return False
            if large and self.large_in_flight >= self.large_window:
                self._was_full = True
                return False
            return True

    def free_for_large(self, now: float) -> int:
        """Return how many more large ranges may be asked for now."""
        with self._lock:
            if now < self.cool_until:
                return 0
            large, all_ = self.large_window - self.large_in_flight, self.window - self.in_flight
            return max(int(min(large, all_)), 0)

    def enter(self, now: float, *, large: bool) -> None:
        with self._lock:
            self.in_flight += 1
            self.large_in_flight += large
            self._this(now).requests += 1

    def leave(self, *, large: bool) -> None:
        with self._lock:
            self.in_flight -= 1
            self.large_in_flight -= large

    def answered(self, seconds: float) -> None:
        """Take note that the first byte came after so long."""
        with self._lock:
            self.first_bytes.append(seconds)

    def brought(self, now: float, amount: int) -> None:
        with self._lock:
            self._this(now).bytes += amount
            self._bytes_since += amount
            self.brought_in_all += amount
            self.failures = 0

    def went_well(self, *, amount: int, seconds: float, longest_gap: float) -> None:
        with self._lock:
            self.badness *= 0.9
            self.failures = 0
            self.window = min(self.window + 1, self.most)
            self.gaps.append(longest_gap)
            if amount >= LARGE_BYTES:
                self.seconds_a_mib.append(seconds / (amount / MIB))

    def went_wrong(self, now: float, trouble: PassingTrouble) -> None:
        """Yield to a source that is busy; leave one alone that fails again and again."""
        with self._lock:
            self._this(now).errors += 1
            self.badness = self.badness * 0.9 + 0.1
            self.failures += 1
            if trouble.reason == "busy" and now - self._halved_at > 1:
                self._halved_at = now
                self.window = max(self.window / 2, LEAST)
                self.large_window = max(self.large_window / 2, LEAST_LARGE)
                self._climbed_from = None
            # As many in a row as were under way at once: that is no chance.
            many = max(MANY_FAILURES, self.in_flight)
            if self.failures >= many:
                longest = 0.1 * 2.0 ** min(self.failures - many, 10)
                pause = min(longest, self.longest_pause_seconds)
                self.cool_until = max(self.cool_until, now + _jittered(pause))
            if trouble.retry_after:
                self.cool_until = max(self.cool_until, now + _jittered(trouble.retry_after) * 2)

    def cool(self, now: float, seconds: float) -> None:
        """Ask nothing more of it for a while."""
        with self._lock:
            self.cool_until = max(self.cool_until, now + seconds)

    def climb(self, now: float) -> None:
        """Look whether the last change of the large window paid, and try the next."""
        with self._lock:
            if self.in_flight:
                self._this(now).is_asked = True
            span = now - self._climbed_at
            if span < CLIMB_SECONDS:
                return
            rate, was_full = self._bytes_since / span, self._was_full
            self._climbed_at, self._bytes_since, self._was_full = now, 0, False
            if not was_full or not rate:
                self._climbed_from = None
                return
            if self._climbed_from is not None:
                window, earlier = self._climbed_from
                if rate < earlier * GAIN:
                    self.large_window, self._climbed_from = window, None
                    self._climbed_at = now + REST_SECONDS
                    return
            if self.large_window < MOST_LARGE:
                self._climbed_from = (self.large_window, rate)
                self.large_window = min(self.large_window * 1.5, MOST_LARGE)

    def first_byte_patience(self, *, least: float) -> float:
        """Return how long to wait for a first byte before asking elsewhere too."""
        with self._lock:
            return (
                max(least, 6 * median(self.first_bytes)) if self.first_bytes else (max(least, 1.0))
            )

    def gap_patience(self, *, least: float) -> float:
        """Return how long a body may be silent before asking elsewhere too."""
        with self._lock:
            return max(least, 4 * median(self.gaps)) if self.gaps else max(least, 2.0)

    def usual_seconds(self, amount: int) -> float | None:
        """Return how long so many bytes take on one connection, None if that is not known."""
        with self._lock:
            if not self.seconds_a_mib:
                return None
            return median(self.seconds_a_mib) * amount / MIB

    def measurement(self, source: str, now: float) -> Measurement:
        with self._lock:
            self._this(now)
            seconds = [each for each in self._seconds if each.at > now - MINUTE]
            active = [each for each in seconds if each.is_asked or each.requests or each.bytes]
            return Measurement(
                source=source,
                seconds=float(len(active)),
                bytes=sum(each.bytes for each in active),
                requests=sum(each.requests for each in active),
                errors=sum(each.errors for each in active),
                first_byte_seconds=median(self.first_bytes) if self.first_bytes else None,
            )

    def _this(self, now: float) -> _Second:
        if not self._seconds or self._seconds[-1].at != int(now):
            self._seconds.append(_Second(int(now)))
        return self._seconds[-1]


def median(values: Collection[float]) -> float:
    """Return the middle one of some values, the upper of two."""
    # The library's own, which may lie between two, takes longer to import than a fetch to begin.
    return sorted(values)[len(values) // 2]


def _jittered(seconds: float) -> float:
    return random.uniform(seconds / 2, seconds)  # noqa: S311 - jitter, no secret


class Limit:
    """A common limit on the bytes a second of many threads; zero is none."""

    def __init__(self, bytes_per_second: int) -> None:
        self.bytes_per_second = bytes_per_second
        self._free_at = 0.0
        self._lock = threading.Lock()

    def pause(self, amount: int, now: float) -> float:
        """Return how long to wait after so many bytes, so that all keep to the limit."""
        if not self.bytes_per_second:
            return 0.0
        with self._lock:
            self._free_at = max(self._free_at, now) + amount / self.bytes_per_second
            return self._free_at - now
