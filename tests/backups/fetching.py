"""What tests of the fetch share: objects behind one failing way, or two."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backups.storage.fetch import MIB, FetchItem, Source, Sources
from backups.storage.s3 import Credentials, ObjectRef, Place
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT = random.Random(7).randbytes(40 * MIB + 12_345)


@dataclass(slots=True)
class Keys:
    """Credentials that a test may replace while a fetch runs; ``asked`` counts the questions."""

    now: Credentials
    asked: int = 0

    def __call__(self) -> Credentials:
        self.asked += 1
        return self.now


@dataclass(slots=True)
class Storage:
    """A bucket that is reached through a proxy, with the client that sees it as it is."""

    bucket: str
    proxy: FaultProxy
    keys: Keys
    client: "S3Client"
    name: str = "primary"
    prefix: str = ""
    etags: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        place = Place(bucket=self.bucket, prefix=self.prefix, endpoint=self.proxy.endpoint)
        return Source(name=self.name, place=place, credentials=self.keys)

    def put(self, key: str = "large", content: bytes = CONTENT) -> ObjectRef:
        path = f"{self.prefix}/{key}".lstrip("/")
        self.client.put_object(Bucket=self.bucket, Key=path, Body=content)
        return self.ref(key)

    def put_in_parts(self, part_bytes: int, key: str = "large") -> ObjectRef:
        upload = self.client.create_multipart_upload(Bucket=self.bucket, Key=key)
        parts = []
        for number, start in enumerate(range(0, len(CONTENT), part_bytes), start=1):
            answer = self.client.upload_part(
                Bucket=self.bucket, Key=key, UploadId=upload["UploadId"], PartNumber=number,
                Body=CONTENT[start : start + part_bytes],
            )  # fmt: skip
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload["UploadId"],
            MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
        )  # fmt: skip
        return self.ref(key)

    def ref(self, key: str) -> ObjectRef:
        path = f"{self.prefix}/{key}".lstrip("/")
        answer = self.client.head_object(Bucket=self.bucket, Key=path)
        return ObjectRef(key=path, size=answer["ContentLength"], etag=answer["ETag"].strip('"'))


@contextmanager
def opened(*storages: Storage, silence_seconds: float = 2.0) -> Iterator[Sources]:
    sources = Sources([each.source for each in storages], silence_seconds=silence_seconds)
    try:
        yield sources
    finally:
        sources.close()


def hashes(content: bytes = CONTENT, length: int = MIB) -> list[str]:
    starts = range(0, max(len(content), 1), length)
    return [hashlib.sha256(content[at : at + length]).hexdigest() for at in starts]


def item(ref: ObjectRef, content: bytes | None = None, *, to: str = "large") -> FetchItem:
    """Return what to fetch; with its content, the hashes that a manifest would hold."""
    return FetchItem(ref=ref, to=to, part_hashes=hashes(content) if content is not None else ())


def whole(stage: Path, name: str = "large") -> bool:
    return (stage / name).read_bytes() == CONTENT


@pytest.fixture
def storage(
    s3_bucket: str, s3_server: Addresses, s3_client: "S3Client", fault_proxy: FaultProxy
) -> Storage:
    """Return a storage behind a proxy."""
    return Storage(s3_bucket, fault_proxy, right_keys(s3_server), s3_client)


@pytest.fixture
def replica(storage: Storage, s3_server: Addresses) -> Iterator[Storage]:
    """Give a second storage behind a proxy of its own: another prefix, the same objects' names."""
    with FaultProxy(target=s3_server.ports["s3"], seed=2) as proxy:
        yield Storage(
            storage.bucket, proxy, right_keys(s3_server), storage.client, "replica", "copy"
        )


def right_keys(known: Addresses) -> Keys:
    return Keys(Credentials(access_key=known.s3_access_key, secret_key=known.s3_secret_key))
