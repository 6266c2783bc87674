"""The relay's fetcher: it knows how much the disk can hold, and what came otherwise than said."""

import hashlib
import logging
import os
import time
from collections import defaultdict
from pathlib import Path

from backups.errors import EngineFailed, ObjectDamaged
from backups.storage.ending import BY_NOTHING
from backups.storage.fetcher import Fetcher, Stopped
from backups.storage.items import MIB, PART_BYTES, FetchItem, Manner
from backups.storage.jobs import Job
from backups.storage.sources import Sources

logger = logging.getLogger(__name__)

# What is left free for everybody else on the disk, and for the journal.
RESERVE_BYTES = 64 * MIB
# For so long after an answer was broken off, no stretch of its object is given out: a client that
# took it in stretches may have wrong ones, and would go on with the one that it lacks.
DISTRUST_SECONDS = 60.0


class CameDamaged(EngineFailed):
    """What was given out of an object is not what the storage says that it holds."""

    code = "relay-came-damaged"
    advice = (
        "What came of this object was not what its ETag says, and a part of it may have been given "
        "out. Throw away what you have of it, and take it anew from its first byte in a minute."
    )


class Cache(Fetcher):
    """A fetcher whose stage need not have room for everything. Safe to use from many threads.

    Of a large object that no manifest speaks of, bytes are given out before the whole of them can
    be compared. A ``version`` is what all of it was, each time that this came out wrong.
    """

    def __init__(self, sources: Sources, stage: Path, *, manner: Manner | None = None) -> None:
        super().__init__(sources, stage, manner=manner)
        self._wrong_versions: defaultdict[str, list[bytes]] = defaultdict(list)
        self._broken_off_at: dict[str, float] = {}
        self._told_of: set[tuple[str, str]] = set()

    def room(self) -> int:
        """Return how many bytes of objects the disk can hold now, those that it holds included."""
        held = self.bytes_held()
        if self._workers.is_disk_full:
            # Whatever the file system says: there may be a quota. Something has to go.
            return max(held - 2 * PART_BYTES, 0)
        disk = os.statvfs(self._stage)
        return max(held + disk.f_bavail * disk.f_frsize - RESERVE_BYTES, 0)

    def wrong_versions(self, item: FetchItem) -> int:
        """Return how often all of an object was there and not what its ETag says."""
        return len(self._wrong_versions[item.to])

    def is_distrusted(self, item: FetchItem) -> bool:
        """Whether an answer with bytes of it was broken off just now because they were wrong."""
        broken_off_at = self._broken_off_at.get(item.to)
        return broken_off_at is not None and time.monotonic() - broken_off_at < DISTRUST_SECONDS

    def await_verdict(self, item: FetchItem, *, seconds: float) -> bool:
        """Wait until all of an object was compared, or is not going to be; False if it will be.

        :raises EngineFailed: if it stays damaged, or the fetcher is being closed
        """
        job = self._job(item)
        job.await_news(lambda: self._has_verdict(job), seconds)
        return self._has_verdict(job)

    def is_compared_now(self, item: FetchItem) -> bool:
        return self._job(item).is_finishing

    def require_same(self, item: FetchItem, since: int) -> None:
        """Make sure that all versions since then are the one that is there at the end.

        So they are where a storage's ETags are no checksums.

        :raises CameDamaged: if they are not, so that a reader may have got bytes of another
        """
        job = self._job(item)
        last = _version(job)
        if any(version != last for version in self._wrong_versions[item.to][since:]):
            self._broken_off_at[item.to] = time.monotonic()
            raise CameDamaged(f"{item.ref.key}: came otherwise than its ETag says")
        if not job.is_finished:
            self.tell_once(item, "nothing proves it: not all of it was here at once")
        elif job.proof == BY_NOTHING:
            self.tell_once(item, "nothing proves it: its ETag is no checksum of what came")

    def tell_once(self, item: FetchItem, what: str) -> None:
        """Warn of an object by its name."""
        with self._news:
            is_told = (item.to, what) in self._told_of
            self._told_of.add((item.to, what))
        if not is_told:
            logger.warning("relay: %s: %s", item.ref.key, what)

    def _has_verdict(self, job: Job) -> bool:
        if job.failure is not None:
            raise job.failure
        if self._workers.is_stopping or job.is_gone:
            raise Stopped
        with self._news:
            is_to_come = bool(job.parts) or job.is_finishing or job.is_whole
            return job.is_finished or not is_to_come

    def _is_sound(self, job: Job) -> bool:
        version = _version(job)
        try:
            is_sound = super()._is_sound(job)
        except ObjectDamaged:
            self._note_wrong(job, version)
            self._broken_off_at[job.item.to] = time.monotonic()
            raise
        if not is_sound:
            self._note_wrong(job, version)
        return is_sound

    def _note_wrong(self, job: Job, version: bytes) -> None:
        if is_unproven(job.item):
            self._wrong_versions[job.item.to].append(version)
            logger.warning(
                "relay: what came of %s is not what its ETag says; who took a part of it may "
                "have wrong bytes. It is fetched again.",
                job.item.ref.key,
            )


def is_unproven(item: FetchItem) -> bool:
    """Whether bytes of an object are given out before all of it was compared with anything."""
    return not item.part_hashes and item.ref.size > PART_BYTES


def _version(job: Job) -> bytes:
    return hashlib.sha256(job.held.digests).digest()
