"""One request for a stretch of an object, and what becomes of its bytes.

A part has one owner at a time, and only the owner adds to it. When the owner falls silent or lags
far behind, a second request (a hedge) asks for what is still missing; with its first byte it takes
the part over, exactly where it stands, and ends the first. So nothing is written twice, and hardly
a byte is wasted.
"""

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from backups.errors import EngineFailed, ObjectChanged
from backups.storage.answers import PassingTrouble
from backups.storage.etags import is_encrypted_with_keys
from backups.storage.flow import Limit
from backups.storage.items import BLOCK_BYTES
from backups.storage.jobs import PROVEN, Job, Part, prove_arrived, prove_believed
from backups.storage.journal import Journal
from backups.storage.sources import Channel
from backups.storage.values import Credentials, has_strong_etag, is_same_etag, plain_etag
from backups.storage.wire import Exchange

SCRATCH_BYTES = 64 * 1024
LIMITED_BYTES = 128 * 1024
MOVING_SECONDS = 0.5
NOTE_SECONDS = 0.03
PARTIAL_CONTENT = 206
# How often in a row a source may answer a range with the whole object.
TRIES_OF_RANGES = 3
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class NoRanges(EngineFailed):
    """A source sends whole objects when it is asked for a stretch of one."""

    code = "storage-gives-no-ranges"
    advice = (
        "The object storage gives no ranges of objects (something on the way may strip them). "
        "Use another endpoint of it, then resume the job."
    )


class Lost(Exception):
    """Another request has taken the part over, or nobody wants it any more."""


@dataclass(slots=True, kw_only=True)
class Setting:
    """What all attempts of a fetcher share."""

    journal: Journal
    limit: Limit
    # Sleep, and raise Lost if the fetcher ends meanwhile.
    sleep: Callable[[float], None]
    # Count by name.
    count: Callable[[str, int], None]
    # Say that the disk is full, or not any more.
    tell_disk: Callable[[bool], None]
    # Say that bytes came.
    tell_bytes: Callable[[], None]


@dataclass(slots=True, eq=False)
class Attempt:
    """See above. Times are of a monotonic clock; 0 means not yet."""

    part: Part
    channel: Channel
    setting: Setting
    silence_seconds: float
    is_hedge: bool = False
    # Takes over even from an owner that has begun to move again.
    is_for_slowness: bool = False
    is_lost: bool = False
    # Not on the network just now: it writes, waits for room or keeps to the limit.
    is_away: bool = False
    has_left: bool = False
    # The warden has ended its request because of silence.
    was_cut: bool = False
    asked_at: float = 0.0
    first_byte_at: float = 0.0
    last_byte_at: float = 0.0
    longest_gap: float = 0.0
    asked_bytes: int = 0
    asked_etag: str = ""
    came: int = 0
    exchange: Exchange | None = None
    keys: Credentials | None = None
    # The block that is coming in, and how much of it is there.
    _block: memoryview = field(default_factory=lambda: memoryview(bytearray(BLOCK_BYTES)))
    _filled: int = 0
    # Up to where, and when, the block was last written before it was whole.
    _noted: int = 0
    _noted_at: float = 0.0
    _damaged: int = 0

    @property
    def job(self) -> Job:
        return self.part.job

    def bring(self, descriptor: int) -> bool:
        """Bring what is missing of the part, and say whether it is whole.

        :raises PassingTrouble: when the answer does not come or breaks off; what came is kept
        :raises Lost: when it is not to go on
        """
        part, job = self.part, self.job
        came = self.carry_over(descriptor) if self.is_hedge else self.carry(descriptor)
        while came:
            self._prove(descriptor)
            if job.next_run(part) is None:
                return True
            came = self.carry(descriptor)
        return False

    def carry(self, descriptor: int) -> bool:
        """Own the part, and bring what is absent of it; say whether nothing came damaged.

        :raises PassingTrouble: when the answer does not come or breaks off; what came is kept
        :raises Lost: when it is not to go on
        """
        part, job = self.part, self.job
        while (run := job.next_run(part)) is not None:
            with part.lock:
                self._stand_at(*run, descriptor)
            self._ask(part.at, part.run_stop)
            # What an earlier process wrote is looked at while the rest is on its way.
            self._prove(descriptor)
            self._read(descriptor)
            if self._damaged:
                # Better from another source, if there is one.
                return False
        return True

    def carry_over(self, descriptor: int) -> bool:
        """Take the part over from its owner once bytes flow here, and bring the rest of it."""
        part = self.part
        with part.lock:
            if part.hedge is not self or part.at < 0:
                raise Lost
            owner = part.owner
            if owner is not None and not self.is_for_slowness and owner.is_moving():
                raise Lost
            start, stop = part.at, part.run_stop
        self._ask(start, stop)
        scratch = memoryview(bytearray(SCRATCH_BYTES))
        read = self._receive(scratch)
        with part.lock:
            self._take_over(start, stop)
            skip = part.at - start
        self.setting.count("hedges_won", 1)
        while skip >= read:
            self.setting.count("bytes_wasted", read)
            skip -= read
            read = self._receive(scratch)
        self.setting.count("bytes_wasted", skip)
        self._accept(scratch[skip:read], descriptor)
        if part.at < part.run_stop:
            self._read(descriptor)
        return not self._damaged and self.carry(descriptor)

    def is_moving(self) -> bool:
        """Whether bytes have just come."""
        return time.monotonic() - self.last_byte_at < MOVING_SECONDS

    def keep_partial(self) -> None:
        """Leave what came of the last block to whoever goes on. The part's lock is held."""
        self.part.partial = bytes(self._block[: self._filled])

    def cancel(self) -> None:
        self.is_lost = True
        if self.exchange is not None:
            self.exchange.cancel()

    def cut(self) -> None:
        """End the request because nothing comes; that is a trouble like any other."""
        if self.exchange is not None:
            self.was_cut = True
            self.exchange.cancel()

    def cede(self, middle: int) -> Part | None:
        """Leave what comes from ``middle`` on to another request: a part of its own.

        None if that cannot be done just now: somebody else has the part, or bytes are being kept.
        """
        part = self.part
        if not part.lock.acquire(blocking=False):
            return None
        try:
            is_in_order = part.owner is self and part.hedge is None and 0 <= part.at < middle
            if not is_in_order or middle >= part.stop:
                return None
            rest = Part(part.job, middle, part.stop, part.priority, blamed=set(part.blamed))
            rest.is_large = part.is_large
            self.asked_bytes -= max(part.run_stop - middle, 0)
            part.stop, part.run_stop = middle, min(part.run_stop, middle)
            return rest
        finally:
            part.lock.release()

    def _prove(self, descriptor: int) -> None:
        part, job = self.part, self.job
        self._away(lambda: prove_believed(job, part, descriptor, self.setting.journal))

    def _stand_at(self, start: int, stop: int, descriptor: int) -> None:
        """Begin at a run's first byte, or in the first block where the last answer broke off."""
        part = self.part
        if self.is_lost:
            raise Lost
        if part.partial and part.at - len(part.partial) != start:
            self.setting.count("bytes_wasted", len(part.partial))
            part.partial = b""
        if not part.partial:
            # What an earlier process wrote of this block; its hash will tell whether it holds.
            length = self.job.held.begun.pop(start // BLOCK_BYTES, 0)
            part.partial = os.pread(descriptor, length, start)
            self._noted = len(part.partial)
            if length:
                self.job.torn.add(start // BLOCK_BYTES)
        else:
            # Of what came in another request, nobody knows how much was written.
            self._noted = 0
        self._filled = len(part.partial)
        self._block[: self._filled] = part.partial
        part.at, part.run_stop, part.partial = start + self._filled, stop, b""

    def _take_over(self, start: int, stop: int) -> None:
        part, owner = self.part, self.part.owner
        if self.is_lost or part.hedge is not self or part.run_stop != stop or part.at >= stop:
            raise Lost
        if owner is not None:
            if part.at > start and not self.is_for_slowness:
                # It woke up first.
                raise Lost
            owner.keep_partial()
            owner.cancel()
        self._filled, self._noted = len(part.partial), 0
        self._block[: self._filled] = part.partial
        part.partial, part.owner, part.hedge = b"", self, None
        self.is_hedge = False

    def _ask(self, start: int, stop: int) -> None:
        job, channel = self.job, self.channel
        etag = job.etag_in(channel.index)
        exchange = self._renewed_exchange()
        self.asked_at, self.first_byte_at, self.last_byte_at = time.monotonic(), 0.0, 0.0
        self.asked_bytes, self.came, self.longest_gap = stop - start, 0, 0.0
        self.asked_etag = etag
        self.keys = channel.bucket.credentials()
        channel.bucket.ask(
            exchange,
            "GET",
            channel.own_key(job.item.ref.key),
            job.item.ref.key,
            headers={"Range": f"bytes={start}-{stop - 1}"}
            | ({"If-Match": f'"{etag}"'} if has_strong_etag(etag) else {}),
        )
        # Not every storage looks at If-Match.
        said = plain_etag(exchange.headers.get("etag", ""))
        if said and etag and not is_same_etag(said, etag):
            raise ObjectChanged(f"{job.item.ref.key}: its ETag is {said}, and not {etag} any more")
        if not _is_what_was_asked(exchange, job, start, stop):
            self._refuse_whole(exchange)
        job.unranged.pop(channel.index, None)
        if is_encrypted_with_keys(exchange.headers):
            job.is_etag_no_checksum = True
        job.served.add(channel.index)

    def _refuse_whole(self, exchange: Exchange) -> None:
        job, index = self.job, self.channel.index
        if exchange.status != PARTIAL_CONTENT:
            job.unranged[index] = job.unranged.get(index, 0) + 1
            if job.unranged[index] >= TRIES_OF_RANGES:
                raise NoRanges(f"{job.item.ref.key}: {self.channel.name} sends all of it")
        raise PassingTrouble("error", f"{job.item.ref.key}: something else than asked for came")

    def _renewed_exchange(self) -> Exchange:
        self.settle()
        self.exchange = self.channel.bucket.wire.exchange(silence_seconds=self.silence_seconds)
        if self.is_lost:
            raise Lost
        return self.exchange

    def settle(self) -> None:
        """Account for the last exchange, and give its connection back or end it."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            unread = exchange.close()
            self.setting.count("bytes_wire", exchange.received)
            self.setting.count("bytes_wasted", unread)

    def _read(self, descriptor: int) -> None:
        part, job = self.part, self.job
        while part.at < part.run_stop:
            length = job.block_bytes(part.at // BLOCK_BYTES)
            if self.setting.limit.bytes_per_second:
                length = min(length, self._filled + LIMITED_BYTES)
            read = self._receive(self._block[self._filled : length])
            with part.lock:
                if self.is_lost:
                    raise Lost
                self._advance(read, descriptor)

    def _accept(self, data: memoryview, descriptor: int) -> None:
        part, job = self.part, self.job
        while len(data):
            room = job.block_bytes(part.at // BLOCK_BYTES) - self._filled
            piece = data[:room]
            self._block[self._filled : self._filled + len(piece)] = piece
            data = data[len(piece) :]
            with part.lock:
                if self.is_lost:
                    raise Lost
                self._advance(len(piece), descriptor)

    def _receive(self, buffer: memoryview) -> int:
        assert self.exchange is not None
        read = self.exchange.read_into(buffer)
        if not read:
            raise PassingTrouble("reset", f"{self.job.item.ref.key}: the answer ended early")
        now = time.monotonic()
        if not self.first_byte_at:
            self.first_byte_at = now
            self.channel.flow.answered(now - self.asked_at)
            self.channel.answered()
        else:
            self.longest_gap = max(self.longest_gap, now - self.last_byte_at)
        self.last_byte_at = now
        self.came += read
        self.channel.flow.brought(now, read)
        self.setting.tell_bytes()
        if pause := self.setting.limit.pause(read, now):
            self._away(lambda: self.setting.sleep(pause))
        return read

    def _away(self, act: Callable[[], None]) -> None:
        self.is_away = True
        try:
            act()
        finally:
            self.last_byte_at = time.monotonic()
            self.is_away = False

    def _advance(self, read: int, descriptor: int) -> None:
        """Count bytes of the block as come, and keep it once it is whole. The lock is held."""
        part, job = self.part, self.job
        block = part.at // BLOCK_BYTES
        part.at += read
        self._filled += read
        length = job.block_bytes(block)
        if self._filled < length:
            self._note_begun(descriptor, block)
            return
        self._filled = self._noted = 0
        content = self._block[:length]
        digest = job.digest_of(content)
        first, last = job.stretch_of(block)
        expected = job.expected(block)
        if expected and last - first == 1 and digest.hex() != expected:
            self._damage(first, last)
            return
        self._write(descriptor, content, block * BLOCK_BYTES)
        self._noted_at = time.monotonic()
        self.setting.journal.block(job.held, block, digest)
        is_proven = not expected or last - first == 1
        job.set_states(block, block + 1, PROVEN if is_proven else PROVEN - 1)
        if not is_proven:
            for damaged in prove_arrived(job, part, descriptor, self.setting.journal):
                self._damage(*damaged)

    def _note_begun(self, descriptor: int, block: int) -> None:
        """Write what came of a block on a slow connection, so that a death does not cost it."""
        now = time.monotonic()
        if not self.job.item.part_hashes or now - self._noted_at < NOTE_SECONDS:
            return
        offset = block * BLOCK_BYTES + self._noted
        self._write(descriptor, self._block[self._noted : self._filled], offset)
        self.setting.journal.begun(self.job.held, block, self._filled)
        self._noted, self._noted_at = self._filled, now

    def _damage(self, first: int, last: int) -> None:
        stretch = range(first, last)
        self._damaged += 1
        # What was noted of its beginning must not be gone on from.
        self.setting.journal.lose(self.job.held, first, last)
        self.setting.count("bytes_wasted", sum(map(self.job.block_bytes, stretch)))
        if torn := self.job.torn.intersection(stretch):
            # Its beginning is what a process left that died: no fault of the source.
            self.job.torn -= torn
            self.setting.count("refetched", 1)
            return
        self.part.blamed.add(self.channel.index)
        self.setting.count("damaged", 1)
        self.setting.count(f"damaged_{self.channel.name}", 1)

    def _write(self, descriptor: int, content: memoryview, offset: int) -> None:
        while len(content):
            try:
                written = os.pwrite(descriptor, content, offset)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                # What came is held until there is room; the connection may break meanwhile.
                self.setting.tell_disk(True)  # noqa: FBT003 - reads as a sentence
                self._away(lambda: self.setting.sleep(0.5))
                continue
            content, offset = content[written:], offset + written
            self.setting.tell_disk(False)  # noqa: FBT003 - the same


def _is_what_was_asked(exchange: Exchange, job: Job, start: int, stop: int) -> bool:
    """Whether the answer is the stretch that was asked for, of an object of this size.

    :raises ObjectChanged: if the object has another size
    """
    key = job.item.ref.key
    if exchange.status == PARTIAL_CONTENT:
        said = exchange.headers.get("content-range", "")
        if said.rpartition("/")[2] not in ("*", str(job.size)):
            raise ObjectChanged(f"{key}: its size is not {job.size} any more ({said})")
        return said.startswith(f"bytes {start}-{stop - 1}/")
    if (start, stop) != (0, job.size):
        return False
    if exchange.headers.get("content-length", str(job.size)) != str(job.size):
        raise ObjectChanged(f"{key}: its size is not {job.size} any more")
    return True
