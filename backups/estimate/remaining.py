"""How quick a job is now, and what of its rest falls to one of many."""

from collections import deque
from dataclasses import dataclass, field

LONGEST_WINDOW_SECONDS = 60.0
SHORTEST_WINDOW_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """How many seconds the rest takes, at least and at most, and what that is drawn from.

    ``basis`` names the measures, as that of a ``Forecast`` does.
    """

    low_seconds: float
    high_seconds: float
    basis: str


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

    def _span(self) -> float:
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0


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
