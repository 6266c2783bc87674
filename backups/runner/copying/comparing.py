"""What a second place lacks of an archive: by names, sizes and checksums, in flat memory."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from backups.errors import ObjectChanged, ObjectMissing
from backups.runner.copying.places import Home
from backups.storage import uploads
from backups.storage.copier import FROM_ETAG
from backups.storage.etags import is_composite, may_speak
from backups.storage.parts import PART_BYTES
from backups.storage.patience import Patience
from backups.storage.spool import Pair, Spool
from backups.storage.values import ObjectRef, is_same_etag

_ASKED_AT_ONCE = 8
_CHUNK = 512
# What says of other objects that they are there comes after them.
_DESCRIBES = (".info", ".info.copy", ".manifest", ".manifest.copy", ".json")


@dataclass(slots=True, kw_only=True)
class Lack:
    """What the second place lacked when it was compared."""

    objects: int = 0
    bytes: int = 0
    objects_there: int = 0
    # When the first place got the oldest of what is missing, and the newest of all.
    oldest_at: datetime | None = None
    newest_at: datetime | None = None


def compare(
    spool: Spool,
    source: Home,
    destination: Home,
    *,
    patience: Patience,
    distrusted: Collection[str],
    only_since: datetime | None,
    tell: Callable[[int], None],
) -> Lack:
    """Note in the spool what is to be copied, and return how much that is.

    ``distrusted`` are names of objects that were found damaged at the destination. With
    ``only_since`` only what the source got since then counts, and nothing that is there is written
    over. ``tell`` hears how many were listed.

    :raises EngineFailed: if one of the places cannot be listed
    """
    listed = 0
    # The destination first: what arrives meanwhile is missing there for a moment, and not here.
    for adding in (
        spool.add_there(destination.objects(patience)),
        spool.add_here(source.objects(patience)),
    ):
        for came in adding:
            listed += came
            tell(listed)
    lack = Lack(newest_at=spool.newest_here())
    judge = _Judge(source, destination, patience, distrusted, only_since=only_since)
    pairs = spool.pairs()
    with ThreadPoolExecutor(_ASKED_AT_ONCE, thread_name_prefix="compare") as pool:
        while chunk := list(islice(pairs, _CHUNK)):
            tell(listed)
            for pair, lacks in zip(chunk, pool.map(judge.lacks, chunk), strict=True):
                _count(lack, pair, spool, lacks=lacks)
    return lack


def _count(lack: Lack, pair: Pair, spool: Spool, *, lacks: bool) -> None:
    if not lacks:
        lack.objects_there += 1
        return
    lack.objects += 1
    lack.bytes += pair.here.size
    moment = pair.here.modified_at
    if moment is not None and (lack.oldest_at is None or moment < lack.oldest_at):
        lack.oldest_at = moment
    spool.want(pair.here.key, last=describes(pair.here.key))


def describes(name: str) -> bool:
    """Whether an object says something of others, and is written again when that changes."""
    return name.endswith(_DESCRIBES) or "/annotations/" in name


@dataclass(frozen=True, slots=True)
class _Judge:
    source: Home
    destination: Home
    patience: Patience
    distrusted: Collection[str]
    only_since: datetime | None

    def lacks(self, pair: Pair) -> bool:
        """Whether the destination does not hold this object as the source does."""
        here, there = pair.here, pair.there
        if self.only_since is not None:
            is_late = here.modified_at is None or here.modified_at >= self.only_since
            return there is None and is_late
        if here.key in self.distrusted:
            return True
        if there is None:
            # A listing may be behind: of what is long to copy, the object itself is asked.
            return here.size <= PART_BYTES or not self._is_copy_of(pair)
        if is_same_etag(here.etag, there.etag):
            return here.size != there.size
        if here.size != there.size:
            return True
        return not self._is_copy_of(pair, differs=_both_speak(here.etag, there.etag))

    def _is_copy_of(self, pair: Pair, *, differs: bool = False) -> bool:
        """Ask the destination; with ``differs``, only what encrypts its ETags is believed."""
        here, bucket = pair.here, self.destination.bucket
        key = self.destination.key(here.key)
        try:
            found = self.patience.ask(bucket, lambda: uploads.metadata_of(bucket, key))
        except ObjectMissing:
            return False
        is_marked = found.get(FROM_ETAG) == here.etag
        if found["size"] != str(here.size):
            return False
        if differs:
            return is_marked and (not found["etag"] or self._says_nothing(here))
        return is_marked or (bool(here.etag) and here.etag == found["etag"])

    def _says_nothing(self, here: ObjectRef) -> bool:
        bucket, ref = self.source.bucket, replace(here, key=self.source.key(here.key))
        try:
            return self.patience.ask(bucket, lambda: bucket.says_nothing(ref))
        except (ObjectMissing, ObjectChanged):
            return False


def _both_speak(one: str, other: str) -> bool:
    """Whether both are MD5s of the whole, so that another one means other bytes."""
    return all(may_speak(each) and not is_composite(each) for each in (one, other))
