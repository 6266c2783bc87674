"""Bring objects to a local stage through a connection that resets, stalls and refuses.

Large objects come by parallel ranges, small ones many at once. Each request has a limit on silence,
not on the whole. A range that breaks off goes on at the byte where it broke. What arrived is
journalled, so that another process can go on where this one died. An outage is waited out, and said
so by the steps that are yielded.
"""

import errno
import hashlib
import os
import random
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backups.errors import DiskTooSmall, ObjectDamaged, StorageUnavailable
from backups.steps import Step
from backups.storage.items import MIB, PART_BYTES, FetchItem, Manner, Unsound
from backups.storage.journal import Journal, proven_until
from backups.storage.s3 import Bucket, PassingTrouble

__all__ = ["MIB", "PART_BYTES", "Fetch", "FetchItem", "Manner", "Unsound", "fetch"]


@dataclass(slots=True, eq=False)
class _Part:
    item: FetchItem
    number: int
    start: int
    stop: int
    have: int = 0
    damaged: int = 0


@dataclass(slots=True)
class _Shared:
    lock: threading.Condition = field(default_factory=threading.Condition)
    large: deque[_Part] = field(default_factory=deque)
    small: deque[_Part] = field(default_factory=deque)
    missing_parts: Counter[str] = field(default_factory=Counter)
    active_large: int = 0
    unfinished: int = 0
    done: int = 0
    counters: Counter[str] = field(default_factory=Counter)
    last_byte_at: float = 0.0
    trouble: str = ""
    failure: BaseException | None = None
    stopping: bool = False


class Fetch:
    """One run of a fetch over a stage."""

    def __init__(
        self,
        bucket: Bucket,
        items: Sequence[FetchItem],
        stage: Path,
        *,
        manner: Manner | None = None,
        finish: Callable[[FetchItem, Path], None] | None = None,
        afresh: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket = bucket
        self._items = items
        self._stage = stage
        self._manner = manner or Manner()
        self._finish = finish
        self._afresh = afresh
        self._clock = clock
        self._shared = _Shared()
        self._total = sum(item.ref.size for item in items)

    def steps(self) -> Iterator[Step]:
        """Fetch everything that is not there yet.

        :raises EngineFailed: when waiting cannot help, or has not helped for ``outage_seconds``
        """
        with Journal(self._stage / "journal.jsonl") as journal:
            self._prepare(journal)
            self._check_room()
            shared = self._shared
            shared.last_byte_at = self._clock()
            threads = [
                threading.Thread(target=self._work, args=(journal,), name=f"fetch-{n}", daemon=True)
                for n in range(self._threads_needed())
            ]
            for thread in threads:
                thread.start()
            try:
                yield from self._watch()
            finally:
                with shared.lock:
                    shared.stopping = True
                    shared.lock.notify_all()
                for thread in threads:
                    thread.join()

    def _watch(self) -> Iterator[Step]:
        shared, manner = self._shared, self._manner
        yield self._step("")
        while True:
            with shared.lock:
                shared.lock.wait_for(
                    lambda: shared.failure is not None or shared.unfinished == 0,
                    timeout=manner.step_seconds,
                )
                failure, finished = shared.failure, shared.unfinished == 0
                quiet = self._clock() - shared.last_byte_at
                trouble = shared.trouble
            if failure is not None:
                raise failure
            if finished:
                yield self._step("")
                return
            if trouble and quiet > manner.outage_seconds:
                raise StorageUnavailable(f"no byte for {quiet:.0f} s: {trouble}")
            # A wait is only told when nothing at all arrives: single retries are everyday.
            yield self._step("storage" if quiet > manner.waiting_after_seconds else "")

    def _step(self, waiting: str) -> Step:
        with self._shared.lock:
            return Step(
                done=self._shared.done,
                total=self._total,
                waiting=waiting,
                counters=dict(self._shared.counters),
            )

    def _threads_needed(self) -> int:
        large = min(self._manner.large_at_once, len(self._shared.large))
        return large + min(self._manner.small_at_once, len(self._shared.small))

    def _prepare(self, journal: Journal) -> None:
        shared = self._shared
        for item in self._items:
            path = self._stage / item.to
            if self._afresh:
                journal.begin(item.ref)
                journal.forget(item.ref.key, 0, item.ref.size)
                path.unlink(missing_ok=True)
            held = journal.begin(item.ref)
            if held.finished and _is_there(path, item.ref.size, journal):
                shared.done += item.ref.size
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            starts = range(0, max(item.ref.size, 1), PART_BYTES)
            parts = []
            for number, start in enumerate(starts):
                part = _Part(item, number, start, min(start + PART_BYTES, item.ref.size))
                part.have = proven_until(held, path, part.start, part.stop)
                shared.done += part.have - part.start
                parts.append(part)
            with path.open("ab") as file:
                file.truncate(item.ref.size)
            shared.unfinished += 1
            shared.missing_parts[item.ref.key] = len(parts)
            (shared.small if len(parts) == 1 else shared.large).extend(parts)

    def _check_room(self) -> None:
        disk = os.statvfs(self._stage)
        free = disk.f_bavail * disk.f_frsize
        needed = self._total - self._shared.done
        if free < needed:
            raise DiskTooSmall(
                advice=f"{needed // MIB + 1} MiB more are to be fetched, and {free // MIB} MiB are "
                "free at the recovery target. Make room, then resume the job."
            )

    # -- what the threads do

    def _work(self, journal: Journal) -> None:
        shared = self._shared
        try:
            while (part := self._take()) is not None:
                try:
                    self._bring(part, journal)
                finally:
                    self._give_back(part)
        except _Stopped:
            return
        except OSError as error:
            if error.errno == errno.ENOSPC:
                self._fail(DiskTooSmall(str(error)))
            else:
                self._fail(error)
        except BaseException as error:  # noqa: BLE001 - carried to the iterator, which raises it
            self._fail(error)
        finally:
            with shared.lock:
                shared.lock.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._shared.lock:
            self._shared.failure = self._shared.failure or error
            self._shared.stopping = True
            self._shared.lock.notify_all()

    def _take(self) -> _Part | None:
        shared = self._shared
        with shared.lock:
            while not shared.stopping:
                if shared.large and shared.active_large < self._manner.large_at_once:
                    shared.active_large += 1
                    return shared.large.popleft()
                if shared.small:
                    return shared.small.popleft()
                if not shared.large:
                    return None
                shared.lock.wait(1.0)
        return None

    def _give_back(self, part: _Part) -> None:
        if part.item.ref.size > PART_BYTES:
            with self._shared.lock:
                self._shared.active_large -= 1
                self._shared.lock.notify_all()

    def _bring(self, part: _Part, journal: Journal) -> None:
        key, path = part.item.ref.key, self._stage / part.item.to
        while True:
            self._bring_bytes(part, path, journal)
            fault = self._fault_of(part, path)
            if not fault:
                with self._shared.lock:
                    self._shared.missing_parts[key] -= 1
                    complete = self._shared.missing_parts[key] == 0
                fault = self._complete(part.item, path, journal) if complete else ""
            if not fault:
                return
            self._drop(part, fault, journal)

    def _complete(self, item: FetchItem, path: Path, journal: Journal) -> str:
        """Finish an object; say what is wrong with it if that shows only now."""
        if self._finish is not None:
            try:
                self._finish(item, path)
            except Unsound as unsound:
                return str(unsound)
        journal.finish(item.ref.key)
        with self._shared.lock:
            self._shared.unfinished -= 1
            self._shared.lock.notify_all()
        return ""

    def _drop(self, part: _Part, fault: str, journal: Journal) -> None:
        part.damaged += 1
        where = f"{part.item.ref.key}, bytes {part.start}-{part.stop}: {fault}"
        journal.forget(part.item.ref.key, part.start, part.stop)
        with self._shared.lock:
            self._shared.counters["damaged"] += 1
            self._shared.done -= part.have - part.start
            if self._shared.missing_parts[part.item.ref.key] == 0:
                self._shared.missing_parts[part.item.ref.key] = 1
        part.have = part.start
        if part.damaged >= self._manner.tries_of_damaged:
            raise ObjectDamaged(where)

    def _fault_of(self, part: _Part, path: Path) -> str:
        hashes = part.item.part_hashes
        if not hashes:
            return ""
        if part.number >= len(hashes):
            return "longer than its manifest says"
        digest = hashlib.sha256()
        with path.open("rb") as file:
            file.seek(part.start)
            left = part.stop - part.start
            while left and (data := file.read(min(MIB, left))):
                digest.update(data)
                left -= len(data)
        return "" if digest.hexdigest() == hashes[part.number] else "not what the manifest recorded"

    def _bring_bytes(self, part: _Part, path: Path, journal: Journal) -> None:
        failures = 0
        descriptor = os.open(path, os.O_WRONLY)
        try:
            while part.have < part.stop:
                before = part.have
                try:
                    self._read_on(part, descriptor, journal)
                except PassingTrouble as trouble:
                    failures = 0 if part.have > before else failures + 1
                    self._note(trouble)
                    self._pause(failures, trouble)
        finally:
            os.close(descriptor)

    def _read_on(self, part: _Part, descriptor: int, journal: Journal) -> None:
        """Read from where the part stands; a block that is journalled is checked when going on."""
        pending: list[bytes] = []
        chunk = 256 * 1024

        def keep() -> None:
            data = b"".join(pending)
            pending.clear()
            if not data:
                return
            os.pwrite(descriptor, data, part.have)
            journal.block(part.item.ref.key, part.have, part.have + len(data), zlib.crc32(data))
            part.have += len(data)

        try:
            for data in self._bucket.read_range(part.item.ref, part.have, part.stop, chunk=chunk):
                pending.append(data)
                self._count(len(data))
                if sum(map(len, pending)) >= self._manner.block_bytes:
                    keep()
        finally:
            keep()

    def _count(self, length: int) -> None:
        with self._shared.lock:
            if self._shared.stopping:
                raise _Stopped
            self._shared.done += length
            self._shared.last_byte_at = self._clock()
            self._shared.trouble = ""

    def _note(self, trouble: PassingTrouble) -> None:
        with self._shared.lock:
            self._shared.counters[trouble.reason] += 1
            self._shared.trouble = str(trouble)

    def _pause(self, failures: int, trouble: PassingTrouble) -> None:
        """Wait before the next try: not after a break in mid-flow, longer if nothing came."""
        if failures == 0 and trouble.reason != "busy":
            return
        longest = min(self._manner.longest_pause_seconds, 0.1 * 2 ** min(failures, 10))
        with self._shared.lock:
            self._shared.lock.wait_for(
                lambda: self._shared.stopping,
                timeout=random.uniform(longest / 2, longest),  # noqa: S311 - jitter, no secret
            )
            if self._shared.stopping:
                raise _Stopped


def _is_there(path: Path, size: int, journal: Journal) -> bool:
    """Say whether a finished file is still whole, or was used up by its finisher."""
    found = path.stat().st_size if path.exists() else -1
    # After a crash of the machine a file may have its size and not its bytes: look at each.
    return found == 0 or (found == size and not journal.is_from_another_boot)


class _Stopped(Exception):
    """The iterator was closed."""


def fetch(
    bucket: Bucket,
    items: Sequence[FetchItem],
    stage: Path,
    *,
    manner: Manner | None = None,
    finish: Callable[[FetchItem, Path], None] | None = None,
    afresh: bool = False,
) -> Iterator[Step]:
    """Bring the items to the stage, going on from whatever an earlier fetch left there.

    ``finish`` is called once for each object that is whole, in a thread of the fetch; it may raise
    ``Unsound``, and may empty the file that it used up. With ``afresh`` what is there counts for
    nothing.

    :raises EngineFailed: see ``backups.errors``; the stage stays as it is, to be continued
    """
    return Fetch(bucket, items, stage, manner=manner, finish=finish, afresh=afresh).steps()
