"""Whether an object is what its ETag or its CRC says, where an ETag is a checksum at all.

Of an object stored in one piece it usually is the MD5; of one stored in parts the MD5 of the parts'
MD5s, with their number. With some kinds of encryption, and at some providers, it is neither.
"""

import base64
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping

from backups.storage.values import MIB

_PLAIN = re.compile(r"^[0-9a-f]{32}$")
_COMPOSITE = re.compile(r"^[0-9a-f]{32}-(\d+)$")
# Sizes of parts that common tools use, where the storage does not tell.
_USUAL_MIB = (5, 8, 10, 15, 16, 20, 25, 32, 50, 64, 100, 128, 200, 250, 256, 500, 512, 1024)
# Few enough to stay in a core's cache.
READ_BYTES = MIB


def agrees(descriptor: int, size: int, etag: str, part_bytes: int | None) -> bool | None:
    """Compare a file with an ETag; None if it says nothing that could be compared.

    ``part_bytes`` is how long the storage says the first part is, None if it does not say; it is
    only believed if the number of parts follows from it.
    """
    if _PLAIN.match(etag):
        return _md5(descriptor, 0, size).hex() == etag
    found = _COMPOSITE.match(etag)
    if found is None:
        return None
    parts = int(found[1])
    # A storage that does not know partNumber tells the length of the whole.
    if part_bytes and -(-size // part_bytes) == parts:
        return _composite(descriptor, size, part_bytes) == etag
    # A guessed length proves something only if it comes out right.
    fitting = usual_parts(size, etag)
    return True if any(_composite(descriptor, size, each) == etag for each in fitting) else None


def usual_parts(size: int, etag: str) -> list[int]:
    """Return the lengths of parts, of those that are common, from which such an ETag may come."""
    found = _COMPOSITE.match(etag)
    parts = int(found[1]) if found else 0
    return [mib * MIB for mib in _USUAL_MIB if -(-size // (mib * MIB)) == parts]


def may_speak(etag: str) -> bool:
    """Whether an ETag has the form of a checksum."""
    return bool(_PLAIN.match(etag) or _COMPOSITE.match(etag))


def is_encrypted_with_keys(headers: Mapping[str, str]) -> bool:
    """Whether an answer says that the object is encrypted so that its ETag is no checksum.

    So it is with keys of a key service or of the client; see "ETag" in the S3 API's description of
    objects.
    """
    return (
        headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )


def is_composite(etag: str) -> bool:
    return bool(_COMPOSITE.match(etag))


def agrees_with_crc(descriptor: int, size: int, said: str, part_bytes: int) -> bool:
    """Whether a file is what a storage's CRC-32 of an object stored in parts says.

    ``said`` is the header x-amz-checksum-crc32: in base64, the CRC of the parts' CRCs, with their
    number. It takes a seventh of the time that the MD5s of an ETag take. False proves nothing.
    """
    crc, _dash, parts = said.partition("-")
    if parts != str(-(-size // part_bytes)):
        return False
    whole = zlib.crc32(b"".join(_of_parts(_crc32, descriptor, size, part_bytes)))
    return base64.b64encode(whole.to_bytes(4)).decode() == crc


def _composite(descriptor: int, size: int, part_bytes: int) -> str:
    digests = _of_parts(_md5, descriptor, size, part_bytes)
    whole = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{whole}-{len(digests)}"


def _of_parts(
    take: Callable[[int, int, int], bytes], descriptor: int, size: int, part_bytes: int
) -> list[bytes]:
    # Only where there is no manifest: a fetch that goes on after a death is not to wait for it.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

    with ThreadPoolExecutor(2, thread_name_prefix="fetch-etag") as pool:
        starts = range(0, max(size, 1), part_bytes)
        return list(
            pool.map(lambda start: take(descriptor, start, min(start + part_bytes, size)), starts)
        )


def _crc32(descriptor: int, start: int, stop: int) -> bytes:
    crc = 0
    for piece in _pieces(descriptor, start, stop):
        crc = zlib.crc32(piece, crc)
    return crc.to_bytes(4)


def _md5(descriptor: int, start: int, stop: int) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    for piece in _pieces(descriptor, start, stop):
        digest.update(piece)
    return digest.digest()


def _pieces(descriptor: int, start: int, stop: int) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(min(READ_BYTES, max(stop - start, 1))))
    while start < stop and (read := os.preadv(descriptor, [buffer[: stop - start]], start)):
        yield buffer[:read]
        start += read
