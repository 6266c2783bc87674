"""The archive as the relay gives it out: found in the catalogue, brought by the fetcher, kept.

An object is read part by part, and what will be needed next is under way meanwhile: the parts that
come after, and after a segment of the log the next segments.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from backups.errors import ObjectChanged, StorageUnavailable
from backups.storage.fetcher import Stopped
from backups.storage.items import PART_BYTES, FetchItem
from backups.storage.relay.cache import Cache, CameDamaged, is_unproven
from backups.storage.relay.catalogue import Catalogue, Listing, done, is_segment
from backups.storage.relay.reply import DRIP_SECONDS
from backups.storage.relay.shelf import Shelf
from backups.storage.s3 import ObjectRef

# What a reader of a large object has under way before it.
PARTS_AHEAD = 12
# What is brought of a folder whose objects are taken one by one: at most 64 MiB.
MOST_NEIGHBOURS, SMALL_BYTES = 256, 256 * 1024
FEWEST_SEGMENTS_AHEAD, MOST_SEGMENTS_AHEAD = 4, 32
# How often a look is taken at how much the disk can hold.
FIT_SECONDS = 1.0

HashesOf = Callable[[ObjectRef], Sequence[str]]


class Archive:
    """Objects by key, and their bytes when they are there. Safe to share between threads."""

    def __init__(
        self,
        catalogue: Catalogue,
        fetcher: Cache,
        shelf: Shelf,
        *,
        outage_seconds: float,
        hashes_of: HashesOf | None = None,
    ) -> None:
        self._outage_seconds = outage_seconds
        self._hashes_of = hashes_of
        self._catalogue = catalogue
        self._fetcher = fetcher
        self._shelf = shelf
        self._lock = threading.Lock()
        self._segments_ahead = FEWEST_SEGMENTS_AHEAD
        self._has_served_segment = False
        self._waiting = 0
        self._ended = threading.Event()
        self._fitted_at = time.monotonic()

    def close(self) -> None:
        """Let nobody read on: from now on readers get Stopped, in ``DRIP_SECONDS`` at most."""
        self._ended.set()

    @property
    def waiting(self) -> int:
        """Return how many readers have been waiting for the storage for some seconds."""
        return self._waiting

    def listing(self, prefix: str, delimiter: str) -> Future[Listing]:
        return self._catalogue.listing(prefix, delimiter)

    def find(self, key: str) -> Future[ObjectRef]:
        return self._catalogue.find(key)

    def hashes(self, ref: ObjectRef) -> Future[Sequence[str]]:
        """Give what was recorded of an object's blocks: what the caller knows, or a manifest."""
        known = self._hashes_of(ref) if self._hashes_of else ()
        return done(known) if known else self._catalogue.hashes(ref)

    def path_of(self, item: FetchItem) -> Path:
        return self._fetcher.path_of(item)

    def read(self, item: FetchItem, start: int, stop: int) -> Generator[int | None, None, None]:
        """Yield up to where, from ``start``, the item's file may be read; None while it waits.

        The last byte of an object that no manifest speaks of waits until all of it was compared
        with its ETag, if all of it is here or on its way.

        :raises CameDamaged: if what was yielded before may have been wrong
        :raises EngineFailed: when waiting cannot help, or has not helped for as long as is allowed
        """
        self._require_open()
        self._require_trust(item, stop - start)
        if is_unproven(item):
            self._fetcher.tell_once(item, "no manifest proves it; its ETag may, once all is here")
        since = self._fetcher.wrong_versions(item)
        with self._shelf.reading(item, start) as reader:
            self._look_ahead(item, start)
            while reader.at < stop:
                self._fit()
                until = min(stop, (reader.at // PART_BYTES + 1) * PART_BYTES)
                self._shelf.claim(item, reader.at, until, demanded=True)
                self._read_ahead(item, until, stop)
                yield from self._wait(item, reader.at, until)
                if until == stop and self._is_judged(item, stop, since):
                    # All but the end, so that a client that waits is given something now and then.
                    if until - 1 > reader.at:
                        yield until - 1
                    yield from self._await_verdict(item)
                    self._fetcher.require_same(item, since)
                yield until
                self._require_open()
                reader.at = until

    def _wait(self, item: FetchItem, start: int, until: int) -> Iterator[None]:
        waits = 0
        silence = _Silence(self._outage_seconds)
        try:
            while not self._fetcher.wait(item, start, until, seconds=DRIP_SECONDS):
                waits = waits or self._count_waiting(1)
                silence.heard(self._fetcher.held(item, start, until), item.ref.key)
                yield None
                self._require_open()
                self._fit()
        except ObjectChanged:
            self._catalogue.forget(item.ref.key)
            raise
        finally:
            self._count_waiting(-waits)

    def _require_trust(self, item: FetchItem, wanted: int) -> None:
        if wanted < item.ref.size and self._fetcher.is_distrusted(item):
            raise CameDamaged(f"{item.ref.key}: not in stretches just now")

    def _is_judged(self, item: FetchItem, stop: int, since: int) -> bool:
        """Whether the end of what a reader wants waits for what becomes of the whole."""
        is_end = stop == item.ref.size or self._fetcher.wrong_versions(item) > since
        return is_unproven(item) and is_end

    def _await_verdict(self, item: FetchItem) -> Iterator[None]:
        silence = _Silence(self._outage_seconds)
        while not self._fetcher.await_verdict(item, seconds=DRIP_SECONDS):
            if not self._fetcher.is_compared_now(item):
                silence.heard(self._fetcher.arrived(item), item.ref.key)
            yield None
            self._require_open()
            self._fit()

    def _fit(self) -> None:
        """Let the disk's other users have what they took: the cache becomes smaller."""
        now = time.monotonic()
        with self._lock:
            if now - self._fitted_at < FIT_SECONDS:
                return
            self._fitted_at = now
        self._shelf.fit(self._fetcher.room())

    def _require_open(self) -> None:
        if self._ended.is_set():
            raise Stopped

    def _count_waiting(self, change: int) -> int:
        with self._lock:
            self._waiting += change
        return change

    def _read_ahead(self, item: FetchItem, at: int, stop: int) -> None:
        for start in range(at, min(stop, at + PARTS_AHEAD * PART_BYTES), PART_BYTES):
            self._want(item, start, min(start + PART_BYTES, stop))

    def _look_ahead(self, item: FetchItem, start: int) -> None:
        """Want what will be asked for after this object."""
        ref = item.ref
        if start:
            return
        if is_segment(ref.key):
            coming = self._catalogue.following(ref.key, self._count_ahead(item))
        else:
            coming = [
                each
                for each in self._catalogue.neighbours(ref.key)
                if each.size <= SMALL_BYTES and each.key != ref.key
            ][:MOST_NEIGHBOURS]
        for each in coming:
            # Of the same backup, so what its manifest says is known.
            recorded = self.hashes(each)
            known = recorded.result() if recorded.done() and not recorded.exception() else ()
            if not self._want(item_of(each, known), 0, each.size):
                break

    def _count_ahead(self, item: FetchItem) -> int:
        """Return how many segments to want: more, whenever replay had to wait for one."""
        size = item.ref.size
        with self._lock:
            is_late = self._has_served_segment and self._fetcher.held(item, 0, size) < size
            if is_late:
                self._segments_ahead = min(self._segments_ahead * 2, MOST_SEGMENTS_AHEAD)
            self._has_served_segment = True
            return self._segments_ahead

    def _want(self, item: FetchItem, start: int, stop: int) -> bool:
        if not self._shelf.claim(item, start, stop, demanded=False):
            return False
        if self._fetcher.held(item, start, stop) < stop:
            self._fetcher.want(item, start, stop)
        return True


class _Silence:
    """How long nothing has come of what is waited for."""

    def __init__(self, allowed_seconds: float) -> None:
        self._allowed_seconds = allowed_seconds
        self._since = time.monotonic()
        self._had = -1

    def heard(self, has: int, key: str) -> None:
        """Take note of how far it has come.

        :raises StorageUnavailable: if that has been the same for too long
        """
        now = time.monotonic()
        if has != self._had:
            self._had, self._since = has, now
        elif now - self._since > self._allowed_seconds:
            raise StorageUnavailable(f"{key}: no byte for {now - self._since:.0f} s")


def item_of(ref: ObjectRef, hashes: Sequence[str] = ()) -> FetchItem:
    """Return how an object is fetched and kept: by what it was, since keys may recur."""
    name = hashlib.sha256(f"{ref.key}\n{ref.size}\n{ref.etag}".encode()).hexdigest()[:40]
    return FetchItem(ref=ref, to=f"objects/{name}", part_hashes=hashes)
