"""Copies objects from one bucket to another, by parts and in parallel, in bounded memory.

A part is read whole, proven as far as anything was recorded of it (the manifest's blocks, the
source's own ETag), written, and compared with the ETag by which the destination says what it took;
where that is no checksum, what was written is read back. A large object becomes visible only when
all of its parts are there. What had arrived when an earlier process died is asked of the
destination, so that a death costs at most the parts that were under way.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from backups.errors import (
    EngineFailed,
    ObjectChanged,
    ObjectDamaged,
    ObjectMissing,
)
from backups.storage import uploads
from backups.storage.etags import is_composite, usual_parts
from backups.storage.hashing import bare, digest_of
from backups.storage.items import FetchItem
from backups.storage.parts import (
    PART_BYTES,
    Large,
    Wanted,
    composite_of,
    is_of_parts,
    is_plain,
    md5_of,
    parts_like,
    parts_of_etag,
)
from backups.storage.patience import Halted, Patience
from backups.storage.s3 import Bucket
from backups.storage.values import MIB, ObjectRef

# Each reads a part, and then writes it. More were slower beside a server on the same machine.
LANES = 6
MEMORY_BYTES = 256 * MIB
TRIES = 3
# What a copy says of itself: the ETag and the length of what it was made from.
FROM_ETAG = "highwater-from-etag"


class CopyUnsound(EngineFailed):
    """The destination keeps other bytes than it was given."""

    code = "copy-unsound"
    advice = (
        "The destination keeps other bytes than it was given (the copy's page names the object). "
        "Look for what changes them on the way, then begin the copy again."
    )


@dataclass(slots=True, kw_only=True)
class Account:
    """What was done so far. ``left_out`` are the keys that were not copied, with the reasons."""

    objects: int = 0
    bytes: int = 0
    bytes_resumed: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


class Copier:
    """Copies from ``source`` to ``destination``; both may be asked by many threads at once."""

    def __init__(
        self,
        source: Bucket,
        destination: Bucket,
        *,
        patience: Patience,
        lanes: int = LANES,
        step_seconds: float = 0.5,
    ) -> None:
        self.source = source
        self.destination = destination
        self.patience = patience
        self.account = Account()
        self._lanes = lanes
        self._step_seconds = step_seconds
        self._tasks: queue.Queue[Callable[[], None] | None] = queue.Queue(maxsize=4 * lanes)
        self._lock = threading.Condition()
        self._failure: BaseException | None = None
        self._memory_left = MEMORY_BYTES

    def copy(self, wanted: Iterable[Wanted]) -> Generator[Account, None, None]:
        """Copy all of these, and yield the account now and then.

        An object that is damaged, has changed or is gone is left out, with the reason. Closing the
        iterator stops the work.

        :raises EngineFailed: if a place is out of reach, or refuses
        """
        feeder = threading.Thread(target=self._feed, args=(wanted,), name="copy-feed", daemon=True)
        lanes = [
            threading.Thread(target=self._work, name=f"copy-{number}", daemon=True)
            for number in range(self._lanes)
        ]
        for thread in (feeder, *lanes):
            thread.start()
        try:
            while any(thread.is_alive() for thread in lanes):
                lanes[0].join(self._step_seconds)
                if not lanes[0].is_alive():
                    next((each for each in lanes if each.is_alive()), feeder).join(0.05)
                yield self.account
            if self._failure is not None:
                raise self._failure
        finally:
            if any(thread.is_alive() for thread in lanes):
                self.patience.halt()
            for thread in (feeder, *lanes):
                thread.join()
        yield self.account

    # -- threads

    def _feed(self, wanted: Iterable[Wanted]) -> None:
        try:
            for each in wanted:
                self._guarded(each, lambda each=each: self._begin(each))  # type: ignore[misc]
                if self._failure is not None:
                    break
        except Halted:
            pass
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            self._fail(error)
        for _lane in range(self._lanes):
            self._hand_over(None)

    def _hand_over(self, task: Callable[[], None] | None) -> None:
        """Give a task to a lane; with all of them gone, to nobody."""
        while True:
            try:
                return self._tasks.put(task, timeout=0.5)
            except queue.Full:
                if task is not None and (self.patience.is_halted or self._failure is not None):
                    raise Halted from None

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self._failure is None and not self.patience.is_halted:
                try:
                    task()
                except Halted:
                    continue
                except BaseException as error:  # noqa: BLE001 - raised by whoever waits
                    self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
            self._lock.notify_all()

    def _guarded(self, wanted: Wanted, act: Callable[[], None]) -> None:
        """Leave an object out that cannot be copied, and go on with the others."""
        try:
            act()
        except ObjectMissing:
            self._leave_out(wanted, "gone")
        except ObjectChanged:
            self._leave_out(wanted, "changed")
        except ObjectDamaged:
            self._leave_out(wanted, "damaged")
        except CopyUnsound:
            self._leave_out(wanted, "unsound")

    def _leave_out(self, wanted: Wanted, reason: str) -> None:
        self.patience.count(f"left_out_{reason}")
        with self._lock:
            self.account.left_out[wanted.ref.key] = reason

    def _note(self, *, objects: int = 0, amount: int = 0, resumed: int = 0) -> None:
        with self._lock:
            self.account.objects += objects
            self.account.bytes += amount
            self.account.bytes_resumed += resumed

    @contextlib.contextmanager
    def _room(self, amount: int) -> Iterator[bytearray]:
        """Give a buffer once there is memory for it."""
        taken = min(amount, MEMORY_BYTES)
        with self._lock:
            while self._memory_left < taken and self._failure is None:
                self._lock.wait(0.5)
                if self.patience.is_halted:
                    raise Halted
            self._memory_left -= taken
        try:
            yield bytearray(amount)
        finally:
            with self._lock:
                self._memory_left += taken
                self._lock.notify_all()

    # -- one object

    def _begin(self, wanted: Wanted) -> None:
        ref = wanted.ref
        hashed = FetchItem(ref=ref, to="", part_hashes=wanted.part_hashes).hashed_bytes if (
            wanted.part_hashes
        ) else 0  # fmt: skip
        if ref.size <= PART_BYTES:
            self._hand_over(lambda: self._guarded(wanted, lambda: self._copy_small(wanted, hashed)))
            return
        first = self._first_part(ref)
        length = parts_like(ref, first, hashed)
        large = Large(wanted, hashed, length, keeps_parts=length == first)
        self._resume(large)
        if large.is_whole:
            # An earlier process brought all of it, and died before it could say so.
            self._hand_over(lambda: self._guarded(wanted, lambda: self._complete(large)))
            return
        for number in large.missing():
            self._hand_over(
                lambda number=number: self._guarded(  # type: ignore[misc]
                    wanted, lambda: self._copy_part(large, number)
                )
            )

    def _first_part(self, ref: ObjectRef) -> int | None:
        """Ask the source how long its first part is; not all know."""
        if not is_composite(ref.etag):
            return None
        try:
            return self.patience.ask(
                self.source, lambda: self.source.first_part_bytes(ref.key, ref.etag)
            )
        except (ObjectMissing, ObjectChanged):
            raise
        except (EngineFailed, KeyError, ValueError):
            return None

    def _resume(self, large: Large) -> None:
        """Go on with the newest upload of this object whose parts fit, or begin one."""
        to = large.wanted.to
        found = self.patience.ask(
            self.destination, lambda: uploads.uploads_of(self.destination, to)
        )
        for upload in found:
            try:
                parts = self.patience.ask(
                    self.destination,
                    lambda upload=upload: list(  # type: ignore[misc]
                        uploads.parts_of(self.destination, to, upload)
                    ),
                )
            except ObjectMissing:
                continue
            if parts and all(part.size == large.length_of(part.number) for part in parts):
                large.upload, large.is_resumed = upload, True
                large.etags = {part.number: part.etag for part in parts}
                came = sum(part.size for part in parts)
                self.patience.count("parts_resumed", len(parts))
                self._note(amount=came, resumed=came)
                return
        large.upload = self.patience.ask(
            self.destination, lambda: uploads.begin(self.destination, to, _marks(large.wanted.ref))
        )

    def _copy_small(self, wanted: Wanted, hashed: int) -> None:
        ref, there = wanted.ref, self.destination
        with self._room(ref.size) as content:
            self._read(wanted, 0, content, hashed)
            digest = md5_of(content)
            if not wanted.part_hashes and self._is_other(ref, content, digest):
                # On the way, perhaps: once more.
                self._read(wanted, 0, content, hashed)
                digest = md5_of(content)
                if self._is_other(ref, content, digest):
                    raise ObjectDamaged(f"{ref.key}: not what its ETag says")
            self._stored_right(
                wanted.to,
                content,
                digest,
                lambda body: uploads.put(there, wanted.to, body, _marks(ref)),
                reads_back=True,
            )
        self._note(objects=1, amount=ref.size)

    def _is_other(self, ref: ObjectRef, content: bytearray, digest: str) -> bool:
        """Whether these are other bytes than the source's ETag says; it may say nothing."""
        if not is_composite(ref.etag):
            return is_plain(ref.etag) and digest != ref.etag and self._speaks(ref)
        if any(is_of_parts(content, ref.etag, each) for each in usual_parts(ref.size, ref.etag)):
            return False
        # Of other parts than is usual, or damaged.
        first = self._first_part(ref) or max(ref.size, 1)
        is_known = parts_of_etag(ref.etag) == -(-ref.size // first)
        return is_known and not is_of_parts(content, ref.etag, first) and self._speaks(ref)

    def _speaks(self, ref: ObjectRef) -> bool:
        return not self.patience.ask(self.source, lambda: self.source.says_nothing(ref))

    def _copy_part(self, large: Large, number: int) -> None:
        if large.is_given_up:
            return
        wanted, start = large.wanted, (number - 1) * large.part_bytes
        try:
            with self._room(large.length_of(number)) as content:
                self._read(wanted, start, content, large.hashed)
                digest = md5_of(content)
                stored = self._stored_right(
                    wanted.to,
                    content,
                    digest,
                    lambda body: uploads.put_part(
                        self.destination, wanted.to, large.upload, number, body
                    ),
                    reads_back=False,
                )
        except EngineFailed:
            large.is_given_up = True
            raise
        self._note(amount=large.length_of(number))
        if large.took(number, stored, digest):
            self._complete(large)

    def _complete(self, large: Large) -> None:
        wanted, to = large.wanted, large.wanted.to
        etags = [large.etags[number] for number in range(1, large.parts + 1)]
        said = composite_of(etags) if large.etags_are_checksums else ""
        if large.keeps_parts and said not in ("", wanted.ref.etag) and self._speaks(wanted.ref):
            self.patience.ask(
                self.destination, lambda: uploads.abort(self.destination, to, large.upload)
            )
            if large.is_resumed:
                raise ObjectChanged(f"{to}: an upload of something else was under way")
            raise ObjectDamaged(f"{wanted.ref.key}: its parts are not what its ETag says")
        found = self._put_together(large, etags, said)
        if found["size"] != str(wanted.ref.size):
            raise CopyUnsound(f"{to}: {found['size']} bytes, and not {wanted.ref.size}")
        if large.is_resumed and found.get(FROM_ETAG) != wanted.ref.etag:
            # Parts of something else that had this name: the next comparison copies it anew.
            raise ObjectChanged(f"{to}: an upload of something else was under way")
        if not (said and found["etag"]):
            self._read_back(large, found["etag"])
        self._note(objects=1)

    def _put_together(self, large: Large, etags: Sequence[str], said: str) -> Mapping[str, str]:
        """Make the object out of its parts, and return what the destination says of it then."""
        wanted, there = large.wanted, self.destination
        try:
            self.patience.ask(
                there, lambda: uploads.complete(there, wanted.to, large.upload, etags)
            )
        except ObjectMissing:
            # Where only the answer was lost, the object is there, and the upload no more.
            found = self.patience.ask(there, lambda: uploads.metadata_of(there, wanted.to))
            is_marked = found.get(FROM_ETAG) == wanted.ref.etag
            if not (found["etag"] == said if said and found["etag"] else is_marked):
                raise
            return found
        return self.patience.ask(there, lambda: uploads.metadata_of(there, wanted.to))

    # -- bytes

    def _read(self, wanted: Wanted, start: int, content: bytearray, hashed: int) -> None:
        """Read a stretch of the source; where blocks of it were recorded, it is proven."""
        if not content:
            return
        view = memoryview(content)
        self.patience.fill(self.source, wanted.ref, start, view)
        for at in range(0, len(content), hashed) if hashed else ():
            block = view[at : at + hashed]
            expected = bare(wanted.part_hashes[(start + at) // hashed])
            for _try in range(TRIES):
                if digest_of(block, wanted.part_hashes).hex() == expected:
                    break
                self.patience.count("damaged_read_again")
                self.patience.fill(self.source, wanted.ref, start + at, block)
            else:
                if digest_of(block, wanted.part_hashes).hex() != expected:
                    raise ObjectDamaged(f"{wanted.ref.key}: damaged from byte {start + at}")

    def _stored_right(
        self,
        key: str,
        content: bytearray,
        digest: str,
        store: Callable[[bytearray], uploads.Stored],
        *,
        reads_back: bool,
    ) -> uploads.Stored:
        """Store bytes until the storage says that it took these, and return what it said."""
        for _try in range(TRIES):
            stored = self.patience.ask(self.destination, lambda: store(content))
            if stored.is_checksum and is_plain(stored.etag):
                if stored.etag == digest:
                    return stored
            elif not reads_back or self._is_there(key, content):
                return stored
            self.patience.count("damaged_written_again")
        raise CopyUnsound(f"{key}: the destination took other bytes")

    def _is_there(self, key: str, content: bytearray) -> bool:
        there = self.patience.ask(self.destination, lambda: self.destination.read(key))
        return there == content

    def _read_back(self, large: Large, etag: str) -> None:
        """Read an object back where the destination's ETags say nothing of what it took."""
        ref = ObjectRef(key=large.wanted.to, size=large.wanted.ref.size, etag=etag)
        for number in range(1, large.parts + 1):
            with self._room(large.length_of(number)) as content:
                start = (number - 1) * large.part_bytes
                if number not in large.digests:
                    # An earlier process brought it, and took with it what it knew.
                    self._read(large.wanted, start, content, large.hashed)
                    large.digests[number] = md5_of(content)
                self.patience.fill(self.destination, ref, start, memoryview(content))
                if md5_of(content) != large.digests[number]:
                    raise CopyUnsound(f"{ref.key}: other bytes from {start} on")


def _marks(ref: ObjectRef) -> dict[str, str]:
    return {FROM_ETAG: ref.etag} if ref.etag.isascii() and ref.etag.isprintable() else {}
