"""What a backup's objects held when it was taken, by a hash of every block.

An S3 ETag of an object that was uploaded in parts is no checksum of its bytes, so a damaged or
altered object looks sound to every common tool. The blocks are so short that a damaged one costs
1 MiB of new fetching in most backups, and the whole is proven by all of its blocks and by a hash
of their hashes.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from backups.errors import ObjectDamaged, ObjectMissing, StorageUnavailable
from backups.steps import Step
from backups.storage.answers import PassingTrouble
from backups.storage.hashing import recorded_hash
from backups.storage.items import BLOCK_BYTES, PART_BYTES
from backups.storage.s3 import Bucket
from backups.storage.values import MIB, ObjectRef, Place

# A manifest of more hashes than this would itself be long to fetch: then blocks are longer.
MOST_HASHES = 256 * 1024
TRIES = 3
_MANIFESTS = "highwater/manifests/"
OUTAGE_SECONDS = 1800
# How an object's key names its backup: pgBackRest's, barman's, pg_dump's. pgBackRest's is the first
# because inside of its backups there are folders that look like barman's.
_LAYOUTS = [
    re.compile(r"(?P<above>(?:.*/)?)" + below)
    for below in (
        r"backup/(?P<server>[^/]+)/(?P<backup>\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?)/.+",
        r"(?P<server>[^/]+)/base/(?P<backup>[^/]+)/[^/]+",
        r"(?P<server>[^/]+)/dumps/(?P<backup>[^/]+)/.+",
    )
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The recorded blocks of each object, by key, and what each object's size and ETag were."""

    objects: Mapping[str, ObjectRef]
    hashes: Mapping[str, Sequence[str]]
    # In ISO 8601, where it was recorded long after the backup was taken; empty where it was not.
    recorded_later_at: str = ""

    def hashes_of(self, ref: ObjectRef) -> Sequence[str]:
        """Return the blocks' hashes, or nothing if the manifest does not speak of this object."""
        return self.hashes.get(ref.key, ())


NO_MANIFEST = Manifest(objects={}, hashes={})


class Reader(Protocol):
    """A bucket, or several sources."""

    @property
    def place(self) -> Place: ...

    def read(self, key: str) -> bytes: ...


class Ledger(Protocol):
    """Keeps what was read of objects until the whole manifest is written."""

    def recalled(self, ref: ObjectRef, block_bytes: int) -> Mapping[int, Sequence[str]]:
        """Return the hashes of the parts that were read of just this object, by their starts."""

    def note(self, ref: ObjectRef, start: int, block_bytes: int, hashes: Sequence[str]) -> None:
        """Keep the hashes of a part."""

    def write(self) -> None:
        """Write down what is noted so far."""


def manifest_key(bucket: Reader, server: str, backup_id: str) -> str:
    """Return where the manifest lies: beside barman's folders, which barman never lists."""
    return bucket.place.key("highwater", "manifests", server, f"{backup_id}.json")


def manifest_key_of(object_key: str) -> str:
    """Return where the manifest of an object's backup lies, whatever folder the archive is in.

    Empty if the key is not laid out as any engine lays out its backups.
    """
    found = next(filter(None, (layout.fullmatch(object_key) for layout in _LAYOUTS)), None)
    if found is None:
        return ""
    return f"{found['above']}{_MANIFESTS}{found['server']}/{found['backup']}.json"


def record_manifest(
    bucket: Bucket,
    key: str,
    refs: Sequence[ObjectRef],
    *,
    ledger: Ledger | None = None,
    recorded_at: datetime | None = None,
) -> Iterator[Step]:
    """Read a backup's objects back once, and store what they hold.

    What the ``ledger`` recalls is not read again. With ``recorded_at`` the manifest says that it
    was recorded then, long after the backup was taken.

    :raises StorageUnavailable: if the storage does not answer for half an hour
    """
    # Readers of manifests, which are more and in a hurry, do not need it.
    from concurrent.futures import ThreadPoolExecutor, as_completed  # noqa: PLC0415 - see above

    total = sum(ref.size for ref in refs)
    block_bytes = _block_bytes(total)
    hashes: dict[str, dict[int, Sequence[str]]] = {
        ref.key: dict(ledger.recalled(ref, block_bytes)) if ledger else {} for ref in refs
    }
    parts = [(ref, start) for ref in refs for start in range(0, max(ref.size, 1), PART_BYTES)]
    unread = [(ref, start) for ref, start in parts if start not in hashes[ref.key]]
    done = total - sum(min(PART_BYTES, ref.size - start) for ref, start in unread)
    pool = ThreadPoolExecutor(4, thread_name_prefix="manifest")
    try:
        waiting = {
            pool.submit(_hash, bucket, ref, start, block_bytes): (ref, start)
            for ref, start in unread
        }
        for future in as_completed(waiting):
            ref, start = waiting.pop(future)
            hashes[ref.key][start] = future.result()
            if ledger:
                ledger.note(ref, start, block_bytes, hashes[ref.key][start])
            done += min(PART_BYTES, ref.size - start)
            yield Step(done=done, total=total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if ledger:
            ledger.write()
    entries = [
        _entry(ref, [digest for _start, part in sorted(hashes[ref.key].items()) for digest in part])
        for ref in refs
    ]
    _patiently(lambda: bucket.write(key, _written(entries, block_bytes, recorded_at)))
    yield Step(done=total, total=total)


def read_manifest(bucket: Reader, key: str) -> Manifest:
    """Return a backup's manifest, or an empty one if none was recorded.

    :raises PassingTrouble: if the storage does not answer just now
    :raises ObjectDamaged: if the manifest itself is not what was written, however often it is read
    """
    for _try in range(TRIES):
        try:
            document = json.loads(bucket.read(key))
            if _is_sound(document):
                return _manifest(document, lambda each: _moved(each, key))
        except ObjectMissing:
            return NO_MANIFEST
        except (ValueError, KeyError, TypeError):
            # A bit that flipped on the way, most likely: the next reading tells.
            continue
    raise ObjectDamaged(f"{key}: the manifest is not what was written")


def _manifest(document: Mapping[str, Any], moved: Callable[[str], str]) -> Manifest:
    entries = [(moved(entry["key"]), entry) for entry in document["objects"]]
    return Manifest(
        objects={key: ObjectRef(key=key, size=e["size"], etag=e["etag"]) for key, e in entries},
        hashes={key: tuple(e[_name_of_hashes(e)]) for key, e in entries},
        recorded_later_at=str(document.get("recorded_later_at", "")),
    )


def _moved(key: str, own_key: str) -> str:
    """Return an object's key in this place: its manifest may have been copied from another one."""
    if _MANIFESTS not in own_key:
        return key
    server = own_key.split("/")[-2]
    for folder in (f"backup/{server}/", f"{server}/base/", f"{server}/dumps/"):
        at = key.find(folder)
        if at == 0 or (at > 0 and key[at - 1] == "/"):
            return own_key.partition(_MANIFESTS)[0] + key[at:]
    return key


def _is_sound(document: Mapping[str, Any]) -> bool:
    """Whether a manifest is as it was written; the first version could not tell."""
    if document["version"] == 1:
        return bool(document["part_bytes"] == PART_BYTES)
    return all(entry["whole"] == _whole(entry) for entry in document["objects"])


def _name_of_hashes(entry: Mapping[str, Any]) -> str:
    # The first two versions named them by their kind, which each hash says since.
    return "sha256" if "sha256" in entry else "hashes"


def _whole(entry: Mapping[str, Any]) -> str:
    said = [entry["key"], str(entry["size"]), entry["etag"], *entry[_name_of_hashes(entry)]]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _entry(ref: ObjectRef, hashes: Sequence[str]) -> dict[str, Any]:
    entry = {"key": ref.key, "size": ref.size, "etag": ref.etag, "hashes": list(hashes)}
    return {**entry, "whole": _whole(entry)}


def _written(
    entries: Sequence[Mapping[str, Any]], block_bytes: int, recorded_at: datetime | None
) -> bytes:
    later = {"recorded_later_at": recorded_at.isoformat()} if recorded_at else {}
    document = {"version": 3, "block_bytes": block_bytes, **later, "objects": entries}
    return json.dumps(document, indent=1).encode()


def _block_bytes(total: int) -> int:
    length = BLOCK_BYTES
    while length < PART_BYTES and total // length > MOST_HASHES:
        length *= 2
    return length


def _hash(bucket: Bucket, ref: ObjectRef, start: int, block_bytes: int) -> list[str]:
    """Return the hash of each block of a part."""
    stop = min(start + PART_BYTES, ref.size)
    whole = bytearray()

    def read_on() -> None:
        at = start + len(whole)
        for data in bucket.read_range(ref, at, stop, chunk=MIB):
            whole.extend(data)

    if start < stop:
        _patiently(read_on)
    blocks = range(0, max(len(whole), 1), block_bytes)
    return [recorded_hash(whole[at : at + block_bytes]) for at in blocks]


def _patiently(act: Callable[[], None]) -> None:
    """Repeat an act that goes on where it broke off, until it ends."""
    deadline = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return act()
        except PassingTrouble as trouble:
            if time.monotonic() > deadline:
                raise StorageUnavailable(str(trouble)) from trouble
            time.sleep(0.5)
