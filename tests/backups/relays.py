"""Sources behind a fault proxy, and clients of a relay."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from backups.storage.relay import Relay
from backups.storage.s3 import Credentials, Place
from backups.storage.sources import Source, Sources
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@contextmanager
def sources_at(endpoint: str, bucket: str, known: Addresses) -> Iterator[Sources]:
    keys = Credentials(access_key=known.s3_access_key, secret_key=known.s3_secret_key)
    place = Place(bucket=bucket, endpoint=endpoint)
    found = Sources(
        [Source(name="primary", place=place, credentials=lambda: keys)], silence_seconds=1
    )
    yield found
    found.close()


@contextmanager
def client_of(relay: Relay, **different: Any) -> Iterator["S3Client"]:
    """Give a client that tries once and is patient for five seconds."""
    settings: dict[str, Any] = {
        "endpoint_url": relay.endpoint,
        "region_name": "eu-central-1",
        "aws_access_key_id": relay.credentials.access_key,
        "aws_secret_access_key": relay.credentials.secret_key,
        "verify": str(relay.ca_file) if relay.ca_file else None,
        "config": Config(
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=5,
            s3={"addressing_style": "path"},
            signature_version="s3v4",
        ),
    }
    found: S3Client = boto3.client("s3", **(settings | different))
    yield found
    found.close()


def read(client: "S3Client", bucket: str, key: str, **conditions: Any) -> bytes:
    return client.get_object(Bucket=bucket, Key=key, **conditions)["Body"].read()


def fetched(proxy: FaultProxy, bucket: str, key: str) -> int:
    """Count the bytes of an object that went over the wire."""
    count = proxy.counts().get(f"{bucket}/{key}")
    return count.bytes_down if count else 0


def wait_for_bytes(proxy: FaultProxy, bucket: str, key: str, size: int) -> None:
    deadline = time.monotonic() + 20
    while fetched(proxy, bucket, key) < size:
        assert time.monotonic() < deadline, f"{key} was not fetched"
        time.sleep(0.02)
