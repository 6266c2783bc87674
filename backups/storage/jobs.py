"""One object on its way: which of its blocks are there, and which stretches are still to come."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backups.errors import EngineFailed
from backups.storage.hashing import bare, digest_of, new_digest
from backups.storage.items import BLOCK_BYTES, PART_BYTES, FetchItem
from backups.storage.journal import Held, Journal

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from backups.storage.attempt import Attempt

# What is known of a block: nothing; an earlier process wrote it; it came, and what is hashed
# together with it did not yet; it is proven.
ABSENT, BELIEVED, ARRIVED, PROVEN = 0, 1, 2, 3

Finish = Callable[[FetchItem, Path], None]


class Gone(Exception):
    """Nobody wants the object any more, and its file was removed."""


@dataclass(slots=True, eq=False)
class Part:
    """A stretch of an object that is asked for at once. Guarded by ``lock``, where several write.

    ``at`` is the next byte to come, ``partial`` what came of its block before the answer broke off.
    """

    job: "Job"
    start: int
    stop: int
    priority: tuple[int, int] = (0, 0)
    at: int = -1
    run_stop: int = -1
    partial: bytes = b""
    owner: "Attempt | None" = None
    hedge: "Attempt | None" = None
    hedges: int = 0
    failures: int = 0
    damaged: int = 0
    blamed: set[int] = field(default_factory=set)
    not_before: float = 0.0
    is_queued: bool = False
    # Counted among the large ranges in flight, which does not change when its end is ceded.
    is_large: bool = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.is_large = self.stop - self.start >= PART_BYTES // 4

    @property
    def blocks(self) -> range:
        return range(self.start // BLOCK_BYTES, -(-self.stop // BLOCK_BYTES))


@dataclass(slots=True, eq=False)
class Job:
    """One item and its file. ``parts`` are those that are wanted and not whole, by first byte."""

    item: FetchItem
    path: Path
    held: Held
    finish: Finish | None = None
    states: bytearray = field(default_factory=bytearray)
    parts: dict[int, Part] = field(default_factory=dict)
    # Each source's own ETag of the object, where it is not the item's.
    etags: dict[int, str] = field(default_factory=dict)
    # Sources that have no such object, or another one under its name, and how that showed.
    barred: dict[int, EngineFailed] = field(default_factory=dict)
    # Sources that have given bytes of it.
    served: set[int] = field(default_factory=set)
    # Sources that have given all of it by themselves, twice, and not what its ETag says.
    judged: set[int] = field(default_factory=set)
    # A source said that it encrypts the object in a way that makes its ETag no checksum.
    is_etag_no_checksum: bool = False
    # How often a source said that the object is not what was asked for, though it was.
    denials: dict[int, int] = field(default_factory=dict)
    # How often in a row a source sent the whole object for a stretch of it.
    unranged: dict[int, int] = field(default_factory=dict)
    failure: BaseException | None = None
    is_finished: bool = False
    is_finishing: bool = False
    is_gone: bool = False
    # By what it was proven, once it is finished.
    proof: str = ""
    unsound: int = 0
    arrived: int = 0
    # What was found when the whole was first not what its ETag says: the hash of every block.
    first_digests: bytes = b""
    # Blocks that go on from what an earlier process had written of them.
    torn: set[int] = field(default_factory=set)
    # How often blocks were given up, so that whoever looked at the whole meanwhile knows.
    drops: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def size(self) -> int:
        return self.item.ref.size

    def etag_in(self, source: int) -> str:
        """Return the ETag that a source has the object under, as far as is known."""
        return self.etags.get(source, self.item.ref.etag)

    def counted(self) -> int:
        """Return how many bytes are there, proven or not."""
        there = len(self.states) - self.states.count(ABSENT)
        whole = there * BLOCK_BYTES
        if self.states and self.states[-1] != ABSENT:
            whole -= BLOCK_BYTES - self.block_bytes(len(self.states) - 1)
        return whole

    def await_news(self, is_there: Callable[[], bool], seconds: float) -> None:
        """Wait until a look at what is proven is worth while."""
        with self._news:
            self._waiting += 1
            if not is_there():
                self._news.wait(seconds)
            self._waiting -= 1

    def tell(self) -> None:
        """Wake those who wait for bytes."""
        with self._news:
            self._news.notify_all()

    @property
    def is_unwanted(self) -> bool:
        return self.is_gone or self.failure is not None

    @property
    def is_whole(self) -> bool:
        return self.states.count(PROVEN) == len(self.states)

    def block_bytes(self, block: int) -> int:
        return min(BLOCK_BYTES, self.size - block * BLOCK_BYTES)

    def covers(self, start: int, stop: int) -> bool:
        """Whether these bytes are there and proven."""
        first, last = start // BLOCK_BYTES, -(-min(stop, self.size) // BLOCK_BYTES)
        return self.states.count(PROVEN, first, last) == max(last - first, 0)

    def proven_until(self, start: int, stop: int) -> int:
        at = start
        while at < stop and self.states[at // BLOCK_BYTES] == PROVEN:
            at = (at // BLOCK_BYTES + 1) * BLOCK_BYTES
        return min(max(at, start), stop, self.size)

    def next_run(self, part: Part) -> tuple[int, int] | None:
        """Return the first stretch of a part that is absent."""
        blocks = part.blocks
        first = self.states.find(ABSENT, blocks.start, blocks.stop)
        if first < 0:
            return None
        last = first
        while last < blocks.stop and self.states[last] == ABSENT:
            last += 1
        return first * BLOCK_BYTES, min(last * BLOCK_BYTES, self.size)

    def set_states(self, first: int, last: int, state: int) -> None:
        """Change what is known of blocks, ``last`` not included, and count what is there."""
        with self.lock:
            for block in range(first, last):
                was, self.states[block] = self.states[block], state
                self.arrived += self.block_bytes(block) * ((state > ABSENT) - (was > ABSENT))
        if state == PROVEN and self._waiting:
            self.tell()

    def drop(self, journal: Journal, first: int, last: int) -> None:
        self.drops += 1
        self.set_states(first, last, ABSENT)
        journal.lose(self.held, first, last)

    def parts_within(self, start: int, stop: int) -> list[Part]:
        """Return the parts of a stretch that are not whole, in order: one, or what it became."""
        part = self.parts.get(start)
        if part is not None and part.stop == stop:
            return [part]
        each = (self.parts.get(at) for at in range(start, stop, BLOCK_BYTES))
        return [part for part in each if part is not None]

    def open(self) -> int:
        """Open the file for reading and writing, as long as the object; the rest is holes."""
        with self.lock:
            if self.is_gone:
                raise Gone
            return self._open()

    def remove(self) -> None:
        """Remove the file, for good."""
        with self.lock:
            self.is_gone = True
            self.path.unlink(missing_ok=True)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, flags, 0o600)
        if os.fstat(descriptor).st_size != self.size:
            os.ftruncate(descriptor, self.size)
        return descriptor

    def stretch_of(self, block: int) -> tuple[int, int]:
        """Return the blocks that share a recorded hash with this one."""
        if not self.item.part_hashes:
            return block, block + 1
        length = self.item.hashed_bytes // BLOCK_BYTES
        first = block // length * length
        return first, min(first + length, len(self.states))

    def expected(self, block: int) -> str:
        """Return the recorded hash of the stretch that holds a block, or nothing."""
        if not self.item.part_hashes:
            return ""
        return bare(self.item.part_hashes[block * BLOCK_BYTES // self.item.hashed_bytes])

    def digest_of(self, content: "Buffer") -> bytes:
        """Return the hash of a block, of the kind that its manifest recorded."""
        return digest_of(content, self.item.part_hashes)


def gaps(parts: Sequence[Part], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Name what of a stretch is in none of these parts, which lie in it in order."""
    for part in parts:
        if start < part.start:
            yield start, part.start
        start = part.stop
    if start < stop:
        yield start, stop


def read_block(descriptor: int, job: Job, block: int) -> bytes:
    return os.pread(descriptor, job.block_bytes(block), block * BLOCK_BYTES)


def prove_believed(job: Job, part: Part, descriptor: int, journal: Journal) -> None:
    """Read again what an earlier process wrote of a part; drop what does not hold its hash."""
    for block in part.blocks:
        if job.states[block] != BELIEVED:
            continue
        digest = job.digest_of(read_block(descriptor, job, block))
        if job.states[block] != BELIEVED:
            # Another request has looked at it, and fetched it if it was bad.
            continue
        if digest != job.held.digest(block):
            job.drop(journal, block, block + 1)
        else:
            job.set_states(block, block + 1, ARRIVED)
    for _damaged in prove_arrived(job, part, descriptor, journal):
        pass


def prove_arrived(
    job: Job, part: Part, descriptor: int, journal: Journal
) -> Iterator[tuple[int, int]]:
    """Compare what came with the manifest; drop, and name, stretches that do not agree."""
    block = part.blocks.start
    while block < part.blocks.stop:
        first, last = job.stretch_of(block)
        states = job.states[first:last]
        if ARRIVED in states and ABSENT not in states and BELIEVED not in states:
            if is_as_recorded(job, first, last, descriptor):
                job.set_states(first, last, PROVEN)
            else:
                job.drop(journal, first, last)
                yield first, last
        block = last


def is_as_recorded(job: Job, first: int, last: int, descriptor: int) -> bool:
    expected = job.expected(first)
    if not expected:
        return True
    if last - first == 1:
        # One block, one hash: it was computed when the block came.
        return job.held.digest(first).hex() == expected
    digest = new_digest(job.item.part_hashes)
    for block in range(first, last):
        digest.update(read_block(descriptor, job, block))
    return digest.digest().hex() == expected


def is_file_as_recorded(descriptor: int, item: FetchItem) -> bool:
    """Compare a whole file with the hashes of an item."""
    length = item.hashed_bytes
    for number, expected in enumerate(item.part_hashes):
        content = os.pread(descriptor, min(length, item.ref.size), number * length)
        if digest_of(content, item.part_hashes).hex() != bare(expected):
            return False
    return True
