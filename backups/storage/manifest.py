"""What a backup's objects held when it was taken, by SHA-256 of every part.

An S3 ETag of an object that was uploaded in parts is no checksum of its bytes, so a damaged or
altered object looks sound to every common tool. The parts are those of the fetch, so that a damaged
one is found as it arrives.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from backups.errors import ObjectMissing, StorageUnavailable
from backups.steps import Step
from backups.storage.fetch import MIB, PART_BYTES
from backups.storage.s3 import Bucket, ObjectRef, PassingTrouble

OUTAGE_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The recorded parts of each object, by key, and what each object's size and ETag were."""

    objects: Mapping[str, ObjectRef]
    hashes: Mapping[str, Sequence[str]]

    def hashes_of(self, ref: ObjectRef) -> Sequence[str]:
        """Return the parts' hashes, or nothing if the manifest does not speak of this object."""
        return self.hashes.get(ref.key, ())


NO_MANIFEST = Manifest(objects={}, hashes={})


def manifest_key(bucket: Bucket, server: str, backup_id: str) -> str:
    """Return where the manifest lies: beside barman's folders, which barman never lists."""
    return bucket.place.key("highwater", "manifests", server, f"{backup_id}.json")


def record_manifest(bucket: Bucket, key: str, refs: Sequence[ObjectRef]) -> Iterator[Step]:
    """Read a backup's objects back once, and store what they hold.

    :raises StorageUnavailable: if the storage does not answer for half an hour
    """
    parts = [
        (ref, number, start)
        for ref in refs
        for number, start in enumerate(range(0, max(ref.size, 1), PART_BYTES))
    ]
    total = sum(ref.size for ref in refs)
    hashes: dict[str, dict[int, str]] = {ref.key: {} for ref in refs}
    done = 0
    pool = ThreadPoolExecutor(4, thread_name_prefix="manifest")
    try:
        waiting = {
            pool.submit(_hash, bucket, ref, start, min(start + PART_BYTES, ref.size)): (ref, number)
            for ref, number, start in parts
        }
        for future in as_completed(waiting):
            ref, number = waiting[future]
            hashes[ref.key][number] = future.result()
            done = min(done + PART_BYTES, total)
            yield Step(done=done, total=total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    _patiently(lambda: bucket.write(key, _written(refs, hashes)))
    yield Step(done=total, total=total)


def read_manifest(bucket: Bucket, key: str) -> Manifest:
    """Return a backup's manifest, or an empty one if none was recorded.

    :raises PassingTrouble: if the storage does not answer just now
    """
    try:
        document = json.loads(bucket.read(key))
    except ObjectMissing:
        return NO_MANIFEST
    if document.get("part_bytes") != PART_BYTES:
        return NO_MANIFEST
    entries = document["objects"]
    return Manifest(
        objects={
            e["key"]: ObjectRef(key=e["key"], size=e["size"], etag=e["etag"]) for e in entries
        },
        hashes={e["key"]: tuple(e["sha256"]) for e in entries},
    )


def _written(refs: Sequence[ObjectRef], hashes: Mapping[str, Mapping[int, str]]) -> bytes:
    entries = [
        {
            "key": ref.key,
            "size": ref.size,
            "etag": ref.etag,
            "sha256": [digest for _number, digest in sorted(hashes[ref.key].items())],
        }
        for ref in refs
    ]
    document = {"version": 1, "part_bytes": PART_BYTES, "objects": entries}
    return json.dumps(document, indent=1).encode()


def _hash(bucket: Bucket, ref: ObjectRef, start: int, stop: int) -> str:
    digest = hashlib.sha256()
    at = start

    def read_on() -> None:
        nonlocal at
        for data in bucket.read_range(ref, at, stop, chunk=MIB):
            digest.update(data)
            at += len(data)

    if start < stop:
        _patiently(read_on)
    return digest.hexdigest()


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
