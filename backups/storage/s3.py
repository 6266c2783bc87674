"""One bucket, as the fetcher and the catalogue need it: list, head, ranged reads, small writes.

Every call has a limit on connecting and on silence, is tried once (who calls decides what to do
next), and its failures come out as the errors of ``backups.errors``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ResponseStreamingError
from urllib3.exceptions import HTTPError

from backups.errors import (
    BucketMissing,
    CredentialsRefused,
    EngineFailed,
    ObjectChanged,
    ObjectMissing,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 5
SILENCE_SECONDS = 15

_REFUSED_CODES = {
    "403",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "401",
}
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_BUSY_STATUS = {429, 503}
_PASSING_CODES = {"SlowDown", "RequestTimeout", "InternalError"}


class PassingTrouble(Exception):
    """The storage could not answer just now; the same request may succeed later."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


_BY_CODE = {"NoSuchBucket": BucketMissing, "NoSuchKey": ObjectMissing, "NotFound": ObjectMissing}
_BY_STATUS: dict[int, type[EngineFailed]] = {
    401: CredentialsRefused,
    403: CredentialsRefused,
    404: ObjectMissing,
    412: ObjectChanged,
    416: ObjectChanged,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who asks. Never printed."""

    access_key: str
    secret_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "Credentials(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the objects are: an endpoint, a bucket, and a prefix inside it."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, *parts: str) -> str:
        return "/".join(part.strip("/") for part in (self.prefix, *parts) if part.strip("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """One object as it was when it was looked at."""

    key: str
    size: int
    etag: str
    modified_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]


class Bucket:
    """A bucket of an S3-compatible storage. Safe to share between threads."""

    def __init__(
        self,
        place: Place,
        credentials: Credentials,
        *,
        connections: int = 16,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.place = place
        self._client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=place.endpoint or None,
            region_name=place.region,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.session_token or None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if place.path_style else "virtual"},
                retries={"total_max_attempts": 1, "mode": "standard"},
                connect_timeout=CONNECT_SECONDS,
                read_timeout=silence_seconds,
                max_pool_connections=connections,
                # Odd providers send the checksum of the whole object with a range; ask for none.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def close(self) -> None:
        self._client.close()

    def list(self, prefix: str) -> Iterator[ObjectRef]:
        """Name the objects whose whole keys begin so, in the order of their keys."""
        token = ""
        while True:
            with _translated(prefix):
                page = (
                    self._client.list_objects_v2(
                        Bucket=self.place.bucket, Prefix=prefix, ContinuationToken=token
                    )
                    if token
                    else self._client.list_objects_v2(Bucket=self.place.bucket, Prefix=prefix)
                )
            for entry in page.get("Contents", []):
                yield ObjectRef(
                    key=entry["Key"],
                    size=entry["Size"],
                    etag=entry["ETag"].strip('"'),
                    modified_at=entry["LastModified"],
                )
            token = page.get("NextContinuationToken", "")
            if not page.get("IsTruncated") or not token:
                return

    def head(self, key: str) -> ObjectRef:
        with _translated(key):
            answer = self._client.head_object(Bucket=self.place.bucket, Key=key)
        return ObjectRef(
            key=key,
            size=answer["ContentLength"],
            etag=answer["ETag"].strip('"'),
            modified_at=answer["LastModified"],
        )

    def read(self, key: str) -> bytes:
        """Read a small object whole."""
        with _translated(key):
            return self._client.get_object(Bucket=self.place.bucket, Key=key)["Body"].read()

    def write(self, key: str, content: bytes) -> None:
        """Store a small object."""
        with _translated(key):
            self._client.put_object(Bucket=self.place.bucket, Key=key, Body=content)

    def read_range(self, ref: ObjectRef, start: int, stop: int, *, chunk: int) -> Iterator[bytes]:
        """Read bytes ``start`` to ``stop`` (not included) of exactly that object, in chunks.

        :raises PassingTrouble: when the answer does not come, breaks off, or falls silent; what was
        yielded holds
        :raises ObjectChanged: if the object is not the one that was looked at
        """
        with _translated(ref.key):
            body = self._client.get_object(
                Bucket=self.place.bucket,
                Key=ref.key,
                Range=f"bytes={start}-{stop - 1}",
                IfMatch=f'"{ref.etag}"',
            )["Body"]
        try:
            while start < stop:
                with _translated(ref.key):
                    data = body.read(min(chunk, stop - start))
                if not data:
                    raise PassingTrouble("reset", f"{ref.key}: ended {stop - start} bytes early")
                start += len(data)
                yield data
        finally:
            body.close()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _meaning_of(error, what) from error
    except ResponseStreamingError as error:
        raise PassingTrouble("reset", f"{what}: {error}") from error
    except (BotoCoreError, HTTPError, OSError) as error:
        name = type(error).__name__
        reason = "silent" if "Timeout" in name else "unreachable"
        if "Protocol" in name or "Incomplete" in name or "ConnectionClosed" in name:
            reason = "reset"
        raise PassingTrouble(reason, f"{what}: {error}") from error


def _meaning_of(error: ClientError, what: str) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{what}: {code} {error.response.get('Error', {}).get('Message', '')}".strip()
    if status in _PASSING_STATUS or code in _PASSING_CODES:
        return PassingTrouble("busy" if status in _BUSY_STATUS else "error", said)
    if code in _REFUSED_CODES:
        return CredentialsRefused(said)
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, EngineFailed)
    return kind(said)
