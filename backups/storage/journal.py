"""What a fetch has brought in, so that a death costs no more than the blocks in flight.

One JSON line at a time is appended: first the identity of an object, then each block with its CRC,
then the object's end. Nothing is forced to the disk, which would cost more than the fetch: a block
is believed only if its bytes are there when the fetch goes on, and after the machine was started
anew no file is believed before each of its blocks was looked at. So a crash costs a new fetch of
what the disk lost, and never wrong data. A line cut off by death is ignored. The file is locked
while it is open, so that two fetches never share a stage.
"""

import fcntl
import json
import os
import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from backups.errors import EngineFailed
from backups.storage.s3 import ObjectRef


class StageInUse(EngineFailed):
    """Another worker still holds the stage."""

    code = "stage-in-use"
    advice = "Another worker is still busy with this job's files. Resume in a minute."


@dataclass(slots=True)
class Held:
    """What the journal knows of one object."""

    etag: str
    size: int
    blocks: dict[int, tuple[int, int]] = field(default_factory=dict)  # start -> (stop, crc)
    finished: bool = False


class Journal:
    """The record of one stage. Open it with ``with``; methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._descriptor = -1
        self._boots: list[str] = []
        self.held: dict[str, Held] = {}
        self.is_from_another_boot = False

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise StageInUse from error
        self._read()
        self.is_from_another_boot = bool(self._boots) and self._boots[-1] != boot_id()
        if self.is_from_another_boot or not self._boots:
            self._append({"boot": boot_id()})
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self._descriptor)

    def begin(self, ref: ObjectRef) -> Held:
        """Start or continue an object; what is known of another version of it is forgotten."""
        held = self.held.get(ref.key)
        if held is None or (held.etag, held.size) != (ref.etag, ref.size):
            held = self.held[ref.key] = Held(ref.etag, ref.size)
            self._append({"object": ref.key, "etag": ref.etag, "size": ref.size})
        return held

    def block(self, key: str, start: int, stop: int, crc: int) -> None:
        with self._lock:
            self.held[key].blocks[start] = (stop, crc)
        self._append({"block": key, "from": start, "to": stop, "crc": crc})

    def forget(self, key: str, start: int, stop: int) -> None:
        """Drop the blocks of a range, because they turned out to be wrong."""
        with self._lock:
            held = self.held[key]
            held.finished = False
            held.blocks = {at: b for at, b in held.blocks.items() if not start <= at < stop}
        self._append({"forget": key, "from": start, "to": stop})

    def finish(self, key: str) -> None:
        with self._lock:
            self.held[key].finished = True
        self._append({"finished": key})

    def _append(self, line: dict[str, object]) -> None:
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            os.write(self._descriptor, data)

    def _read(self) -> None:
        whole = self._path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end != len(whole):
            os.ftruncate(self._descriptor, end)
        for raw in whole[:end].splitlines():
            try:
                self._take(json.loads(raw))
            except (ValueError, KeyError):
                # A line that a crash of the machine tore; what follows may be true.
                continue

    def _take(self, line: dict[str, object]) -> None:
        match line:
            case {"object": str(key), "etag": str(etag), "size": int(size)}:
                self.held[key] = Held(etag, size)
            case {"block": str(key), "from": int(start), "to": int(stop), "crc": int(crc)}:
                self.held[key].blocks[start] = (stop, crc)
            case {"forget": str(key), "from": int(start), "to": int(stop)}:
                held = self.held[key]
                held.finished = False
                held.blocks = {at: b for at, b in held.blocks.items() if not start <= at < stop}
            case {"finished": str(key)}:
                self.held[key].finished = True
            case {"boot": str(boot)}:
                self._boots.append(boot)
            case _:
                pass


def boot_id() -> str:
    """Return what tells one start of this machine from another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def proven_until(held: Held, path: Path, start: int, stop: int) -> int:
    """Return how far, from ``start``, the file really holds the blocks that the journal names.

    Every block is read again and its CRC compared, so a torn or altered stage costs a new fetch,
    never wrong data.
    """
    if not path.exists():
        return start
    with path.open("rb") as file:
        at = start
        while at < stop and at in held.blocks:
            block_stop, crc = held.blocks[at]
            file.seek(at)
            if zlib.crc32(file.read(block_stop - at)) != crc:
                break
            at = block_stop
    return at
