"""A target that is a bucket: objects under the addresses of the page, each uploaded once."""

import gzip
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from urllib3.exceptions import HTTPError

import credentials
from statuspage.publisher.targets.stock import (
    EDITIONS,
    Parcel,
    Stock,
    address_of,
    has_name_of_ours,
)
from statuspage.publisher.targets.trouble import TargetFailed
from statuspage.serving import manifest
from statuspage.serving.manifest import Unreadable
from statuspage.serving.memory import caching, digest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from statuspage.models import PublishTarget

# For as long the storage may be silent: when it is connected to, and when it is to answer.
_PATIENCE = (5, 15)
# Somebody at the desk waits for the answer, and a web worker with them. The client adds a second.
_PATIENCE_OF_PEOPLE = (2, 2)
_AT_ONCE = 8
# So many objects are uploaded between two looks at the clock and at the target.
_BATCH = 64
_DELETED_AT_ONCE = 1000
# Under this name an object says whose it is.
_MARK = "highwater"
# Browsers take gzip, always; programs may not, and an object store does not ask them.
_COMPRESSED = (manifest.HTML, manifest.CSS, manifest.SCRIPT)
_SAID = {
    "NoSuchBucket": "There is no such bucket.",
    "AccessDenied": "The storage refuses our key: it may not write there.",
    "InvalidAccessKeyId": "The storage does not know our key.",
    "SignatureDoesNotMatch": "The storage refuses our key: its secret is another.",
    "ExpiredToken": "Our key has expired.",
    "403": "The storage refuses our key.",
    "QuotaExceeded": "The bucket is full.",
    "SlowDown": "The storage is too busy.",
}


@dataclass(slots=True)
class Known:
    """What lies in the bucket, as the last push left it: kept beside the page, not in the bucket.

    ``objects`` are the digests of the bodies by file, ``marks`` the marks under which they were
    read. Without this file everything is uploaded once more.
    """

    objects: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    revision: int = 0
    is_new: bool = False

    @classmethod
    def read(cls, file: Path) -> "Known":
        try:
            found = json.loads(file.read_bytes())
            return cls(dict(found["objects"]), dict(found["marks"]), int(found["revision"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(is_new=True)

    def write(self, file: Path) -> None:
        text = json.dumps({"objects": self.objects, "marks": self.marks, "revision": self.revision})
        ahead = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        # It names every address, those of tenants too.
        with os.fdopen(os.open(ahead, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as open_:
            open_.write(text)
        ahead.replace(file)


class Bucket:
    """The place in a bucket that holds a page.

    :raises TargetFailed: from every call, with a sentence that says what staff can do
    """

    def __init__(self, target: "PublishTarget", *, is_awaited: bool = False) -> None:
        self._bucket, self._prefix = target.bucket, target.prefix.strip("/")
        # Says of an object which page put it there, whatever its key is like.
        self._mark = f"{target.page.slug}/{quote(self._prefix)}"
        try:
            keys = credentials.storage_keys(target.credentials_reference)
        except credentials.CredentialsMissing as missing:
            reference = target.credentials_reference
            raise TargetFailed(f"There are no keys at {reference}: {missing}.") from missing
        connect, silence = _PATIENCE_OF_PEOPLE if is_awaited else _PATIENCE
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if target.uses_path_style else "virtual"},
            retries={"total_max_attempts": 1 if is_awaited else 2, "mode": "standard"},
            connect_timeout=connect,
            read_timeout=silence,
            max_pool_connections=_AT_ONCE,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        try:
            self._client: S3Client = boto3.session.Session().client(
                "s3",
                endpoint_url=target.endpoint or None,
                region_name=target.region,
                aws_access_key_id=keys["access_key"],
                aws_secret_access_key=keys["secret_key"],
                aws_session_token=keys["session_token"] or None,
                config=config,
            )
        except (BotoCoreError, ValueError) as fault:
            raise TargetFailed("There is no such region or endpoint: look at both.") from fault

    def close(self) -> None:
        self._client.close()

    def put(self, file: str, body: bytes) -> None:
        kind = manifest.type_of(file)
        extra: dict[str, Any] = {}
        if kind in _COMPRESSED:
            body, extra = gzip.compress(body, 9, mtime=0), {"ContentEncoding": "gzip"}
        with _told():
            self._client.put_object(
                Bucket=self._bucket,
                Key=self.key_of(file),
                Body=body,
                ContentType=kind,
                CacheControl=caching(file, is_private=False),
                Metadata={_MARK: self._mark},
                **extra,
            )

    def remove(self, files: Sequence[str]) -> None:
        for start in range(0, len(files), _DELETED_AT_ONCE):
            names = files[start : start + _DELETED_AT_ONCE]
            with _told():
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": self.key_of(name)} for name in names]},
                )
            if answer.get("Errors"):
                raise TargetFailed("Objects that were withdrawn could not be deleted.")

    def strays(self, known: Iterable[str]) -> list[str]:
        """Return the files that an earlier push put there and that are not known."""
        keys = {self.key_of(file) for file in known}
        start = len(self._prefix) + 1 if self._prefix else 0
        with _told():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=f"{self._prefix}/" if self._prefix else ""
            )
            found = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
        files = {manifest.file_of(f"/{key[start:]}"): key for key in sorted(found - keys)}
        return [
            file
            for file, key in files.items()
            if has_name_of_ours(file) and self.key_of(file) == key and self._is_ours(key)
        ]

    def _is_ours(self, key: str) -> bool:
        """Whether we put an object there, and not somebody with a like name."""
        with _told():
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") == "404":
                    return False
                raise
        return found["Metadata"].get(_MARK) == self._mark

    def probe(self) -> None:
        """Write an object and delete it again."""
        name = f"probe-{secrets.token_hex(8)}.txt"
        self.put(name, b"Highwater tries whether it may write here.\n")
        self.remove([name])

    def key_of(self, file: str) -> str:
        """Return the key of a site's file: its address, for an object store adds no ending."""
        return "/".join(filter(None, (self._prefix, address_of(file) or "index.html")))


def push(stock: Stock, bucket: Bucket, memory: Path, *, look: Callable[[], None]) -> int:
    """Bring what differs into the bucket, the front page last; return how many objects went.

    What was brought is remembered even if the rest fails, so that the next push goes on there.
    ``look`` is called now and then, and may raise what ends the push.

    :raises TargetFailed: if the storage refuses or does not answer
    :raises Unreadable: if the revision is overtaken meanwhile
    """
    known = Known.read(memory)
    count = 0
    try:
        for part in _in_order(stock):
            count += _bring(part, bucket, known, look=look)
        wanted = {parcel.file for part in _in_order(stock) for parcel in part}
        gone = sorted(known.objects.keys() - wanted)
        if known.is_new:
            gone += bucket.strays(wanted)
        bucket.remove(gone)
        for file in gone:
            known.objects.pop(file, None)
            known.marks.pop(file, None)
        known.revision, known.is_new = stock.revision, False
    finally:
        # The page may be gone, and what is remembered of its copies with it.
        with suppress(FileNotFoundError):
            known.write(memory)
    return count


def _in_order(stock: Stock) -> Iterator[list[Parcel]]:
    """Return what to bring after what: nothing is named by a document before it is there."""
    last = (EDITIONS, "index.html")
    front = [parcel for parcel in stock.documents if parcel.file.endswith(last)]
    rest = [parcel for parcel in stock.documents if not parcel.file.endswith(last)]
    assets = [parcel for parcel in stock.archived if parcel.file.startswith("assets/")]
    older = [parcel for parcel in stock.archived if not parcel.file.startswith("assets/")]
    yield from (assets, older, stock.personal, rest, front)


def _bring(
    parcels: Iterable[Parcel], bucket: Bucket, known: Known, *, look: Callable[[], None]
) -> int:
    waiting = [parcel for parcel in parcels if known.marks.get(parcel.file) != parcel.mark]
    count = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(waiting), _BATCH):
            look()
            batch = waiting[start : start + _BATCH]
            running = [
                (parcel, pool.submit(_bring_one, parcel, bucket, known.objects.get(parcel.file)))
                for parcel in batch
            ]
            try:
                for parcel, task in running:
                    name, went = task.result()
                    count += went
                    if name:
                        known.objects[parcel.file], known.marks[parcel.file] = name, parcel.mark
            except (TargetFailed, Unreadable):
                # The others would wait for the same silence.
                pool.shutdown(cancel_futures=True)
                raise
    return count


def _bring_one(parcel: Parcel, bucket: Bucket, before: str | None) -> tuple[str, bool]:
    """Return the digest of what lies there now, empty for nothing, and whether it was uploaded."""
    body = parcel.body()
    if body is None:
        return "", False
    name = digest(body)
    if name == before:
        return name, False
    bucket.put(parcel.file, body)
    return name, True


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the storage or the network says into a sentence for staff."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        said = _SAID.get(code, f"The storage answers {code}.")
        raise TargetFailed(said) from error
    except ParamValidationError as error:
        raise TargetFailed("No bucket can have this name.") from error
    except (BotoCoreError, HTTPError, OSError, ValueError) as error:
        raise TargetFailed("The storage does not answer.") from error
