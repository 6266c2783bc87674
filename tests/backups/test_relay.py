"""Clients of every kind read through the relay what the storage holds, and nothing else happens."""

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import BotoCoreError, ClientError, SSLError
from urllib3.exceptions import HTTPError

from backups.storage.items import MIB, PART_BYTES, Manner
from backups.storage.manifest import manifest_key, record_manifest
from backups.storage.relay import Relay
from backups.storage.sources import Sources
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.relays import client_of, read, sources_at, wait_for_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = bytes(range(256)) * (4096 * 40)  # 40 MiB
SMALL = b"small" * 1000
SEGMENT = "main/wals/0000000100000000/000000010000000000000002.gz"


@pytest.fixture
def sources(s3_bucket: str, s3_server: Addresses, fault_proxy: FaultProxy) -> Iterator[Sources]:
    with sources_at(fault_proxy.endpoint, s3_bucket, s3_server) as found:
        yield found


@pytest.fixture
def stored(s3_client: "S3Client", s3_bucket: str) -> None:
    s3_client.put_object(Bucket=s3_bucket, Key="large", Body=LARGE)
    s3_client.put_object(Bucket=s3_bucket, Key="empty", Body=b"")
    for name in ("small", "folder/with space+é~", "folder/deeper/one"):
        s3_client.put_object(Bucket=s3_bucket, Key=name, Body=SMALL)


@pytest.fixture
def relay(sources: Sources, stored: None, tmp_path: Path) -> Iterator[Relay]:
    with Relay(sources, tmp_path / "relay") as opened:
        yield opened


@pytest.fixture
def client(relay: Relay) -> Iterator["S3Client"]:
    with client_of(relay) as found:
        yield found


def asked_at(host: str, relay: Relay, target: str) -> tuple[int, bytes]:
    """Ask under a host's name that this machine may not know how to resolve."""
    request: Any = AWSRequest(method="GET", url=f"http://{host}{target}", headers={"Host": host})
    keys = BotoCredentials(relay.credentials.access_key, relay.credentials.secret_key)
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
    connection.request("GET", target, headers=dict(request.headers.items()))
    answer = connection.getresponse()
    found = (answer.status, answer.read())
    connection.close()
    return found


def code_of(act: Callable[[], object]) -> tuple[str, int]:
    """Return how S3 refuses something."""
    with pytest.raises(ClientError) as refused:
        act()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@contextmanager
def come_back_after(seconds: float, proxy: FaultProxy) -> Iterator[None]:
    def come_back() -> None:
        proxy.faults = Faults()

    timer = threading.Timer(seconds, come_back)
    timer.start()
    yield
    timer.join()


class TestObjects:
    @pytest.mark.parametrize(
        ("key", "content"),
        [("large", LARGE), ("small", SMALL), ("folder/with space+é~", SMALL), ("empty", b"")],
    )
    def test_are_read_whole(
        self, key: str, content: bytes, client: "S3Client", s3_bucket: str
    ) -> None:
        assert read(client, s3_bucket, key) == content

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("bytes=0-9", LARGE[:10]),
            (f"bytes={PART_BYTES - 5}-{PART_BYTES + 4}", LARGE[PART_BYTES - 5 : PART_BYTES + 5]),
            ("bytes=-7", LARGE[-7:]),
            (f"bytes={len(LARGE) - 3}-{len(LARGE) + 100}", LARGE[-3:]),
        ],
        ids=["the first", "across parts", "the last", "past the end"],
    )
    def test_are_read_in_part(
        self, asked: str, expected: bytes, client: "S3Client", s3_bucket: str
    ) -> None:
        answer = client.get_object(Bucket=s3_bucket, Key="large", Range=asked)

        assert answer["Body"].read() == expected
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"].endswith(f"/{len(LARGE)}")

    def test_have_no_bytes_behind_their_end(self, client: "S3Client", s3_bucket: str) -> None:
        behind = f"bytes={len(LARGE)}-"

        assert code_of(lambda: read(client, s3_bucket, "large", Range=behind)) == (
            "InvalidRange",
            416,
        )

    def test_are_described_as_the_storage_does(
        self, client: "S3Client", s3_client: "S3Client", s3_bucket: str
    ) -> None:
        theirs = s3_client.head_object(Bucket=s3_bucket, Key="large")
        ours = client.head_object(Bucket=s3_bucket, Key="large")

        for field in ("ContentLength", "ETag", "LastModified", "AcceptRanges"):
            assert ours[field] == theirs[field]

    def test_are_given_on_conditions(self, client: "S3Client", s3_bucket: str) -> None:
        etag = client.head_object(Bucket=s3_bucket, Key="small")["ETag"]

        assert read(client, s3_bucket, "small", IfMatch=etag) == SMALL
        assert code_of(lambda: read(client, s3_bucket, "small", IfNoneMatch=etag))[1] == 304
        assert code_of(lambda: read(client, s3_bucket, "small", IfMatch='"x"')) == (
            "PreconditionFailed",
            412,
        )

    def test_that_are_not_there_are_missing(self, client: "S3Client", s3_bucket: str) -> None:
        assert code_of(lambda: read(client, s3_bucket, "nothing")) == ("NoSuchKey", 404)
        assert code_of(lambda: client.head_object(Bucket=s3_bucket, Key="nothing"))[1] == 404

    def test_are_found_under_the_buckets_own_host(self, relay: Relay, s3_bucket: str) -> None:
        host = f"{s3_bucket}.localhost:{relay.port}"

        assert asked_at(host, relay, "/small") == (200, SMALL)

    def test_come_for_a_presigned_address(
        self, client: "S3Client", relay: Relay, s3_bucket: str
    ) -> None:
        address = client.generate_presigned_url(
            "get_object", Params={"Bucket": s3_bucket, "Key": "folder/with space+é~"}
        )

        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - loopback
            assert answer.read() == SMALL

    def test_come_once_over_the_wire(
        self, client: "S3Client", s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        for _time in range(3):
            assert read(client, s3_bucket, "large") == LARGE

        assert fault_proxy.counts()[f"{s3_bucket}/large"].bytes_down == len(LARGE)

    def test_that_were_replaced_are_refused_and_then_read_anew(
        self, client: "S3Client", s3_client: "S3Client", s3_bucket: str
    ) -> None:
        client.head_object(Bucket=s3_bucket, Key="small")
        s3_client.put_object(Bucket=s3_bucket, Key="small", Body=b"other")

        assert code_of(lambda: read(client, s3_bucket, "small"))[1] == 500
        assert read(client, s3_bucket, "small") == b"other"


class TestListings:
    @pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
    @pytest.mark.parametrize(
        "asked", list(product(["", "folder/", "s"], ["", "/"], [1, 1000])), ids=str
    )
    def test_are_those_of_the_storage(
        self,
        operation: Any,
        asked: tuple[str, str, int],
        client: "S3Client",
        s3_client: "S3Client",
        s3_bucket: str,
    ) -> None:
        prefix, delimiter, page_size = asked

        def listed(by: "S3Client", page_size: int) -> list[tuple[Any, ...]]:
            found: list[tuple[Any, ...]] = []
            for each in by.get_paginator(operation).paginate(
                Bucket=s3_bucket,
                Prefix=prefix,
                Delimiter=delimiter,
                PaginationConfig={"PageSize": page_size},
            ):
                found += [
                    (one["Key"], one["Size"], one["ETag"]) for one in each.get("Contents", [])
                ]
                found += [(one["Prefix"],) for one in each.get("CommonPrefixes", [])]
            return sorted(found)

        # In short pages of the older version, the storage itself loses its place at a plus.
        assert listed(client, page_size) == listed(s3_client, 1000)

    def test_go_on_behind_a_thousand_names(
        self, client: "S3Client", s3_client: "S3Client", s3_bucket: str
    ) -> None:
        names = [f"many/{number:04}" for number in range(1001)]
        with ThreadPoolExecutor(8) as pool:
            for name in [*names, "many/folder/one", "many/later"]:
                pool.submit(s3_client.put_object, Bucket=s3_bucket, Key=name, Body=b"")

        pages = list(
            client.get_paginator("list_objects_v2").paginate(
                Bucket=s3_bucket, Prefix="many/", Delimiter="/"
            )
        )

        assert [one["Key"] for page in pages for one in page.get("Contents", [])] == [
            *names,
            "many/later",
        ]
        assert pages[-1]["CommonPrefixes"] == [{"Prefix": "many/folder/"}]

    def test_are_asked_for_once(
        self, client: "S3Client", s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        client.list_objects_v2(Bucket=s3_bucket, Prefix="folder/")
        asked = fault_proxy.total().requests

        client.list_objects_v2(Bucket=s3_bucket, Prefix="folder/")
        client.list_objects_v2(Bucket=s3_bucket, Prefix="folder/deeper/")
        client.head_object(Bucket=s3_bucket, Key="folder/deeper/one")

        assert fault_proxy.total().requests == asked

    def test_spare_questions_where_a_folder_is_taken_one_by_one(
        self, client: "S3Client", s3_client: "S3Client", s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        for name in [*range(20), "later"]:
            s3_client.put_object(Bucket=s3_bucket, Key=f"files/{name}", Body=SMALL)
        before = fault_proxy.total().requests

        for number in range(20):
            assert read(client, s3_bucket, f"files/{number}") == SMALL

        assert fault_proxy.total().requests - before <= 20 + 5
        wait_for_bytes(fault_proxy, s3_bucket, "files/later", len(SMALL))
        assert code_of(lambda: read(client, s3_bucket, "files/nothing"))[1] == 404


class TestTheBucket:
    def test_is_there(self, client: "S3Client", s3_bucket: str) -> None:
        client.head_bucket(Bucket=s3_bucket)

        assert client.get_bucket_location(Bucket=s3_bucket)["LocationConstraint"] is None
        assert [each["Name"] for each in client.list_buckets()["Buckets"]] == [s3_bucket]
        assert "Status" not in client.get_bucket_versioning(Bucket=s3_bucket)

    def test_is_the_only_one(self, client: "S3Client") -> None:
        assert code_of(lambda: client.head_bucket(Bucket="another"))[1] == 404
        assert code_of(lambda: read(client, "another", "key")) == ("NoSuchBucket", 404)

    def test_answers_nothing_but_reading_and_listing(
        self, client: "S3Client", s3_bucket: str
    ) -> None:
        assert code_of(lambda: client.get_bucket_acl(Bucket=s3_bucket)) == ("NotImplemented", 501)
        assert code_of(lambda: client.list_object_versions(Bucket=s3_bucket))[1] == 501

    def test_is_not_written_to(
        self, client: "S3Client", s3_client: "S3Client", s3_bucket: str
    ) -> None:
        before = s3_client.list_objects_v2(Bucket=s3_bucket)["KeyCount"]

        for act in (
            lambda: client.put_object(Bucket=s3_bucket, Key="new", Body=LARGE),
            lambda: client.delete_object(Bucket=s3_bucket, Key="small"),
            lambda: client.create_multipart_upload(Bucket=s3_bucket, Key="new"),
            lambda: client.delete_objects(Bucket=s3_bucket, Delete={"Objects": [{"Key": "small"}]}),
            lambda: client.copy_object(
                Bucket=s3_bucket, Key="new", CopySource=f"{s3_bucket}/small"
            ),
            lambda: client.delete_bucket(Bucket=s3_bucket),
        ):
            assert code_of(act) == ("MethodNotAllowed", 405)

        assert s3_client.list_objects_v2(Bucket=s3_bucket)["KeyCount"] == before


class TestKeys:
    def test_are_the_relays_own(self, relay: Relay, s3_server: Addresses, s3_bucket: str) -> None:
        with client_of(
            relay,
            aws_access_key_id=s3_server.s3_access_key,
            aws_secret_access_key=s3_server.s3_secret_key,
        ) as client:
            refused = code_of(lambda: read(client, s3_bucket, "small"))

        assert refused == ("InvalidAccessKeyId", 403)

    def test_have_to_be_right(self, relay: Relay, s3_bucket: str) -> None:
        with client_of(relay, aws_secret_access_key="guessed") as client:
            assert code_of(lambda: read(client, s3_bucket, "small")) == (
                "SignatureDoesNotMatch",
                403,
            )

    def test_are_asked_for(self, relay: Relay, s3_bucket: str) -> None:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{relay.endpoint}/{s3_bucket}/small", timeout=5)  # noqa: S310

        with refused.value as answer:
            assert answer.status == 403

    def test_are_readable_by_their_owner_alone(self, relay: Relay, tmp_path: Path) -> None:
        assert (tmp_path / "relay" / "keys.json").stat().st_mode & 0o077 == 0
        assert relay.credentials.secret_key not in repr(relay.credentials)


class TestTls:
    def test_is_trusted_by_its_own_authority_only(
        self, sources: Sources, stored: None, tmp_path: Path, s3_bucket: str
    ) -> None:
        with Relay(sources, tmp_path / "relay", tls=True) as relay:
            with client_of(relay) as client:
                assert read(client, s3_bucket, "large") == LARGE
            with client_of(relay, verify=None) as client, pytest.raises(SSLError):
                read(client, s3_bucket, "small")


@pytest.mark.faults
class TestTheStorageFails:
    @pytest.mark.parametrize(
        "faults",
        [
            Faults(reset_after_bytes=3 * MIB),
            Faults(error_share=0.4),
            Faults(stall_at_byte=1000, stall_share=0.3),
        ],
        ids=["resets", "refusals", "stalls"],
    )
    def test_and_one_long_answer_does_not(
        self, faults: Faults, client: "S3Client", s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = faults

        assert read(client, s3_bucket, "large") == LARGE

    def test_by_flipping_bits_and_the_manifest_tells(
        self, sources: Sources, client: "S3Client", s3_client: "S3Client", s3_bucket: str,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        key = "main/base/20261123T000000/data.tar"
        s3_client.put_object(Bucket=s3_bucket, Key=key, Body=LARGE)
        bucket = sources.channels[0].bucket
        manifest = manifest_key(bucket, "main", "20261123T000000")
        list(record_manifest(bucket, manifest, [bucket.head(key)]))
        fault_proxy.faults = Faults(flip_at_byte=MIB, flip_share=0.9, keys="*/data.tar")

        assert read(client, s3_bucket, key) == LARGE
        assert fault_proxy.total().flips

    def test_and_a_client_that_waits_hears_something(
        self, relay: Relay, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        with client_of(relay) as client:
            client.list_objects_v2(Bucket=s3_bucket)
            began = time.monotonic()
            fault_proxy.faults = Faults(down=True)
            # Longer than this client is patient, before the first byte and inside the body.
            with come_back_after(7, fault_proxy):
                answer = client.get_object(Bucket=s3_bucket, Key="large")
                body = answer["Body"].read(MIB)
            with come_back_after(7, fault_proxy):
                body += answer["Body"].read()

        assert body == LARGE
        assert time.monotonic() - began > 7

    def test_and_a_listing_is_waited_for(
        self, relay: Relay, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(down=True)
        with client_of(relay) as client, come_back_after(7, fault_proxy):
            found = client.list_objects_v2(Bucket=s3_bucket)

        assert found["KeyCount"] == 5

    def test_for_good_and_the_client_notices(
        self, sources: Sources, stored: None, tmp_path: Path, s3_bucket: str,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        manner = Manner(outage_seconds=3)
        with (
            Relay(sources, tmp_path / "relay", manner=manner) as relay,
            client_of(relay) as client,
        ):
            # The first part is here when the storage goes away, and no other.
            read(client, s3_bucket, "large", Range="bytes=0-99")
            wait_for_bytes(fault_proxy, s3_bucket, "large", PART_BYTES)
            fault_proxy.faults = Faults(down=True)
            answer = client.get_object(Bucket=s3_bucket, Key="large")

            with pytest.raises((BotoCoreError, HTTPError)):
                answer["Body"].read()

    def test_and_nothing_is_called_absent(
        self, client: "S3Client", s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(down=True)

        with pytest.raises((BotoCoreError, ClientError)) as refused:
            read(client, s3_bucket, SEGMENT)

        assert "NoSuchKey" not in str(refused.value)
