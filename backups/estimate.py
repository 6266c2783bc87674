"""What remains of a job, as a range with its basis, or nothing when nothing can be known."""

from collections import deque
from dataclasses import dataclass, field

LONGEST_WINDOW_SECONDS = 60.0
SHORTEST_WINDOW_SECONDS = 5.0
# A forecast wants more than a speed: customers will hold us to it.
SHORTEST_FORECAST_SECONDS = 12.0
# No range is narrower than this to either side, however even the speed was.
MARGIN = 0.2
# Replay of local log, as measured on small machines; only until the job has replayed some itself.
REPLAY_BYTES_PER_SECOND = (60e6, 250e6)
UNPACK_BYTES_PER_SECOND = (150e6, 1000e6)
# Checking, opening and a checkpoint, behind everything that is counted in bytes.
CLOSING_SECONDS = (2.0, 20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """How many seconds the rest takes, at least and at most, and what that is drawn from.

    ``basis`` is a measure and its figure: "last:60" (seconds), or "usual:". Those who show it
    have the words.
    """

    low_seconds: float
    high_seconds: float
    basis: str

    def plus(self, low_seconds: float, high_seconds: float) -> "Remaining":
        return Remaining(
            low_seconds=self.low_seconds + low_seconds,
            high_seconds=self.high_seconds + high_seconds,
            basis=self.basis,
        )


@dataclass(slots=True)
class Pace:
    """The speed of the last 20 to 60 seconds, from what was done when."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, at_seconds: float, done: int) -> None:
        """Take down how much is done. Less than before starts the measure anew."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((at_seconds, done))
        while at_seconds - self._seen[0][0] > LONGEST_WINDOW_SECONDS:
            self._seen.popleft()

    def rate(self) -> float | None:
        """Return the units a second, None while there is nothing to measure."""
        if self._span() < SHORTEST_WINDOW_SECONDS:
            return None
        return (self._seen[-1][1] - self._seen[0][1]) / self._span()

    def remaining(self, left: int) -> Remaining | None:
        """Say how long the rest takes at the window's slowest and quickest; None at a halt."""
        rates = [rate for rate in self._rates() if rate > 0]
        overall = self.rate()
        if overall is None or overall <= 0 or self._span() < SHORTEST_FORECAST_SECONDS:
            return None
        # The whole window bounds the middle; its parts say how much it varies.
        slow = min([*rates, overall * (1 - MARGIN)])
        quick = max([*rates, overall * (1 + MARGIN)])
        return Remaining(
            low_seconds=left / quick,
            high_seconds=left / max(slow, overall / 3),
            basis=f"last:{self._span():.0f}",
        )

    def _span(self) -> float:
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0

    def _rates(self) -> list[float]:
        """Return the speeds of the window's thirds."""
        third = self._span() / 3
        if third <= 0:
            return []
        rates = []
        begin_at, begin = self._seen[0]
        for at, done in self._seen:
            if at - begin_at >= third:
                rates.append((done - begin) / (at - begin_at))
                begin_at, begin = at, done
        return rates


def usual(left: int, bytes_per_second: tuple[float, float]) -> Remaining:
    """Say how long so many bytes take at speeds seen elsewhere: until there is one of our own."""
    slow, quick = bytes_per_second
    return Remaining(low_seconds=left / quick, high_seconds=left / slow, basis="usual:")


def whole_job(
    current: Remaining | None, *, unpack_bytes: int, replay_bytes: int
) -> Remaining | None:
    """Add what comes after the current phase; None while the current one cannot be told."""
    if current is None:
        return None
    unpack = usual(unpack_bytes, UNPACK_BYTES_PER_SECOND)
    replay = usual(replay_bytes, REPLAY_BYTES_PER_SECOND)
    soonest, latest = CLOSING_SECONDS
    return current.plus(unpack.low_seconds, unpack.high_seconds).plus(
        replay.low_seconds + soonest, replay.high_seconds + latest
    )


def own_share(whole: Remaining, *, place: int, of: int) -> Remaining:
    """Say when one's own turn is over, being at this place of those that are left; 1 is next.

    Nobody knows how large each is, only how long all together take. So the range is that share of
    the whole's, one turn wider to both sides, and ends with the whole at the latest.
    """
    return Remaining(
        low_seconds=whole.low_seconds * (place - 1) / of,
        high_seconds=whole.high_seconds * min(place + 1, of) / of,
        basis=whole.basis,
    )
