"""Fixtures for real servers: PostgreSQL, Redis protocol, S3, and a failing way to the last."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from config.embedded import addresses
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.testing import start_for_tests, start_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="session")
def postgres_server() -> Addresses:
    """Start the embedded PostgreSQL of this test run."""
    return addresses.load(start_for_tests())


@pytest.fixture(scope="session")
def redis_server() -> Addresses:
    """Start the embedded Redis-protocol server of this test run."""
    var_dir = start_for_tests()
    start_server("redis")
    return addresses.load(var_dir)


@pytest.fixture(scope="session")
def s3_server() -> Addresses:
    """Start the embedded S3 server of this test run: see ``s3_endpoint`` and the two keys."""
    var_dir = start_for_tests()
    start_server("storage")
    return addresses.load(var_dir)


@pytest.fixture(scope="session")
def s3_client(s3_server: Addresses) -> "S3Client":
    """Return a client that sees the S3 server directly, without faults."""
    return s3_client_at(s3_server.s3_endpoint, s3_server)


@pytest.fixture
def s3_bucket(s3_client: "S3Client") -> Iterator[str]:
    """Give the name of an empty bucket that goes with the test."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_client.create_bucket(Bucket=name)
    yield name
    # This server deletes a bucket together with what is in it.
    s3_client.delete_bucket(Bucket=name)


@pytest.fixture
def fault_proxy(s3_server: Addresses) -> Iterator[FaultProxy]:
    """Give a way to the S3 server that does wrong what its ``faults`` say; at first, nothing."""
    with FaultProxy(target=s3_server.ports["s3"]) as proxy:
        yield proxy


def s3_client_at(endpoint: str, known: Addresses) -> "S3Client":
    """Return a client for an endpoint, with the keys of the test run and no retries."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=known.s3_access_key,
        aws_secret_access_key=known.s3_secret_key,
        region_name=known.s3_region,
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=20,
            s3={"addressing_style": "path"},
        ),
    )
