"""What is asked for next, and of whom. Not locked: the fetcher's lock guards it."""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from backups.storage.attempt import Attempt
from backups.storage.flow import MANY_FAILURES
from backups.storage.jobs import ABSENT, Job, Part
from backups.storage.sources import Channel

URGENT, BACKGROUND = 0, 1
PROVING_AT_ONCE = 2

Entry = tuple[tuple[int, int], int, Part]


@dataclass(slots=True)
class Task:
    """One thing for a thread to do: carry a part, prove one, or end an object."""

    part: Part | None = None
    channel: Channel | None = None
    hedge: Attempt | None = None
    ends: Job | None = None


@dataclass(slots=True)
class Schedule:
    """Parts that wait, the urgent ones first, each kind in the order in which it was wanted."""

    channels: Sequence[Channel]
    _large: list[Entry] = field(default_factory=list)
    _small: list[Entry] = field(default_factory=list)
    _to_prove: list[Entry] = field(default_factory=list)
    _resting: list[tuple[float, int, Part]] = field(default_factory=list)
    _hedges: deque[Attempt] = field(default_factory=deque)
    _ending: deque[Job] = field(default_factory=deque)
    _number: int = 0
    proving: int = 0

    def add(self, part: Part, *, urgency: int | None = None, not_before: float = 0.0) -> None:
        """Put a part in its queue, or up to the front of it."""
        self._number += 1
        if urgency is not None:
            part.priority = (urgency, self._number)
        part.is_queued = True
        part.not_before = not_before
        if not_before:
            heapq.heappush(self._resting, (not_before, self._number, part))
        else:
            self._queue(part)

    def hurry(self, part: Part) -> None:
        """Let a part come before everything that is not urgent."""
        if part.priority[0] == URGENT:
            return
        self._number += 1
        part.priority = (URGENT, self._number)
        if part.is_queued and not part.not_before:
            self._queue(part)

    def hedge(self, attempt: Attempt) -> None:
        self._hedges.append(attempt)

    def end(self, job: Job) -> None:
        self._ending.append(job)

    def has_parts(self) -> bool:
        """Whether anything waits to be asked for."""
        return bool(self._large or self._small)

    def next_moment(self, now: float) -> float:
        """Return when something may be done that may not be done now; never, if nothing rests."""
        cooling = [each.flow.cool_until for each in self.channels]
        moments = [*cooling, *(each[0] for each in self._resting[:1])]
        return min((each for each in moments if each > now), default=math.inf)

    def take(self, now: float) -> Task | None:
        """Return what is to be done now, None if that is nothing."""
        if self._ending:
            return Task(ends=self._ending.popleft())
        self._wake(now)
        for hedge in list(self._hedges):
            if channel := self._channel(hedge.part, now, avoided=hedge.channel):
                self._hedges.remove(hedge)
                hedge.channel = channel
                return Task(part=hedge.part, channel=channel, hedge=hedge)
        heaps = [heap for heap in (self._large, self._small) if self._top(heap)]
        for heap in sorted(heaps, key=lambda each: each[0][0]):
            part = heap[0][2]
            if channel := self._channel(part, now):
                heapq.heappop(heap)
                part.is_queued = False
                return Task(part=part, channel=channel)
        if self._top(self._to_prove) and self.proving < PROVING_AT_ONCE:
            part = heapq.heappop(self._to_prove)[2]
            part.is_queued = False
            self.proving += 1
            return Task(part=part)
        return None

    def _queue(self, part: Part) -> None:
        # A number for this entry alone: a rest that was shared out has its part's priority, and
        # where an outage lets both rest, both wake at once. Parts cannot be compared.
        self._number += 1
        entry = (part.priority, self._number, part)
        states = part.job.states[part.blocks.start : part.blocks.stop]
        if ABSENT not in states:
            heapq.heappush(self._to_prove, entry)
        else:
            heapq.heappush(self._large if part.is_large else self._small, entry)

    def _wake(self, now: float) -> None:
        while self._resting and self._resting[0][0] <= now:
            part = heapq.heappop(self._resting)[2]
            if part.is_queued and part.not_before:
                part.not_before = 0.0
                self._queue(part)

    def _top(self, heap: list[Entry]) -> bool:
        """Drop what was taken, hurried or forgotten meanwhile; say whether anything is left."""
        while heap:
            priority, _number, part = heap[0]
            if part.is_queued and priority == part.priority and not part.job.is_gone:
                return True
            heapq.heappop(heap)
        return False

    def _channel(self, part: Part, now: float, avoided: Channel | None = None) -> Channel | None:
        """Return who is asked: who did not give damaged bytes, is well, and comes first."""
        serving = [each for each in self.channels if each.index not in part.job.barred]
        others = [
            each
            for each in serving
            if each.index not in part.blamed and each.flow.failures < MANY_FAILURES
        ]
        free = [each for each in others or serving if each.flow.has_room(now, large=part.is_large)]
        return min(
            free,
            key=lambda each: (each is avoided, int(each.flow.badness * 4), each.index),
            default=None,
        )
