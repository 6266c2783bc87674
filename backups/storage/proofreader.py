"""Reads objects where they lie, and says whether they hold what was recorded of them.

Nothing is kept: parts of many objects are read in parallel into small buffers and hashed as they
come. What differs is read again before it is called damaged, because a bit may flip on the way.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from backups.errors import (
    EngineFailed,
    ObjectChanged,
    ObjectDamaged,
    ObjectMissing,
    StorageUnavailable,
)
from backups.storage.answers import PassingTrouble
from backups.storage.etags import is_composite, may_speak
from backups.storage.hashing import bare, digest_of
from backups.storage.items import FetchItem
from backups.storage.patience import Halted, Patience
from backups.storage.s3 import Bucket
from backups.storage.values import MIB, ObjectRef

PART_BYTES = 16 * MIB
LANES = 8
TRIES = 3
# So many requests are asked for ahead: enough to keep the lanes busy over small objects.
_AHEAD = 4 * LANES


class Verdict(StrEnum):
    """What the bytes of an object turned out to be."""

    SOUND = "SOUND"
    DAMAGED = "DAMAGED"
    # Nothing was recorded that they could be compared with.
    UNRECORDED = "UNRECORDED"
    GONE = "GONE"
    CHANGED = "CHANGED"


_VERDICTS = {
    ObjectMissing: Verdict.GONE,
    ObjectChanged: Verdict.CHANGED,
    # It is not as long as what was recorded of it.
    ObjectDamaged: Verdict.DAMAGED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One object to be read; hashes as in ``FetchItem``, none if none were recorded."""

    ref: ObjectRef
    part_hashes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of reading one object. ``damaged_from`` begins the first block that differs.

    ``was_recorded`` is so where hashes were recorded of it, and not its ETag alone.
    """

    ref: ObjectRef
    verdict: Verdict
    damaged_from: int | None = None
    was_recorded: bool = False


@dataclass(slots=True)
class _Piece:
    """What one stretch came to: its first wrong byte, and its MD5 where that is of use."""

    wrong_from: int | None = None
    md5: bytes = b""


@dataclass(slots=True)
class _Under:
    """An object that is being read."""

    subject: Subject
    # Ask for all of it, again if need be.
    read: Callable[[], list[Future[_Piece]]]
    pieces: list[Future[_Piece]]
    # How long its pieces are by which its ETag was made; zero where that says nothing.
    etag_bytes: int
    # Ask whether it is encrypted so that its ETag says nothing all the same.
    says_nothing: Callable[[], bool]


def read_objects(
    bucket: Bucket, subjects: Iterable[Subject], *, patience: Patience, lanes: int = LANES
) -> Generator[Proof, None, None]:
    """Read objects whole, and yield what each turned out to be, in their order.

    Subjects are taken a little ahead. Closing the iterator ends the reading.

    :raises EngineFailed: if the storage is out of reach, or refuses
    :raises Halted: once the patience was told to halt
    """
    pool = ThreadPoolExecutor(lanes, thread_name_prefix="proofread")
    under_way: deque[_Under] = deque()
    try:
        for subject in subjects:
            under_way.append(_begun(bucket, subject, pool, patience))
            # Of two large ones the second is on its way while the first comes to its end.
            while len(under_way) > 1 and sum(len(each.pieces) for each in under_way) > _AHEAD:
                yield _judged(under_way.popleft())
        while under_way:
            yield _judged(under_way.popleft())
    except GeneratorExit:
        patience.halt()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begun(
    bucket: Bucket, subject: Subject, pool: ThreadPoolExecutor, patience: Patience
) -> _Under:
    ref, hashes = subject.ref, subject.part_hashes
    try:
        block = FetchItem(ref=ref, to="", part_hashes=hashes).hashed_bytes if hashes else 0
    except ObjectDamaged as resized:
        # Nothing of it can be compared; the others are read all the same.
        told: Future[_Piece] = Future()
        told.set_exception(resized)
        return _Under(subject, list, [told], 0, bool)
    etag_bytes = 0 if hashes else _stretch_of(bucket, ref, patience)
    stretch = etag_bytes or PART_BYTES

    def take(start: int) -> _Piece:
        span = range(start, min(start + stretch, ref.size))
        if block:
            return _compared(bucket, subject, span, block, patience)
        return _Piece(md5=_md5(_Stretch(bucket, ref, span, patience)))

    def read() -> list[Future[_Piece]]:
        return [pool.submit(take, start) for start in range(0, max(ref.size, 1), stretch)]

    def says_nothing() -> bool:
        return patience.ask(bucket, lambda: bucket.says_nothing(ref))

    return _Under(subject, read, read(), etag_bytes, says_nothing)


def _stretch_of(bucket: Bucket, ref: ObjectRef, patience: Patience) -> int:
    """Return by which pieces an ETag was made; zero if it says nothing."""
    if not may_speak(ref.etag):
        return 0
    if not is_composite(ref.etag):
        return max(ref.size, 1)
    try:
        first = patience.ask(bucket, lambda: bucket.first_part_bytes(ref.key, ref.etag))
    except (EngineFailed, KeyError, ValueError):
        return 0
    parts = int(ref.etag.rpartition("-")[2])
    return first if first and -(-ref.size // first) == parts else 0


def _judged(under: _Under) -> Proof:
    ref = under.subject.ref
    try:
        pieces = [each.result() for each in under.pieces]
        if under.subject.part_hashes:
            wrong = [each.wrong_from for each in pieces if each.wrong_from is not None]
            verdict = Verdict.DAMAGED if wrong else Verdict.SOUND
            first = min(wrong, default=None)
            return Proof(ref=ref, verdict=verdict, damaged_from=first, was_recorded=True)
        if not under.etag_bytes:
            return Proof(ref=ref, verdict=Verdict.UNRECORDED)
        tries = 1
        while _etag_of(pieces, ref) != ref.etag:
            if tries > TRIES:
                is_unsaid = under.says_nothing()
                return Proof(ref=ref, verdict=Verdict.UNRECORDED if is_unsaid else Verdict.DAMAGED)
            pieces, tries = [each.result() for each in under.read()], tries + 1
    except (ObjectMissing, ObjectChanged, ObjectDamaged) as fault:
        is_resized = isinstance(fault, ObjectDamaged)
        return Proof(ref=ref, verdict=_VERDICTS[type(fault)], was_recorded=is_resized)
    return Proof(ref=ref, verdict=Verdict.SOUND)


def _etag_of(pieces: Sequence[_Piece], ref: ObjectRef) -> str:
    if not is_composite(ref.etag):
        return pieces[0].md5.hex()
    whole = hashlib.md5(b"".join(each.md5 for each in pieces), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(pieces)}"


def _compared(
    bucket: Bucket, subject: Subject, span: range, block: int, patience: Patience
) -> _Piece:
    """Read a part, and compare each of its blocks; one that differs is read again by itself."""
    ref, hashes = subject.ref, subject.part_hashes
    wrong: list[int] = []

    def look(at: int, content: memoryview) -> None:
        if _is_as_recorded(content, hashes, at // block):
            return
        for _try in range(TRIES):
            patience.fill(bucket, ref, at, content)
            if _is_as_recorded(content, hashes, at // block):
                patience.count("flipped_on_the_way")
                return
        wrong.append(at)

    if not span:
        return _Piece(wrong_from=None if _is_as_recorded(memoryview(b""), hashes, 0) else 0)
    _stream(_Stretch(bucket, ref, span, patience), block, look)
    return _Piece(wrong_from=min(wrong, default=None))


def _is_as_recorded(content: memoryview, hashes: Sequence[str], number: int) -> bool:
    return digest_of(content, hashes).hex() == bare(hashes[number])


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Where to read, and what."""

    bucket: Bucket
    ref: ObjectRef
    span: range
    patience: Patience


def _md5(stretch: _Stretch) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    if stretch.span:
        _stream(stretch, MIB, lambda _at, content: digest.update(content))
    return digest.digest()


def _stream(stretch: _Stretch, block: int, take: Callable[[int, memoryview], None]) -> None:
    """Hand a stretch over block by block; a connection that breaks is taken up where it broke."""
    at, stop = stretch.span.start, stretch.span.stop
    buffer, filled = memoryview(bytearray(min(block, stop - at))), 0

    def go_on() -> None:
        nonlocal at, filled
        with stretch.bucket.reading(stretch.ref, at + filled, stop) as answer:
            while at < stop:
                if stretch.patience.is_halted:
                    raise Halted
                length = min(block, stop - at)
                read = answer.read_into(buffer[filled:length])
                if not read:
                    raise PassingTrouble("reset", f"{stretch.ref.key}: ended early")
                filled += read
                if filled == length:
                    take(at, buffer[:length])
                    at, filled = at + length, 0

    while at < stop:
        before = at + filled
        try:
            stretch.patience.ask(stretch.bucket, go_on)
        except StorageUnavailable:
            # What goes on, however slowly, is no outage.
            if at + filled == before:
                raise
