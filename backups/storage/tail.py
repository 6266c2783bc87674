"""The end of a fetch: what is left of slow parts is shared out among connections that fell idle.

Once no part waits to be asked for, connections run out of work one by one, and the slowest part
decides when all is there. So its owner cedes the second half of what it has still to bring, and so
on, for as long as that can gain something. It cannot where the line as a whole is the limit: there
the others grow faster as one ends, and cutting their answers would cost bytes for nothing.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from backups.storage.attempt import Attempt
from backups.storage.items import BLOCK_BYTES
from backups.storage.sources import Channel
from backups.storage.values import MIB

# A new request is worth while if it saves so much, and never for less than so many bytes.
LEAST_SECONDS = 0.6
LEAST_BYTES = 4 * MIB
# How long the rate is looked back on, and what share of the full one shows that the line is full.
LOOK_SECONDS = 0.5
FULL_SHARE = 0.85
# How fast the full rate follows the present one, ten times a second.
FOLLOWS = 0.2
# One that is so many times slower than usual is overtaken as a whole; see ``warden.is_slow``.
SLOW_TIMES = 4.0


@dataclass(slots=True)
class Tail:
    """What the warden knows of the rate, and which requests are to cede a part of their stretch."""

    channels: Sequence[Channel]
    # The rate while every connection had work, in bytes a second; zero if that never was.
    _full: float = 0.0
    _looks: deque[tuple[float, int]] = field(default_factory=deque)

    def look(
        self, attempts: Sequence[Attempt], now: float, *, is_idle: bool
    ) -> list[tuple[Attempt, int]]:
        """Return who is to cede, and from which byte on. To be called ten times a second."""
        rate = self._rate(now)
        if rate is None:
            return []
        free = sum(each.flow.free_for_large(now) for each in self.channels)
        if not free:
            self._full += (rate - self._full) * (FOLLOWS if self._full else 1.0)
        if not free or not is_idle or rate > self._full * FULL_SHARE > 0:
            return []
        # Those that would take the longest come first.
        waiting = sorted(
            ((_seconds_left(each, now), number) for number, each in enumerate(attempts)),
            reverse=True,
        )
        slow = [attempts[number] for seconds, number in waiting if seconds > LEAST_SECONDS]
        found = ((each, _middle(each, now)) for each in slow[:free])
        return [(attempt, middle) for attempt, middle in found if middle is not None]

    def _rate(self, now: float) -> float | None:
        looks = self._looks
        looks.append((now, sum(each.flow.brought_in_all for each in self.channels)))
        while now - looks[0][0] > LOOK_SECONDS and len(looks) > 1:
            looks.popleft()
        span = now - looks[0][0]
        return (looks[-1][1] - looks[0][1]) / span if span > LOOK_SECONDS / 2 else None


def _pace(attempt: Attempt, now: float) -> float:
    """Return the bytes a second of a request; zero if it is not one that flows."""
    if not attempt.first_byte_at or attempt.is_away or not attempt.is_moving():
        return 0.0
    return attempt.came / max(now - attempt.asked_at, 0.05)


def _seconds_left(attempt: Attempt, now: float) -> float:
    part, pace = attempt.part, _pace(attempt, now)
    left = part.stop - part.at
    if not pace or left < LEAST_BYTES or attempt.is_hedge:
        return 0.0
    usual = attempt.channel.flow.usual_seconds(MIB)
    return 0.0 if usual and pace * usual * SLOW_TIMES < MIB else left / pace


def _middle(attempt: Attempt, now: float) -> int | None:
    """Return from where on another request should bring the rest, so that both end together."""
    part, job, pace = attempt.part, attempt.job, _pace(attempt, now)
    left = part.stop - part.at
    usual = attempt.channel.flow.usual_seconds(MIB)
    other = max(MIB / usual, pace) if usual else pace
    # What shares a recorded hash stays together.
    step = job.item.hashed_bytes if job.item.part_hashes else BLOCK_BYTES
    at = part.at + int(left * pace / max(pace + other, 1.0))
    middle = -(-at // step) * step
    return middle if part.at < middle < part.stop else None
