"""Storing objects, small ones at once and large ones part by part, as S3's API has it.

Each call is tried once, like those of ``Bucket``; who calls decides what to do next.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape

from backups.storage.answers import PassingTrouble, meaning_of
from backups.storage.etags import is_encrypted_with_keys
from backups.storage.s3 import Bucket
from backups.storage.values import plain_etag

# Putting the parts of a large object together may take a storage minutes.
COMPLETION_SECONDS = 300.0
# What was handed to a connection may still be on its way when nothing is left to be sent.
UPLOAD_SECONDS = 60.0
META = "x-amz-meta-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a storage said of bytes that it took. Its ETag may be no checksum of them."""

    etag: str
    is_checksum: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of an upload that is not complete yet; numbers count from 1."""

    number: int
    size: int
    etag: str


def put(
    bucket: Bucket, key: str, content: bytes | bytearray, metadata: Mapping[str, str]
) -> Stored:
    """Store an object in one piece."""
    headers = {f"{META}{name}": value for name, value in metadata.items()}
    _body, said = _ask(bucket, "PUT", key, headers=headers, content=content)
    return _stored(said)


def metadata_of(bucket: Bucket, key: str) -> Mapping[str, str]:
    """Return what was said of an object when it was stored; ``size`` and ``etag`` are among it.

    The latter is empty where the storage says that it is no checksum.

    :raises ObjectMissing: if it is not there
    """
    _body, said = _ask(bucket, "HEAD", key)
    found = {name.removeprefix(META): value for name, value in said.items() if META in name}
    return {
        **found,
        "size": said.get("content-length", ""),
        "etag": "" if is_encrypted_with_keys(said) else plain_etag(said.get("etag", "")),
    }


def begin(bucket: Bucket, key: str, metadata: Mapping[str, str]) -> str:
    """Begin to store a large object, and return the upload's id."""
    headers = {f"{META}{name}": value for name, value in metadata.items()}
    body, _said = _ask(bucket, "POST", key, query="uploads=", headers=headers)
    upload = _text(_document(body), "UploadId")
    if not upload:
        raise PassingTrouble("error", f"{key}: the storage names no upload")
    return upload


def put_part(
    bucket: Bucket, key: str, upload: str, number: int, content: bytes | bytearray
) -> Stored:
    """Store a part; one that is there under this number is replaced.

    :raises ObjectMissing: if there is no such upload any more
    """
    query = f"partNumber={number}&uploadId={_quoted(upload)}"
    _body, said = _ask(bucket, "PUT", key, query=query, content=content)
    return _stored(said)


def complete(bucket: Bucket, key: str, upload: str, etags: Sequence[str]) -> Stored:
    """Make the object out of its parts; until now nobody could see it.

    :raises ObjectMissing: if there is no such upload any more
    """
    parts = "".join(
        f'<Part><PartNumber>{number}</PartNumber><ETag>"{escape(etag)}"</ETag></Part>'
        for number, etag in enumerate(etags, start=1)
    )
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    body, said = _ask(
        bucket, "POST", key, query=f"uploadId={_quoted(upload)}", content=document,
        silence_seconds=COMPLETION_SECONDS,
    )  # fmt: skip
    root = _document(body)
    if root.tag.rpartition("}")[2] == "Error":
        # It may begin with a success before it knows better.
        raise meaning_of(500, said, body, key)
    return Stored(
        etag=plain_etag(_text(root, "ETag")), is_checksum=not is_encrypted_with_keys(said)
    )


def abort(bucket: Bucket, key: str, upload: str) -> None:
    """Let an upload go, and what came of it."""
    _ask(bucket, "DELETE", key, query=f"uploadId={_quoted(upload)}")


def uploads_of(bucket: Bucket, key: str) -> Sequence[str]:
    """Name the uploads of exactly this object that are not complete, the newest first."""
    body, _said = _ask(bucket, "GET", "", query=f"prefix={_quoted(key)}&uploads=")
    found = [
        (_text(each, "Initiated"), _text(each, "UploadId"))
        for each in _all(_document(body), "Upload")
        # Some storages quote keys here, as those do that are asked for encoding-type=url.
        if key in (_text(each, "Key"), unquote_plus(_text(each, "Key")))
    ]
    return [upload for _began, upload in sorted(found, reverse=True)]


def parts_of(bucket: Bucket, key: str, upload: str) -> Iterator[StoredPart]:
    """Name the parts that have arrived, in their order.

    :raises ObjectMissing: if there is no such upload any more
    """
    marker = "0"
    while marker:
        query = f"part-number-marker={marker}&uploadId={_quoted(upload)}"
        body, _said = _ask(bucket, "GET", key, query=query)
        root = _document(body)
        number = 0
        for each in _all(root, "Part"):
            number = int(_text(each, "PartNumber"))
            etag = plain_etag(_text(each, "ETag"))
            yield StoredPart(number=number, size=int(_text(each, "Size")), etag=etag)
        goes_on = _text(root, "IsTruncated") == "true" and number > int(marker)
        marker = str(number) if goes_on else ""


def _ask(
    bucket: Bucket, method: str, key: str, *, query: str = "",
    headers: Mapping[str, str] | None = None, content: bytes | bytearray = b"",
    silence_seconds: float = 0.0,
) -> tuple[bytes, Mapping[str, str]]:  # fmt: skip
    if content:
        silence_seconds = max(silence_seconds, UPLOAD_SECONDS)
    exchange = bucket.wire.exchange(silence_seconds=max(silence_seconds, bucket.silence_seconds))
    try:
        bucket.ask(
            exchange, method, key, key or bucket.place.url, query=query, headers=headers,
            body=content,
        )  # fmt: skip
        return exchange.read_all(), exchange.headers
    finally:
        exchange.close()


def _stored(headers: Mapping[str, str]) -> Stored:
    return Stored(
        etag=plain_etag(headers.get("etag", "")), is_checksum=not is_encrypted_with_keys(headers)
    )


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def _document(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body.strip())  # noqa: S314 - expat limits what entities may grow to
    except ET.ParseError as error:
        raise PassingTrouble("error", f"the answer is no XML: {error}") from error


def _all(root: ET.Element, name: str) -> Sequence[ET.Element]:
    return [each for each in root if each.tag.rpartition("}")[2] == name]


def _text(root: ET.Element, name: str) -> str:
    return next((each.text or "" for each in _all(root, name)), "")
