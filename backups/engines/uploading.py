"""Storing large files: in parts that are tried again each on its own, several at once."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from backups.engines.asking import insisted
from backups.errors import EngineFailed
from backups.steps import Step
from backups.storage.s3 import Bucket, PassingTrouble

MIB = 1024 * 1024
PART_BYTES = 16 * MIB
# An object may have ten thousand parts.
MOST_PARTS = 9_000
AT_ONCE = 4


class UploadDamaged(EngineFailed):
    """What the storage holds after an upload is not what was sent."""

    code = "upload-damaged"
    advice = (
        "The object storage did not keep what was sent. Try again; if it recurs, ask its support."
    )


def upload(bucket: Bucket, files: dict[str, Path]) -> Iterator[Step]:
    """Store files under these keys; steps are bytes. Closing the iterator ends it.

    :raises StorageUnavailable: if the storage does not answer for half an hour
    :raises UploadDamaged: if an object does not have the size that its file has
    """
    total, done = sum(path.stat().st_size for path in files.values()), 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload") as pool:
        waiting: set[Future[int]] = set()
        try:
            small = {key: path for key, path in files.items() if path.stat().st_size <= PART_BYTES}
            waiting = {pool.submit(_store, bucket, key, path) for key, path in small.items()}
            while waiting:
                ready, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                done += sum(future.result() for future in ready)
                yield Step(done=done, total=total)
            for key in files.keys() - small.keys():
                for sent in _store_in_parts(bucket, key, files[key], pool):
                    yield Step(done=done + sent, total=total)
                done += files[key].stat().st_size
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for key, path in files.items():
        yield Step(done=done, total=total)
        if insisted(partial(bucket.head, key)).size != path.stat().st_size:
            raise UploadDamaged(key)


def _store(bucket: Bucket, key: str, path: Path) -> int:
    content = path.read_bytes()
    insisted(lambda: bucket.write(key, content))
    return len(content)


def _store_in_parts(
    bucket: Bucket, key: str, path: Path, pool: ThreadPoolExecutor
) -> Iterator[int]:
    size = path.stat().st_size
    length = max(PART_BYTES, -(-size // MOST_PARTS))
    begun = insisted(lambda: _post(bucket, key, "uploads=", b""))
    upload_id = _text(begun, "UploadId")
    try:
        starts = range(0, size, length)
        tags: dict[int, str] = {}
        waiting: dict[Future[str], int] = {}
        left = iter(enumerate(starts, start=1))
        while len(tags) < len(starts):
            while len(waiting) < AT_ONCE and (part := next(left, None)) is not None:
                query = f"partNumber={part[0]}&uploadId={upload_id}"
                content = _piece(path, part[1], length)
                sent = pool.submit(_put_part, bucket, key, query, content)
                waiting[sent] = part[0]
            for future in wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED).done:
                tags[waiting.pop(future)] = future.result()
            yield min(len(tags) * length, size)
        body = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            for number, tag in sorted(tags.items())
        )
        document = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
        insisted(lambda: _post(bucket, key, f"uploadId={upload_id}", document))
    except BaseException:
        _drop(bucket, key, upload_id)
        raise


def _piece(path: Path, start: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def _put_part(bucket: Bucket, key: str, query: str, content: bytes) -> str:
    def put() -> str:
        exchange = bucket.wire.exchange(silence_seconds=bucket.silence_seconds)
        try:
            bucket.ask(exchange, "PUT", key, key, query=query, body=content)
            return exchange.headers["etag"]
        finally:
            exchange.close()

    return insisted(put)


def _post(bucket: Bucket, key: str, query: str, body: bytes) -> bytes:
    exchange = bucket.wire.exchange(silence_seconds=bucket.silence_seconds)
    try:
        headers = {} if body else {"Content-Length": "0"}
        bucket.ask(exchange, "POST", key, key, query=query, headers=headers, body=body)
        answer = exchange.read_all()
    finally:
        exchange.close()
    if b"<Error>" in answer:
        # Said after a success had begun: S3 keeps the line open while it puts parts together.
        raise PassingTrouble("error", answer.decode(errors="replace")[:500])
    return answer


def _drop(bucket: Bucket, key: str, upload_id: str) -> None:
    """Give back what parts take; a storage that is gone clears them away by its own rules."""
    exchange = bucket.wire.exchange(silence_seconds=bucket.silence_seconds)
    try:
        bucket.ask(exchange, "DELETE", key, key, query=f"uploadId={upload_id}")
    except (PassingTrouble, EngineFailed):
        return
    finally:
        exchange.close()


def _text(document: bytes, name: str) -> str:
    root = ET.fromstring(document)  # noqa: S314 - expat limits what entities may grow to
    found = next((each.text for each in root.iter() if each.tag.rpartition("}")[2] == name), None)
    if not found:
        raise PassingTrouble("error", f"no {name} in the answer")
    return found
