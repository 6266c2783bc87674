"""What the archive holds, asked once and remembered for the job.

A finished backup does not change, so what was seen once is believed for as long as the relay lives.
That something is *not* there is believed for a minute only: an engine takes it for the end of the
archive.
"""

import logging
import re
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from backups.errors import EngineFailed, ObjectMissing, StorageUnavailable
from backups.storage.manifest import Manifest, manifest_key_of, read_manifest
from backups.storage.relay.pages import LAST
from backups.storage.s3 import ObjectRef, PassingTrouble
from backups.storage.sources import Sources

ABSENT_SECONDS = 60.0
PAUSE_SECONDS = 0.5
LOOKUPS_AT_ONCE = 8
# So many objects of one folder are asked for one by one before the folder is listed.
MANY_IN_A_FOLDER = 4
# The log file's own name leads in every layout: barman's, pgBackRest's, WAL-G's.
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_LOG_FOLDER = re.compile(r"(.*/)([0-9A-F]{8})([0-9A-F]{8})/")

T = TypeVar("T")
U = TypeVar("U")
logger = logging.getLogger(__name__)


class ListingStuck(EngineFailed):
    """A storage names the same page of a listing again and again."""

    code = "listing-stuck"
    advice = (
        "The object storage does not go on with a long listing: it ignores start-after. "
        "Use a storage that implements ListObjectsV2, then resume the job."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything whose key begins with ``prefix``, in order.

    Of a listing with a delimiter, ``keys`` holds the common prefixes too, and ``refs`` does not.
    """

    prefix: str
    keys: Sequence[str]
    refs: Mapping[str, ObjectRef]
    read_at: float

    def holds(self, prefix: str) -> bool:
        at = bisect_left(self.keys, prefix)
        return at < len(self.keys) and self.keys[at].startswith(prefix)


class Catalogue:
    """Answers from memory, and asks where memory does not reach. Safe to share between threads."""

    def __init__(
        self,
        sources: Sources,
        *,
        outage_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = sources
        self._outage_seconds = outage_seconds
        self._clock = clock
        # What is answered at once is told of in the asker's own thread, which holds the lock.
        self._lock = threading.RLock()
        self._listings: dict[str, Listing] = {}
        self._shallow: dict[tuple[str, str], Listing] = {}
        self._heads: dict[str, ObjectRef] = {}
        self._manifests: dict[str, Manifest] = {}
        self._asked_in: Counter[str] = Counter()
        self._walking: set[str] = set()
        self._neighbours: dict[str, Listing] = {}
        self._asking: dict[tuple[str, str], Future[Any]] = {}
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="relay-catalogue")

    def close(self) -> None:
        """Answer what is asked from now on, and who still waits, with StorageUnavailable."""
        with self._lock:
            self._ended.set()
        self._pool.shutdown(wait=True)

    def listing(self, prefix: str, delimiter: str = "") -> Future[Listing]:
        """Give a listing that holds everything below the prefix, and maybe more.

        With a delimiter, what lies below a common prefix may be left out.
        """
        with self._lock:
            known = self._covering(prefix)
            if known is None and delimiter:
                known = self._shallow.get((prefix, delimiter))
            if known and (known.holds(prefix) or self._is_fresh(known)):
                return done(known)
            if is_segment(prefix):
                # The ones that come after it will be needed too.
                prefix, delimiter = prefix.rpartition("/")[0] + "/", ""
            return self._ask("list", prefix + delimiter, lambda: self._list(prefix, delimiter))

    def find(self, key: str) -> Future[ObjectRef]:
        """Give the object of that key; the future raises ObjectMissing if there is none."""
        with self._lock:
            if ref := self._known(key):
                return done(ref)
            known = self._covering(key)
            if known and self._is_fresh(known):
                return _failed(ObjectMissing(key))
            return self._ask("find", key, lambda: self._find(key))

    def hashes(self, ref: ObjectRef) -> Future[Sequence[str]]:
        """Give the recorded hashes of a backup's object; none where no manifest speaks of it.

        The manifest is looked for by the object's own key, once for all objects of a backup. The
        future raises ObjectDamaged if the manifest itself cannot be read.
        """
        key = manifest_key_of(ref.key)
        if not key:
            return done(())
        with self._lock:
            known = self._manifests.get(key)
            if known is not None:
                return done(_hashes_in(known, ref))
            reading = self._ask("manifest", key, lambda: self._manifest(key))
        return _then(reading, lambda manifest: _hashes_in(manifest, ref))

    def forget(self, key: str) -> None:
        """Ask again about an object that turned out to be another one."""
        with self._lock:
            self._heads.pop(key, None)
            for prefix in [prefix for prefix in self._listings if key.startswith(prefix)]:
                del self._listings[prefix]
            self._shallow.clear()

    def following(self, key: str, count: int) -> list[ObjectRef]:
        """Name the log files that come after this one, as far as they are known.

        At the end of a folder the next one is asked for, for the next time. Empty if the key is
        none of a log file.
        """
        if not is_segment(key):
            return []
        with self._lock:
            found: list[ObjectRef] = []
            folder = key.rpartition("/")[0] + "/"
            for place in (folder, _next_folder(folder)):
                if not place or len(found) >= count:
                    break
                known = self._covering(place)
                if known is None:
                    self._ask("list", place, partial(self._list, place))
                    break
                found += _segments(known, place, after=key, count=count - len(found))
            return found

    def neighbours(self, key: str) -> list[ObjectRef]:
        """Name what lies beside an object, once, if its folder is being taken one by one."""
        with self._lock:
            listing = self._neighbours.pop(key.rpartition("/")[0] + "/", None)
        return list(listing.refs.values()) if listing else []

    def _covering(self, prefix: str) -> Listing | None:
        for end in range(len(prefix), -1, -1):
            if known := self._listings.get(prefix[:end]):
                return known
        return None

    def _known(self, key: str) -> ObjectRef | None:
        if ref := self._heads.get(key):
            return ref
        for end in range(len(key), -1, -1):
            known = self._listings.get(key[:end])
            if known and (ref := known.refs.get(key)):
                return ref
        return None

    def _is_fresh(self, known: Listing) -> bool:
        return self._clock() - known.read_at < ABSENT_SECONDS

    def _ask(self, kind: str, name: str, act: Callable[[], T]) -> Future[T]:
        """Ask, or join those who ask the same already. Called with the lock held."""
        under_way: Future[T] | None = self._asking.get((kind, name))
        if under_way is not None:
            return under_way
        if self._ended.is_set():
            return _failed(StorageUnavailable("the relay has ended"))
        future = self._asking[kind, name] = self._pool.submit(self._patiently, act)
        future.add_done_callback(lambda _done: self._answered(kind, name))
        return future

    def _answered(self, kind: str, name: str) -> None:
        with self._lock:
            self._asking.pop((kind, name), None)

    def _patiently(self, act: Callable[[], T]) -> T:
        deadline = self._clock() + self._outage_seconds
        while True:
            if self._ended.is_set():
                raise StorageUnavailable("the relay has ended")
            try:
                return act()
            except PassingTrouble as trouble:
                if self._clock() > deadline:
                    raise StorageUnavailable(str(trouble)) from trouble
                self._ended.wait(PAUSE_SECONDS)

    def _list(self, prefix: str, delimiter: str = "") -> Listing:
        read_at = self._clock()
        refs: dict[str, ObjectRef] = {}
        prefixes: set[str] = set()
        after, token = "", "first"
        while token:
            # Not by the token: it is good for one source only, and the next page may be another's.
            page = self._sources.list_page(prefix, delimiter=delimiter, after=after)
            refs.update((ref.key, ref) for ref in page.objects)
            prefixes.update(page.prefixes)
            token = page.next_token
            last = max(
                [
                    after,
                    *(ref.key for ref in page.objects),
                    *(each + LAST for each in page.prefixes),
                ]
            )
            if token and last == after:
                raise ListingStuck(f"{prefix}: the page after {after!r} does not pass it")
            after = last
        keys = sorted([*refs, *prefixes])
        listing = Listing(prefix=prefix, keys=keys, refs=refs, read_at=read_at)
        with self._lock:
            if prefixes:
                self._shallow[prefix, delimiter] = listing
                self._heads.update(refs)
            else:
                self._listings[prefix] = listing
        return listing

    def _manifest(self, key: str) -> Manifest:
        manifest = read_manifest(self._sources, key)
        with self._lock:
            self._manifests[key] = manifest
        if manifest.objects:
            logger.info("relay: %s proves %d objects", key, len(manifest.objects))
        else:
            logger.warning("relay: no %s: this backup's objects have their ETags only", key)
        return manifest

    def _find(self, key: str) -> ObjectRef:
        folder = key.rpartition("/")[0] + "/"
        if is_segment(key):
            # The ones that come after it will be needed too.
            return _found_in(self._list(folder), key)
        if self._begin_walk(folder):
            try:
                listing = self._list(folder, "/")
                with self._lock:
                    self._neighbours[folder] = listing
                return _found_in(listing, key)
            finally:
                with self._lock:
                    self._walking.discard(folder)
        ref: ObjectRef = self._sources.head(key)
        with self._lock:
            self._heads[key] = ref
        return ref

    def _begin_walk(self, folder: str) -> bool:
        """Say whether to ask about a whole folder, since its objects are taken one by one."""
        with self._lock:
            self._asked_in[folder] += 1
            is_walked = self._asked_in[folder] >= MANY_IN_A_FOLDER and folder != "/"
            if not is_walked or folder in self._walking:
                return False
            self._walking.add(folder)
            return True


def _found_in(listing: Listing, key: str) -> ObjectRef:
    if key not in listing.refs:
        raise ObjectMissing(key)
    return listing.refs[key]


def _hashes_in(manifest: Manifest, ref: ObjectRef) -> Sequence[str]:
    recorded = manifest.objects.get(ref.key)
    # Of another length, it is not the object that was recorded: nothing is known of it.
    return manifest.hashes_of(ref) if recorded and recorded.size == ref.size else ()


def is_segment(key: str) -> bool:
    """Say whether the object holds one segment of the log, packed or not."""
    return "/" in key and _SEGMENT.match(key.rpartition("/")[2]) is not None


def _next_folder(folder: str) -> str:
    """Return the folder of the log's next 4 GiB, where the layout has such folders."""
    found = _LOG_FOLDER.fullmatch(folder)
    if found is None:
        return ""
    above, timeline, number = found.groups()
    return f"{above}{timeline}{(int(number, 16) + 1) % 2**32:08X}/"


def _segments(known: Listing, folder: str, *, after: str, count: int) -> list[ObjectRef]:
    at = bisect_right(known.keys, max(after, folder))
    found: list[ObjectRef] = []
    while at < len(known.keys) and len(found) < count and known.keys[at].startswith(folder):
        if is_segment(known.keys[at]):
            found.append(known.refs[known.keys[at]])
        at += 1
    return found


def done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future


def _then(future: Future[T], act: Callable[[T], U]) -> Future[U]:
    """Give what an act makes of an answer."""
    made: Future[U] = Future()

    def pass_on(answered: Future[T]) -> None:
        if error := answered.exception():
            made.set_exception(error)
        else:
            made.set_result(act(answered.result()))

    future.add_done_callback(pass_on)
    return made


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
