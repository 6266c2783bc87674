"""The threads of a fetcher: they take what is next, carry it, and sort out what goes wrong."""

import logging
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from backups.errors import (
    CredentialsRefused,
    EngineFailed,
    ObjectChanged,
    ObjectDamaged,
    ObjectMissing,
)
from backups.storage.answers import PassingTrouble
from backups.storage.attempt import NO_ROOM, Attempt, Lost, Setting
from backups.storage.flow import MANY_FAILURES, Limit
from backups.storage.items import Manner
from backups.storage.jobs import Gone, Job, Part, prove_believed
from backups.storage.journal import Journal
from backups.storage.schedule import Schedule, Task
from backups.storage.sources import Channel, Sources
from backups.storage.values import is_same_etag
from backups.storage.warden import Warden
from backups.storage.wire import Cancelled

logger = logging.getLogger(__name__)

IDLE_THREAD_SECONDS = 10.0
NAP_SECONDS = 0.5
SPARE_THREADS = 16
# So often a source may say of an object that has not changed that it has.
TRIES_OF_DENIED = 5


class Listener(Protocol):
    """Whom the threads tell what became of things. Called without any lock."""

    def part_is_whole(self, part: Part) -> None: ...

    def end_job(self, job: Job) -> None: ...

    def job_failed(self, job: Job, failure: BaseException) -> None: ...

    def all_failed(self, failure: BaseException) -> None: ...

    def share_out(self, attempt: Attempt, middle: int) -> None: ...


class Workers:
    """A pool that grows with what may be in flight. ``lock`` guards the schedule."""

    def __init__(
        self, sources: Sources, journal: Journal, manner: Manner, listener: Listener
    ) -> None:
        self._channels = sources.channels
        self._journal = journal
        self._manner = manner
        self._listener = listener
        for channel in self._channels:
            channel.flow.most = manner.small_at_once
            channel.flow.large_window = manner.large_at_once
            channel.flow.longest_pause_seconds = manner.longest_pause_seconds
        self.lock = threading.Condition()
        self.schedule = Schedule(self._channels)
        self.counters: Counter[str] = Counter()
        self.last_byte_at = time.monotonic()
        self.trouble = ""
        self.is_disk_full = False
        self._has_come = False
        self._attempts: set[Attempt] = set()
        self._threads: set[threading.Thread] = set()
        self._number = 0
        self._idle = 0
        self._ended = threading.Event()
        self._setting = Setting(
            journal=journal,
            limit=Limit(manner.bytes_per_second),
            sleep=self._sleep,
            count=self.count,
            tell_disk=self._tell_disk,
            tell_bytes=self._tell_bytes,
        )

    def start(self) -> None:
        with self.lock:
            self._spawn(Warden(self, self._channels).watch, "fetch-warden")

    def stop(self) -> None:
        """End every request and thread; what came is kept."""
        self._ended.set()
        with self.lock:
            attempts, threads = list(self._attempts), list(self._threads)
            self.lock.notify_all()
        for attempt in attempts:
            attempt.cancel()
        for thread in threads:
            thread.join()

    @property
    def is_stopping(self) -> bool:
        return self._ended.is_set()

    def nap(self, seconds: float) -> bool:
        """Wait so long; say whether there is more to do then."""
        return not self._ended.wait(seconds)

    def under_way(self) -> list[Attempt]:
        with self.lock:
            return list(self._attempts)

    def add_hedge(self, hedge: Attempt) -> None:
        """Ask a second time, before anything else."""
        self.count("hedges", 1)
        with self.lock:
            self.schedule.hedge(hedge)
            self.wake()

    def share_out(self, attempt: Attempt, middle: int) -> None:
        """Let another request bring what comes from ``middle`` on."""
        self._listener.share_out(attempt, middle)

    def wake(self) -> None:
        """Let a thread look at the schedule. The lock is held."""
        if self._idle:
            self.lock.notify()
        elif len(self._threads) < self._manner.small_at_once + SPARE_THREADS:
            self._number += 1
            self._spawn(self._work, f"fetch-{self._number}")

    def drop(self, job: Job) -> None:
        """End every request for an object that nobody wants any more."""
        for attempt in self.under_way():
            if attempt.job is job:
                attempt.cancel()

    def is_refused(self) -> bool:
        """Whether no source accepts our keys."""
        return all(channel.refusal is not None for channel in self._channels)

    def received(self) -> int:
        """Return what came in requests that are still under way."""
        exchanges = [attempt.exchange for attempt in self.under_way()]
        return sum(exchange.received for exchange in exchanges if exchange is not None)

    # -- threads

    def _spawn(self, act: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=self._told_of, args=(act,), name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _told_of(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            # Where a thread is lost with what it had taken, they would wait for ever.
            self._listener.all_failed(error)

    def _work(self) -> None:
        try:
            while (task := self._take()) is not None:
                self._do(task)
        finally:
            with self.lock:
                self._threads.discard(threading.current_thread())

    def _take(self) -> Task | None:
        """Wait for something to do; None when there was nothing for long."""
        bored_at = time.monotonic() + IDLE_THREAD_SECONDS
        with self.lock:
            while not self.is_stopping:
                now = time.monotonic()
                task = self.schedule.take(now)
                if task is not None:
                    if task.channel is not None and task.part is not None:
                        task.channel.flow.enter(now, large=task.part.is_large)
                    # Where one thing was to be had, there may be another.
                    self.wake()
                    return task
                if now > bored_at:
                    return None
                nap = min(NAP_SECONDS, self.schedule.next_moment(now) - now)
                self._idle += 1
                self.lock.wait(nap)
                self._idle -= 1
        return None

    def _do(self, task: Task) -> None:
        job = task.ends or (task.part.job if task.part else None)
        assert job is not None
        try:
            if task.ends is not None:
                self._listener.end_job(task.ends)
                self._tell_disk(False)  # noqa: FBT003 - reads as a sentence
            elif task.part is not None and task.channel is not None:
                self._carry(task.part, task.channel, task.hedge)
            elif task.part is not None:
                self._prove(task.part)
        except (Lost, Gone):
            return
        except OSError as error:
            if task.ends is not None and error.errno in NO_ROOM:
                self._end_again(task.ends)
            else:
                self._listener.job_failed(job, error)
        except BaseException as error:  # noqa: BLE001 - carried to whoever waits, and raised there
            self._listener.job_failed(job, error)

    def _end_again(self, job: Job) -> None:
        """Let whoever takes the object try again once there may be room."""
        self._tell_disk(True)  # noqa: FBT003 - reads as a sentence
        if self.nap(NAP_SECONDS) and not job.is_unwanted:
            with self.lock:
                self.schedule.end(job)
                self.wake()

    def _prove(self, part: Part) -> None:
        try:
            descriptor = part.job.open()
            try:
                prove_believed(part.job, part, descriptor, self._journal)
            finally:
                os.close(descriptor)
        finally:
            with self.lock:
                self.schedule.proving -= 1
        if part.job.next_run(part) is None:
            self._listener.part_is_whole(part)
        else:
            self._put_back(part, 0.0)

    # -- one request

    def _carry(self, part: Part, channel: Channel, hedge: Attempt | None) -> None:
        attempt = hedge or self.attempt(part, channel)
        with self.lock:
            self._attempts.add(attempt)
        if hedge is None:
            with part.lock:
                part.owner = attempt
        if self.is_stopping or part.job.is_unwanted:
            # Whoever ended it may have looked just before this attempt was there to be cancelled.
            attempt.cancel()
        try:
            is_whole = self._try(attempt)
        except (Lost, Gone, Cancelled):
            self._let_go(attempt, 0.0)
        except PassingTrouble as trouble:
            self._ride_out(attempt, trouble)
        except EngineFailed as failure:
            self._sort_out(attempt, failure)
        else:
            self._finish(attempt, is_whole=is_whole)
        finally:
            attempt.settle()
            self.leave(attempt)
            with self.lock:
                self._attempts.discard(attempt)

    def attempt(self, part: Part, channel: Channel) -> Attempt:
        return Attempt(part, channel, self._setting, self._manner.silence_seconds)

    def leave(self, attempt: Attempt) -> None:
        """Free the attempt's place among the requests in flight."""
        with self.lock:
            if attempt.has_left:
                return
            attempt.has_left = True
        attempt.channel.flow.leave(large=attempt.part.is_large)

    def _try(self, attempt: Attempt) -> bool:
        try:
            descriptor = attempt.job.open()
            try:
                return attempt.bring(descriptor)
            finally:
                os.close(descriptor)
        except Cancelled:
            if attempt.was_cut:
                raise PassingTrouble("silent", f"{attempt.job.item.ref.key}: no byte came") from (
                    None
                )
            raise
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            self._tell_disk(True)  # noqa: FBT003 - reads as a sentence
            raise PassingTrouble("disk", str(error)) from error

    def _finish(self, attempt: Attempt, *, is_whole: bool) -> None:
        part, now = attempt.part, time.monotonic()
        # Whoever waits for the whole finds every byte counted.
        attempt.settle()
        attempt.channel.flow.went_well(
            amount=attempt.came, seconds=now - attempt.asked_at, longest_gap=attempt.longest_gap
        )
        if not is_whole:
            part.damaged += 1
            if part.damaged >= self._manner.tries_of_damaged:
                where = f"{part.job.item.ref.key}, bytes {part.start}-{part.stop}"
                raise ObjectDamaged(f"{where}: not what the manifest recorded")
            self._let_go(attempt, 0.0)
            return
        with part.lock:
            hedge, part.owner, part.hedge = part.hedge, None, None
        if hedge is not None:
            hedge.cancel()
        self._listener.part_is_whole(part)

    def _ride_out(self, attempt: Attempt, trouble: PassingTrouble) -> None:
        now, part = time.monotonic(), attempt.part
        self.count(trouble.reason, 1)
        with self.lock:
            self.trouble = str(trouble)
        if trouble.reason != "disk":
            attempt.channel.flow.went_wrong(now, trouble)
        if attempt.came and trouble.reason != "busy":
            part.failures = 0
            self._let_go(attempt, 0.0)
            return
        # While others are served it was chance, and the window yields enough; else wait longer.
        is_served = attempt.channel.flow.failures < MANY_FAILURES
        part.failures = 1 if is_served else part.failures + 1
        longest = min(self._manner.longest_pause_seconds, 0.1 * 2 ** min(part.failures, 10))
        pause = random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret
        self._let_go(attempt, now + pause)

    def _sort_out(self, attempt: Attempt, failure: EngineFailed) -> None:
        """Go on with another source, or end the object, or everything, if there is none."""
        job, channel = attempt.job, attempt.channel
        if isinstance(failure, ObjectDamaged):
            self._listener.job_failed(job, failure)
            return
        if isinstance(failure, CredentialsRefused):
            self._refuse(attempt, failure)
            return
        try:
            if isinstance(failure, ObjectChanged):
                if self._was_mistaken(attempt):
                    self._ride_out(attempt, PassingTrouble("error", str(failure)))
                    return
                if self._is_same_elsewhere(attempt):
                    self._let_go(attempt, 0.0)
                    return
        except PassingTrouble as trouble:
            # It could not be asked just now, which says nothing of what it has.
            self._ride_out(attempt, trouble)
            return
        job.barred[channel.index] = failure
        self.count(f"barred_{channel.name}", 1)
        if len(job.barred) == len(self._channels):
            self._listener.job_failed(job, job.barred[min(job.barred)])
        else:
            self._let_go(attempt, 0.0)

    def _refuse(self, attempt: Attempt, refusal: CredentialsRefused) -> None:
        channel, now = attempt.channel, time.monotonic()
        self.count(f"refused_{channel.name}", 1)
        channel.refused(refusal, attempt.keys or channel.bucket.credentials(), now)
        if self.is_refused() and not self._has_come:
            # They never served: that is told at once, and not waited for.
            self._listener.all_failed(refusal)
            return
        self._let_go(attempt, now + 0.1)

    def _was_mistaken(self, attempt: Attempt) -> bool:
        """Whether the object is what was asked for, though an answer said otherwise.

        Storages under load have refused a range of an object that nobody had touched.

        :raises PassingTrouble: if the source cannot be asked just now
        """
        job, channel = attempt.job, attempt.channel
        denials = job.denials.get(channel.index, 0) + 1
        job.denials[channel.index] = denials
        if denials > TRIES_OF_DENIED:
            return False
        try:
            own = channel.bucket.head(channel.own_key(job.item.ref.key))
        except (ObjectMissing, CredentialsRefused):
            return False
        return own.size == job.size and is_same_etag(own.etag, attempt.asked_etag)

    def _is_same_elsewhere(self, attempt: Attempt) -> bool:
        """Whether another source has the same bytes under an ETag of its own.

        Only hashes can prove that, so without a manifest the ETag has to be the same.

        :raises PassingTrouble: if that source cannot be asked just now
        """
        job, channel = attempt.job, attempt.channel
        if attempt.asked_etag != job.etag_in(channel.index):
            # It was asked for under another ETag before somebody else had learned this one.
            return True
        has_been_right = channel.index in job.served or channel.index in job.etags
        if len(self._channels) == 1 or has_been_right or not job.item.part_hashes:
            return False
        try:
            own = channel.bucket.head(channel.own_key(job.item.ref.key))
        except (ObjectMissing, CredentialsRefused):
            return False
        if own.size != job.size:
            return False
        job.etags[channel.index] = own.etag
        return True

    def _let_go(self, attempt: Attempt, not_before: float) -> None:
        """Give a part back that is not whole, unless another request has it."""
        part = attempt.part
        with part.lock:
            if part.hedge is attempt:
                part.hedge = None
            elif part.owner is attempt:
                attempt.keep_partial()
                part.owner = None
            else:
                return
            is_free = part.owner is None and part.hedge is None
        if is_free:
            self._put_back(part, not_before)

    def _put_back(self, part: Part, not_before: float) -> None:
        with self.lock:
            if not part.is_queued and not part.job.is_gone and part.job.failure is None:
                self.schedule.add(part, not_before=not_before)
                self.wake()

    # -- what attempts tell

    def _sleep(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise Lost

    def count(self, name: str, amount: int) -> None:
        if amount:
            with self.lock:
                self.counters[name] += amount

    def _tell_disk(self, is_full: bool) -> None:  # noqa: FBT001 - one fact, told as it is
        if self.is_disk_full != is_full:
            with self.lock:
                self.is_disk_full = is_full

    def _tell_bytes(self) -> None:
        self.last_byte_at = time.monotonic()
        self.trouble = ""
        self._has_come = True
