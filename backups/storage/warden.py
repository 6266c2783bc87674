"""Who looks after requests under way: asks elsewhere for what is silent or slow, ends the dead."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backups.storage.attempt import Attempt
from backups.storage.flow import median
from backups.storage.sources import Channel
from backups.storage.tail import SLOW_TIMES, Tail
from backups.storage.values import MIB

if TYPE_CHECKING:
    from backups.storage.workers import Workers

WATCH_SECONDS = 0.1

LEAST_SLOW_SECONDS = 3.0
HEDGES_AT_MOST = 6
# A second request for something small costs next to nothing; and when nothing else waits to be
# asked for, connections are free and only the end is waited for.
IDLE_FIRST_BYTE_SECONDS, FIRST_BYTE_SECONDS = 0.3, 1.0
IDLE_GAP_SECONDS, GAP_SECONDS = 1.0, 2.0


def is_dead(attempt: Attempt, now: float) -> bool:
    """Whether an answer has been silent for longer than it is given."""
    since = attempt.last_byte_at or attempt.asked_at
    return not attempt.is_away and since > 0 and now - since > attempt.silence_seconds


def is_silent(attempt: Attempt, now: float, *, is_idle: bool) -> bool:
    """Whether it is time to ask elsewhere for what does not come."""
    if attempt.is_away or not attempt.asked_at:
        return False
    flow, times = attempt.channel.flow, 2.0**attempt.part.hedges
    if not attempt.first_byte_at:
        is_cheap = is_idle or not attempt.part.is_large
        least = IDLE_FIRST_BYTE_SECONDS if is_cheap else FIRST_BYTE_SECONDS
        return now - attempt.asked_at > flow.first_byte_patience(least=least) * times
    least = IDLE_GAP_SECONDS if is_idle else GAP_SECONDS
    return now - attempt.last_byte_at > flow.gap_patience(least=least) * times


def is_slow(attempt: Attempt, now: float, others: Sequence[Attempt]) -> bool:
    """Whether a large stretch takes far longer than usual, and than the others just now."""
    usual = attempt.channel.flow.usual_seconds(attempt.asked_bytes)
    took = now - attempt.asked_at
    if usual is None or attempt.is_away or attempt.asked_bytes - attempt.came < 2 * MIB:
        return False
    if took < max(SLOW_TIMES * usual, LEAST_SLOW_SECONDS):
        return False
    # When all are slow, the storage is: asking again would only waste what is under way.
    paces = [
        each.came / max(now - each.asked_at, 0.1)
        for each in others
        if each is not attempt and each.first_byte_at
    ]
    return not paces or attempt.came / took * SLOW_TIMES < median(paces)


class Warden:
    """One thread beside the workers, which looks ten times a second."""

    def __init__(self, workers: "Workers", channels: Sequence[Channel]) -> None:
        self._workers = workers
        self._channels = channels
        self._tail = Tail(channels)

    def watch(self) -> None:
        """Look after everything until the workers are stopped."""
        workers = self._workers
        while workers.nap(WATCH_SECONDS):
            now = time.monotonic()
            for channel in self._channels:
                channel.flow.climb(now)
            with workers.lock:
                is_idle = not workers.schedule.has_parts()
                if not is_idle:
                    workers.wake()
            attempts = workers.under_way()
            for attempt in attempts:
                self._look_at(attempt, attempts, now, is_idle=is_idle)
            for attempt, middle in self._tail.look(attempts, now, is_idle=is_idle):
                workers.share_out(attempt, middle)

    def _look_at(
        self, attempt: Attempt, attempts: Sequence[Attempt], now: float, *, is_idle: bool
    ) -> None:
        if is_dead(attempt, now):
            attempt.cut()
            return
        silent = is_silent(attempt, now, is_idle=is_idle)
        if attempt.is_hedge:
            if silent:
                # A request elsewhere that is silent as well makes way for the next.
                attempt.cut()
            return
        slow = not silent and is_slow(attempt, now, attempts)
        if (silent or slow) and attempt.part.hedges < HEDGES_AT_MOST:
            self._hedge(attempt, is_for_slowness=slow)

    def _hedge(self, attempt: Attempt, *, is_for_slowness: bool) -> None:
        part = attempt.part
        # Whoever holds the lock is writing, and so not silent.
        if not part.lock.acquire(blocking=False):
            return
        try:
            if part.owner is not attempt or part.hedge is not None or part.at < 0:
                return
            hedge = self._workers.attempt(part, attempt.channel)
            hedge.is_hedge, hedge.is_for_slowness = True, is_for_slowness
            part.hedge = hedge
            part.hedges += 1
        finally:
            part.lock.release()
        # One that is silent takes nothing of what may be in flight.
        self._workers.leave(attempt)
        self._workers.add_hedge(hedge)
