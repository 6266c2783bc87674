"""Brings objects to a stage through connections that reset, stall and refuse: the long-lived core.

Objects are cut into parts of 16 MiB; each part is one request. Threads take the next part and the
source that is doing best, a warden hedges requests that fall silent, a scribe forces what came to
the disk. What happens within one request stands in ``attempt``, what is done next in ``schedule``,
what becomes of trouble in ``workers``.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from backups.errors import CredentialsRefused, DiskTooSmall, EngineFailed, StorageUnavailable
from backups.steps import Step
from backups.storage.attempt import Attempt
from backups.storage.ending import Ending
from backups.storage.flow import Measurement
from backups.storage.holes import punch
from backups.storage.items import BLOCK_BYTES, MIB, PART_BYTES, FetchItem, Manner
from backups.storage.jobs import ABSENT, BELIEVED, PROVEN, Finish, Job, Part, gaps
from backups.storage.journal import Journal
from backups.storage.schedule import BACKGROUND, URGENT
from backups.storage.scribe import Scribe
from backups.storage.sources import Sources
from backups.storage.workers import Workers

__all__ = ["Fetcher", "Measurement", "Stopped"]


class Stopped(EngineFailed):
    """The fetcher was closed while somebody waited for bytes."""

    code = "fetch-stopped"
    advice = "The fetch was stopped. Resume the job; nothing fetched is lost."


class OutsideStage(EngineFailed):
    """The name of an object would lead out of the folder that it is fetched to."""

    code = "object-outside-stage"
    advice = (
        "An object's name leads out of the stage (the attempt's log names it). Find out who stored "
        "it and remove it from the storage, then resume the job."
    )


@dataclass(slots=True, eq=False)
class _Batch:
    """Objects that somebody waits for as a whole."""

    jobs: frozenset[Job]
    total: int
    jobs_left: int = 0
    failure: BaseException | None = None

    @property
    def done(self) -> int:
        return sum(job.arrived for job in self.jobs)


class Fetcher:
    """Brings objects to a stage, in batches and on demand. Safe to use from many threads.

    Open it with ``with``: the journal ``stage/journal.jsonl`` is locked meanwhile (StageInUse), and
    at the end threads are joined; what came stays, to be continued. Items are told apart by
    ``item.to``, the file in the stage; asking with the same ``to`` for another size or ETag drops
    what was there.
    """

    def __init__(self, sources: Sources, stage: Path, *, manner: Manner | None = None) -> None:
        self.sources = sources
        self._stage = stage
        self._manner = manner or Manner()
        self._journal = Journal(stage / "journal.jsonl")
        self._scribe = Scribe(self._journal, stage)
        self._workers = Workers(sources, self._journal, self._manner, self)
        self._ending = Ending(sources, self._journal, self._manner)
        self._jobs: dict[str, Job] = {}
        self._batches: list[_Batch] = []
        self._news = threading.Condition()

    def __enter__(self) -> Self:
        self._journal.__enter__()
        self._workers.start()
        self._scribe.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._workers.stop()
        self._scribe.stop()
        with self._news:
            self._news.notify_all()
        for job in list(self._jobs.values()):
            job.tell()
        self._journal.__exit__(*exc)

    def steps(
        self, items: Sequence[FetchItem], *, finish: Finish | None = None, afresh: bool = False
    ) -> Iterator[Step]:
        """Bring all of these, and tell how far that is. Several batches may run at once.

        ``finish`` is called once for each object that is whole, in a thread of the fetcher; it may
        raise ``Unsound``, and may empty the file that it used up. With ``afresh`` what is there
        counts for nothing. Closing the iterator lets the objects go that are not finished.

        :raises EngineFailed: when waiting cannot help, or has not helped for ``outage_seconds``
        """
        if afresh:
            for item in items:
                self.forget(item)
        # Each once, in the order in which they were asked for.
        jobs = list(dict.fromkeys(self._job(item, finish) for item in items))
        batch = _Batch(frozenset(jobs), sum(job.size for job in jobs))
        self._require_room(batch)
        with self._news:
            batch.jobs_left = sum(not job.is_finished for job in jobs)
            batch.failure = next((job.failure for job in jobs if job.failure), None)
            self._batches.append(batch)
        self._workers.last_byte_at = time.monotonic()
        try:
            yield self._step(batch, "")
            for job in jobs:
                self._enqueue(job, 0, job.size, BACKGROUND)
            yield from self._follow(batch)
        finally:
            with self._news:
                self._batches.remove(batch)
            self._let_go(batch)

    def want(self, item: FetchItem, start: int = 0, stop: int | None = None) -> None:
        """Begin to fetch these bytes in the background, in order; returns at once."""
        job = self._job(item)
        self._enqueue(job, start, job.size if stop is None else stop, BACKGROUND)

    def wait(self, item: FetchItem, start: int, stop: int, *, seconds: float | None = None) -> bool:
        """Wait until bytes ``start`` to ``stop`` lie in ``path_of(item)`` and are proven.

        An object of one part without recorded hashes has to be whole, and compared with its ETag.
        They are wanted if nobody has, and come before everything in the background. False if that
        was not so after ``seconds`` (None: as long as ``Manner.outage_seconds`` allow).

        :raises EngineFailed: when waiting cannot help, or the fetcher is being closed
        """
        job = self._job(item)
        if _is_proven(job, start, stop):
            return True
        self._enqueue(job, start, stop, URGENT)
        began = time.monotonic()
        while not self._is_there(job, start, stop):
            if seconds is not None and time.monotonic() - began >= seconds:
                return False
            self._require_hope(began)
            left = 1.0 if seconds is None else began + seconds - time.monotonic()
            job.await_news(lambda: self._is_there(job, start, stop), min(max(left, 0.0), 1.0))
        return True

    def held(self, item: FetchItem, start: int, stop: int) -> int:
        """Return up to where, from ``start`` without a gap, proven bytes lie here now."""
        return self._job(item).proven_until(start, stop)

    def waits_for(self, since: float) -> str:
        """Say what somebody has waited for ``since``; empty while anything comes from anywhere.

        A wait is only told after ``Manner.waiting_after_seconds`` without a byte from any source,
        whoever asked for it: single retries are everyday. ``since`` is of a monotonic clock.
        """
        heard_at = max(since, self._workers.last_byte_at, self.sources.heard_at())
        is_quiet = time.monotonic() - heard_at > self._manner.waiting_after_seconds
        return self._waits_for() if is_quiet else ""

    def arrived(self, item: FetchItem) -> int:
        """Return how many bytes of an item lie here, proven or not yet."""
        return self._job(item).arrived

    def path_of(self, item: FetchItem) -> Path:
        """Return the item's file: sparse, as long as the object; only proven bytes are to be read.

        A descriptor that is open stays readable after ``forget``, as holes where they were punched.
        """
        return self._stage / item.to

    def forget(self, item: FetchItem, start: int = 0, stop: int | None = None) -> None:
        """Give back the disk of an item, or of the whole blocks inside a stretch of it.

        Nobody fetches it on.
        """
        if start == 0 and (stop is None or stop >= item.ref.size):
            self._forget_whole(item)
            return
        job = self._job(item)
        first = -(-start // BLOCK_BYTES)
        last = len(job.states) if stop is None or stop >= job.size else stop // BLOCK_BYTES
        if first < last:
            with self._news:
                job.is_finished = False
                job.drop(self._journal, first, last)
            descriptor = job.open()
            try:
                punch(descriptor, first * BLOCK_BYTES, (last - first) * BLOCK_BYTES)
            finally:
                os.close(descriptor)

    def bytes_held(self) -> int:
        """Return how many bytes of objects the stage holds."""
        with self._news:
            jobs = list(self._jobs.items())
            known = list(self._journal.held.items())
        busy = {to for to, _job in jobs}
        resting = sum(
            held.bytes_present for to, held in known if to not in busy and not held.is_consumed
        )
        return resting + sum(job.arrived for _to, job in jobs)

    def known(self) -> Sequence[str]:
        """Name the files that the journal knows, for instance after a new start."""
        with self._news:
            return list(self._journal.held)

    def counters(self) -> dict[str, int]:
        """Return what happened so far, by name; bytes_wire is what came, heads of answers too."""
        with self._workers.lock:
            counted = dict(self._workers.counters)
        counted["bytes_wire"] = counted.get("bytes_wire", 0) + self._workers.received()
        return counted

    def measurements(self) -> Sequence[Measurement]:
        """Return what each source gave in the last minute."""
        return self.sources.measurements()

    # -- what the workers tell

    def part_is_whole(self, part: Part) -> None:
        job = part.job
        self._scribe.wrote(job.path)
        with self._news:
            if job.parts.get(part.start) is part:
                del job.parts[part.start]
            is_over = not job.parts and job.is_whole and not job.is_finishing and not job.is_gone
            job.is_finishing = job.is_finishing or is_over
        if is_over:
            self._end_later(job)

    def end_job(self, job: Job) -> None:
        drops = job.drops
        is_sound = self._is_sound(job)
        with self._news:
            job.is_finishing = False
            if job.is_gone:
                return
            is_given_up = job.drops != drops
            if is_sound and not is_given_up:
                self._finished(job)
            is_over = not job.is_finished and job.is_whole and not job.parts
            is_awaited = not is_sound or any(job in batch.jobs for batch in self._batches)
            job.is_finishing = is_over
        if job.is_finished:
            self._workers.count(f"proven_by_{job.proof}", 1)
            job.tell()
        elif is_over:
            # It was given up and came again while it was looked at.
            self._end_later(job)
        elif is_awaited:
            self._enqueue(job, 0, job.size, BACKGROUND)

    def _is_sound(self, job: Job) -> bool:
        return self._ending.end(job)

    def _finished(self, job: Job) -> None:
        """Note that an object is finished. The lock is held, so nothing is given up meanwhile."""
        found = job.path.stat()
        is_consumed = found.st_size == 0 < job.size
        self._journal.finish(job.held, is_consumed=is_consumed, changed_ns=found.st_mtime_ns)
        job.is_finished = True
        for batch in self._batches:
            if job in batch.jobs:
                batch.jobs_left -= 1
                if not batch.jobs_left:
                    self._news.notify_all()

    def job_failed(self, job: Job, failure: BaseException) -> None:
        with self._news:
            job.failure = job.failure or failure
            for batch in self._batches:
                if job in batch.jobs:
                    batch.failure = batch.failure or job.failure
            self._news.notify_all()
        self._workers.drop(job)
        job.tell()

    def all_failed(self, failure: BaseException) -> None:
        with self._news:
            jobs = [job for job in self._jobs.values() if job.parts or job.is_finishing]
        for job in jobs:
            self.job_failed(job, failure)

    def share_out(self, attempt: Attempt, middle: int) -> None:
        with self._news:
            if attempt.job.is_unwanted or (part := attempt.cede(middle)) is None:
                return
            part.job.parts[part.start] = part
            with self._workers.lock:
                self._workers.counters["parts_shared_out"] += 1
                self._workers.schedule.add(part)
                self._workers.wake()

    # -- within

    def _job(self, item: FetchItem, finish: Finish | None = None) -> Job:
        """Return what is known of an item, beginning with it if nobody has."""
        with self._news:
            job = self._jobs.get(item.to)
            if job is not None:
                is_same = job.item.identity == item.identity and job.size == item.ref.size
                if is_same and not job.failure:
                    job.finish = finish or job.finish
                    return job
                job.is_gone = True
                self._workers.drop(job)
                if not is_same:
                    # Whatever still writes to the old file writes to nobody's.
                    job.remove()
            path = self._inside(item)
            was_known = item.to in self._journal.held
            held = self._journal.begin(item)
            job = Job(item, path, held, finish)
            if was_known and not job.path.exists():
                self._journal.lose(held, 0, len(held.present))
            if _is_as_it_was_left(job):
                job.states = bytearray([PROVEN]) * len(held.present)
                job.is_finished = True
            else:
                job.states = bytearray(BELIEVED if each else ABSENT for each in held.present)
            job.arrived = job.counted()
            self._jobs[item.to] = job
            return job

    def _enqueue(self, job: Job, start: int, stop: int, urgency: int) -> None:
        """Put into the schedule what of a stretch is neither there nor on its way."""
        if job.is_finished or job.failure:
            return
        with self._news, self._workers.lock:
            if not job.size and not job.is_finishing:
                job.is_finishing = True
                self._workers.schedule.end(job)
            for at in range(start // PART_BYTES * PART_BYTES, min(stop, job.size), PART_BYTES):
                until = min(at + PART_BYTES, job.size)
                under_way = job.parts_within(at, until)
                if urgency == URGENT:
                    for part in under_way:
                        self._workers.schedule.hurry(part)
                for first, last in gaps(under_way, at, until):
                    if not job.covers(first, last):
                        part = job.parts[first] = Part(job, first, last)
                        self._workers.schedule.add(part, urgency=urgency)
            self._workers.wake()

    def _end_later(self, job: Job) -> None:
        with self._workers.lock:
            self._workers.schedule.end(job)
            self._workers.wake()

    def _is_there(self, job: Job, start: int, stop: int) -> bool:
        if job.failure is not None:
            raise job.failure
        if self._workers.is_stopping or job.is_gone:
            raise Stopped
        return _is_proven(job, start, stop)

    def _follow(self, batch: _Batch) -> Iterator[Step]:
        began = time.monotonic()
        while True:
            with self._news:
                self._news.wait_for(
                    lambda: batch.failure or not batch.jobs_left or self._workers.is_stopping,
                    timeout=self._manner.step_seconds,
                )
                failure, is_finished = batch.failure, not batch.jobs_left
            if failure is not None:
                raise failure
            if is_finished:
                yield self._step(batch, "")
                return
            if self._workers.is_stopping:
                raise Stopped
            self._require_hope(began)
            yield self._step(batch, self.waits_for(began))

    def _step(self, batch: _Batch, waiting: str) -> Step:
        return Step(done=batch.done, total=batch.total, waiting=waiting, counters=self.counters())

    def _quiet_seconds(self) -> float:
        return time.monotonic() - self._workers.last_byte_at

    def _waits_for(self) -> str:
        if self._workers.is_disk_full:
            return "disk"
        if self._workers.is_refused():
            return "credentials"
        return "storage" if self._workers.trouble else ""

    def _require_hope(self, began: float) -> None:
        """Give up what has been waited for without a byte for too long; room may take its time."""
        quiet = min(self._quiet_seconds(), time.monotonic() - began)
        waits_for, trouble = self._waits_for(), self._workers.trouble
        if quiet <= self._manner.outage_seconds or waits_for in ("", "disk"):
            return
        said = f"no byte for {quiet:.0f} s: {trouble}"
        raise CredentialsRefused(said) if waits_for == "credentials" else StorageUnavailable(said)

    def _require_room(self, batch: _Batch) -> None:
        disk = os.statvfs(self._stage)
        free, needed = disk.f_bavail * disk.f_frsize, batch.total - batch.done
        if free < needed:
            raise DiskTooSmall(
                advice=f"{needed // MIB + 1} MiB more are to be fetched, and {free // MIB} MiB are "
                "free at the recovery target. Make room, then resume the job."
            )

    def _let_go(self, batch: _Batch) -> None:
        """End what a batch has asked for, unless somebody else waits for it."""
        with self._news:
            others = {id(job) for each in self._batches for job in each.jobs}
            left = [j for j in batch.jobs if not j.is_finished and id(j) not in others]
            for job in left:
                job.is_gone = True
                if self._jobs.get(job.item.to) is job:
                    del self._jobs[job.item.to]
        for job in left:
            self._workers.drop(job)
            job.tell()

    def _inside(self, item: FetchItem) -> Path:
        path = self.path_of(item)
        if self._stage.resolve() not in path.resolve().parents:
            raise OutsideStage(f"{item.ref.key} would be fetched to {item.to}")
        return path

    def _forget_whole(self, item: FetchItem) -> None:
        path = self._inside(item)
        with self._news:
            job = self._jobs.pop(item.to, None)
            if job is not None:
                job.is_gone = True
            self._journal.forget(item.to)
        if job is not None:
            self._workers.drop(job)
            job.remove()
            job.tell()
        path.unlink(missing_ok=True)


def _is_proven(job: Job, start: int, stop: int) -> bool:
    """Whether bytes may be read by whoever waits for them.

    A small object without recorded hashes is compared with its ETag first. A large one is not held
    back for that: its beginning would have to wait for its end.
    """
    if job.size <= PART_BYTES and not job.item.part_hashes and not job.is_finished:
        return False
    return job.covers(start, stop) and (job.size > 0 or job.is_finished)


def _is_as_it_was_left(job: Job) -> bool:
    """Whether a finished file needs no new look: emptied by who used it, or not touched since."""
    held = job.held
    is_complete = held.is_consumed or 0 not in held.present
    if not held.is_finished or not is_complete or not job.path.exists():
        return False
    found = job.path.stat()
    if held.is_consumed:
        return found.st_size == 0
    return (
        held.is_of_this_boot and found.st_size == job.size and found.st_mtime_ns == held.changed_ns
    )
