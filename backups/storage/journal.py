"""What a fetch has brought in, so that a death costs no more than the blocks in flight.

One line at a time is appended, each with a CRC of its own: the identity of an object, then each
block of 1 MiB that was written with its hash, then the object's end. Every so often a line says
up to where in the journal the blocks are on the disk for good.

A process that dies leaves its blocks in the kernel's memory: its successor believes every line.
After a new start of the machine only those are believed that were said to be durable. Believing is
not trusting: each block is read again and its hash compared before it counts. So a torn, shortened
or altered journal or stage costs a new fetch of what is bad, never wrong data. The disk is forced
in the background; waiting for it block by block cost a third of the speed when measured, and a
batch of blocks a second of work at each death.

The stage is locked while the journal is open, so that two fetches never share it.
"""

import fcntl
import json
import os
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from backups.errors import EngineFailed
from backups.storage.hashing import DIGEST_BYTES
from backups.storage.items import BLOCK_BYTES, FetchItem

COMPACT_BYTES = 4 * 1024 * 1024


class StageInUse(EngineFailed):
    """Another worker still holds the stage."""

    code = "stage-in-use"
    advice = "Another worker is still busy with this job's files. Resume in a minute."


@dataclass(slots=True)
class Held:
    """What the journal knows of one file of the stage."""

    number: int
    identity: str
    size: int
    is_finished: bool = False
    # The file was emptied by whoever used it up.
    is_consumed: bool = False
    # When the finished file was last changed, and whether that was since the machine started.
    changed_ns: int = 0
    is_of_this_boot: bool = True
    present: bytearray = field(default_factory=bytearray)
    # How much an earlier process wrote of blocks that are not whole; the manifest will prove them.
    begun: dict[int, int] = field(default_factory=dict)
    digests: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        blocks = -(-self.size // BLOCK_BYTES)
        self.present = bytearray(blocks)
        self.digests = bytearray(blocks * DIGEST_BYTES)

    @property
    def bytes_present(self) -> int:
        whole = self.present.count(1) * BLOCK_BYTES
        if self.present and self.present[-1]:
            whole -= len(self.present) * BLOCK_BYTES - self.size
        return whole

    def digest(self, block: int) -> bytes:
        return bytes(self.digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES])

    def put(self, block: int, digest: bytes) -> None:
        if not 0 <= block < len(self.present) or len(digest) != DIGEST_BYTES:
            raise ValueError(block)
        self.present[block] = 1
        self.begun.pop(block, None)
        self.digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES] = digest


class Journal:
    """The record of one stage. Open it with ``with``; methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._descriptor = -1
        self._guard = -1
        self._length = 0
        self._number = 0
        self._is_torn = False
        self.held: dict[str, Held] = {}

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._guard = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._guard)
            raise StageInUse from error
        reading = _Reading()
        if self._path.exists():
            reading.read(self._path.read_bytes())
        self.held = reading.held
        self._number = max((each.number for each in self.held.values()), default=0)
        if reading.is_wasteful():
            self._write_anew()
        self._open()
        self._append({"boot": boot_id()})
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            # Whoever comes late writes to nobody's file: the number may soon be that of another.
            descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)
        os.close(self._guard)

    def begin(self, item: FetchItem) -> Held:
        """Start or continue a file; what is known of another object in its place is forgotten."""
        with self._lock:
            held = self.held.get(item.to)
            if held is None or (held.identity, held.size) != (item.identity, item.ref.size):
                self._number += 1
                held = self.held[item.to] = Held(self._number, item.identity, item.ref.size)
                self._append(_said(item.to, held))
            return held

    def block(self, held: Held, block: int, digest: bytes) -> None:
        with self._lock:
            held.put(block, digest)
            self._append({"in": held.number, "block": block, "hash": digest.hex()})

    def begun(self, held: Held, block: int, length: int) -> None:
        """Note how much of a block that comes slowly was written, without knowing its hash yet."""
        with self._lock:
            self._append({"in": held.number, "block": block, "begun": length})

    def lose(self, held: Held, first: int, last: int) -> None:
        """Forget these blocks, ``last`` not included, and that the file was finished."""
        with self._lock:
            held.is_finished = held.is_consumed = False
            _lose(held, first, last)
            self._append({"in": held.number, "lost": [first, last]})

    def finish(self, held: Held, *, is_consumed: bool, changed_ns: int) -> None:
        with self._lock:
            held.is_finished, held.is_consumed, held.changed_ns = True, is_consumed, changed_ns
            self._append(_end(held))

    def forget(self, to: str) -> None:
        with self._lock:
            held = self.held.pop(to, None)
            if held is not None:
                self._append({"gone": held.number})

    def position(self) -> int:
        """Return where the journal ends now, to be told to ``durable`` later."""
        return self._length

    def durable(self, position: int) -> None:
        """Say that every block named before that position is on the disk for good."""
        with self._lock:
            self._append({"durable": position})

    def _append(self, line: dict[str, Any]) -> None:
        if self._descriptor < 0:
            return
        data = (b"\n" if self._is_torn else b"") + _line(line)
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            # No room: the line is lost, and costs a new fetch if this process dies.
            written = 0
        self._length += written
        self._is_torn = written not in (0, len(data)) or (self._is_torn and not written)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._descriptor = os.open(self._path, flags, 0o600)
        self._length = os.fstat(self._descriptor).st_size
        # Whatever was cut off by a death must not spoil the next line.
        self._is_torn = self._length > 0

    def _write_anew(self) -> None:
        part = self._path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(_line({"boot": boot_id()}))
            for to, held in self.held.items():
                file.write(_line(_said(to, held)))
                for block in range(len(held.present)):
                    if held.present[block]:
                        line = {"block": block, "hash": held.digest(block).hex()}
                        file.write(_line({"in": held.number, **line}))
                if held.is_finished:
                    file.write(_line(_end(held)))
        part.replace(self._path)


class _Reading:
    """The journal as it is read, line by line."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self._numbers: dict[int, Held] = {}
        self._boot = ""
        self._volatile: list[tuple[int, Held, int]] = []
        self._lines = 0

    def read(self, whole: bytes) -> None:
        offset = 0
        for raw in whole.split(b"\n"):
            self._lines += 1
            try:
                crc, _space, text = raw.partition(b" ")
                if int(crc, 16) == zlib.crc32(text):
                    self._take(json.loads(text), offset)
            except (ValueError, KeyError, TypeError, IndexError):
                # Torn by a crash, or altered; what follows may be true.
                pass
            offset += len(raw) + 1
        self._start(boot_id())

    def is_wasteful(self) -> bool:
        needed = sum(each.present.count(1) + 2 for each in self.held.values())
        return self._lines > 2 * needed + COMPACT_BYTES // 128

    def _take(self, line: dict[str, Any], offset: int) -> None:
        match line:
            case {"file": str(to), "number": int(number), "is": str(identity), "size": int(size)}:
                self.held[to] = self._numbers[number] = Held(number, identity, size)
            case {"in": int(number), "block": int(block), "hash": str(digest)}:
                held = self._numbers[number]
                held.put(block, bytes.fromhex(digest))
                self._volatile.append((offset, held, block))
            case {"in": int(number), "lost": [int(first), int(last)]}:
                held = self._numbers[number]
                held.is_finished = held.is_consumed = False
                _lose(held, first, last)
            case {"in": int(number), "block": int(block), "begun": int(length)}:
                self._numbers[number].begun[block] = length
            case {"in": int(number), "finished": int(changed), "consumed": bool(is_consumed)}:
                held = self._numbers[number]
                held.is_finished, held.is_consumed, held.changed_ns = True, is_consumed, changed
                held.is_of_this_boot = self._boot == boot_id()
            case {"gone": int(number)}:
                gone = self._numbers[number]
                self.held = {to: each for to, each in self.held.items() if each is not gone}
            case {"durable": int(position)}:
                self._volatile = [each for each in self._volatile if each[0] >= position]
            case {"boot": str(boot)}:
                self._start(boot)
            case _:
                pass

    def _start(self, boot: str) -> None:
        """Stop believing what an earlier start of the machine may have lost."""
        if self._boot and boot != self._boot:
            for _offset, held, block in self._volatile:
                held.present[block] = 0
        if boot != self._boot:
            self._volatile = []
        self._boot = boot


def _lose(held: Held, first: int, last: int) -> None:
    held.present[first:last] = bytes(last - first)
    for block in [each for each in held.begun if first <= each < last]:
        del held.begun[block]


def _said(to: str, held: Held) -> dict[str, Any]:
    return {"file": to, "number": held.number, "is": held.identity, "size": held.size}


def _end(held: Held) -> dict[str, Any]:
    return {"in": held.number, "finished": held.changed_ns, "consumed": held.is_consumed}


def _line(line: dict[str, Any]) -> bytes:
    text = json.dumps(line, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def boot_id() -> str:
    """Return what tells one start of this machine from another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
