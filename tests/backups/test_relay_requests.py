"""What the relay reads out of requests: signatures, ranges, conditions, pages of listings."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from backups.storage.relay.pages import Asked, cut
from backups.storage.relay.ranges import RangeInvalid, is_unmodified, span_of
from backups.storage.relay.refusals import S3Error
from backups.storage.relay.request import Request
from backups.storage.relay.signatures import check_signature
from backups.storage.s3 import Credentials, ObjectRef

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEYS = Credentials(access_key="RELAYKEY", secret_key="relay/secret+key")
HOST = "127.0.0.1:9999"
TARGET = "/backups/main/wals/a%20b%2Bc%C3%A9~d?list-type=2&prefix=a%2Fb%20c&x="


def signed(target: str = TARGET, *, secret: str = KEYS.secret_key, presigned: int = 0) -> Request:
    """Sign a request as botocore does, and read it as the relay does."""
    request: Any = AWSRequest(method="GET", url=f"http://{HOST}{target}", headers={"Host": HOST})
    given = BotoCredentials(KEYS.access_key, secret)
    if presigned:
        S3SigV4QueryAuth(given, "s3", "eu-central-1", expires=presigned).add_auth(request)
    else:
        S3SigV4Auth(given, "s3", "eu-central-1").add_auth(request)
    target = request.url.removeprefix(f"http://{HOST}")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request.parse("GET", target, headers, served="backups")


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - botocore signs with the machine's clock


class TestRequest:
    @pytest.mark.parametrize(
        ("host", "target"),
        [
            (HOST, "/backups/a/b%20c?x=1"),
            ("localhost:1", "/backups/a/b%20c"),
            ("backups.localhost:1", "/a/b%20c"),
            ("backups", "/backups/a/b%20c"),
            ("backups.s3.example.net", "/a/b%20c"),
            ("", f"http://{HOST}/backups/a/b%20c"),
        ],
    )
    def test_finds_bucket_and_key(self, host: str, target: str) -> None:
        request = Request.parse("GET", target, {"host": host}, served="backups")

        assert (request.bucket, request.key) == ("backups", "a/b c")

    def test_finds_another_bucket_in_the_host(self) -> None:
        request = Request.parse("GET", "/key", {"host": "other.localhost:80"}, served="backups")

        assert (request.bucket, request.key) == ("other", "key")

    def test_keeps_slashes_inside_of_keys(self) -> None:
        request = Request.parse("GET", "/backups//a//b/", {"host": HOST}, served="backups")

        assert request.key == "/a//b/"


class TestSignatures:
    def test_takes_what_botocore_signs(self) -> None:
        check_signature(signed(), KEYS, at=now())

    def test_takes_a_presigned_address(self) -> None:
        check_signature(signed(presigned=60), KEYS, at=now() + timedelta(seconds=30))

    @pytest.mark.parametrize("presigned", [0, 60], ids=["header", "presigned"])
    def test_refuses_another_secret(self, presigned: int) -> None:
        with pytest.raises(S3Error) as refused:
            check_signature(signed(secret="wrong", presigned=presigned), KEYS, at=now())

        assert (refused.value.code, refused.value.status) == ("SignatureDoesNotMatch", 403)

    def test_refuses_a_signature_for_another_object(self) -> None:
        good = signed()
        other = Request.parse("GET", "/backups/other", good.headers, served="backups")

        with pytest.raises(S3Error, match="does not match"):
            check_signature(other, KEYS, at=now())

    @pytest.mark.parametrize(
        ("request_", "at", "code"),
        [
            (signed(presigned=60), now() + timedelta(seconds=90), "AccessDenied"),
            (signed(), now() + timedelta(minutes=20), "RequestTimeTooSkewed"),
            (Request.parse("GET", "/b/k", {}, served="b"), now(), "AccessDenied"),
            (
                Request.parse("GET", "/b/k", {"authorization": "AWS nobody:x"}, served="b"),
                now(),
                "AuthorizationHeaderMalformed",
            ),
        ],
        ids=["expired", "skewed", "unsigned", "version 2"],
    )
    def test_refuses_in_the_words_of_s3(self, request_: Request, at: datetime, code: str) -> None:
        with pytest.raises(S3Error) as refused:
            check_signature(request_, KEYS, at=at)

        assert refused.value.code == code

    def test_refuses_a_stranger(self) -> None:
        with pytest.raises(S3Error) as refused:
            check_signature(signed(), Credentials(access_key="A", secret_key="B"), at=now())

        assert refused.value.code == "InvalidAccessKeyId"


class TestRanges:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("", (0, 100, False)),
            ("bytes=0-9", (0, 10, True)),
            ("bytes=90-", (90, 100, True)),
            ("bytes=90-500", (90, 100, True)),
            ("bytes=-10", (90, 100, True)),
            ("bytes=-500", (0, 100, True)),
            ("bytes=0-1,5-6", (0, 100, False)),
            ("bytes=9-5", (0, 100, False)),
            ("bytes=-", (0, 100, False)),
            ("lines=1-2", (0, 100, False)),
        ],
    )
    def test_are_read_as_http_says(self, header: str, expected: tuple[int, int, bool]) -> None:
        span = span_of(header, 100)

        assert (span.start, span.stop, span.partial) == expected

    @pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
    def test_without_a_byte_are_refused(self, header: str) -> None:
        with pytest.raises(RangeInvalid):
            span_of(header, 100)

    def test_of_an_empty_object_are_refused(self) -> None:
        with pytest.raises(RangeInvalid):
            span_of("bytes=0-", 0)


class TestConditions:
    REF = ObjectRef(key="k", size=1, etag="abc-2")

    @pytest.mark.parametrize("tag", ['"abc-2"', "abc-2", "*", '"x", "abc-2"'])
    def test_hold_for_the_same_object(self, tag: str) -> None:
        assert not is_unmodified({"if-match": tag}, self.REF)
        assert is_unmodified({"if-none-match": tag}, self.REF)

    def test_do_not_hold_for_another(self) -> None:
        assert not is_unmodified({"if-none-match": '"x"'}, self.REF)
        with pytest.raises(S3Error) as refused:
            is_unmodified({"if-match": '"x"'}, self.REF)
        assert refused.value.status == 412


NAMES = (
    "a b", "a.x", "a/1", "a/2/x", "a/2/y", "a/3", "b/c", "c+d", "wals/0/1", "wals/0/2", "wals/1/1",
    "z", "é/ü",
)  # fmt: skip


@pytest.fixture(scope="module")
def planted(s3_client: "S3Client") -> Iterator[str]:
    bucket = "relay-pages"
    s3_client.create_bucket(Bucket=bucket)
    for name in NAMES:
        s3_client.put_object(Bucket=bucket, Key=name, Body=b"x")
    yield bucket
    s3_client.delete_bucket(Bucket=bucket)


class TestPages:
    """The embedded server is the measure: the same objects, page by page, in either version."""

    @pytest.mark.parametrize("max_keys", [1, 2, 3, 1000])
    @pytest.mark.parametrize("delimiter", ["", "/"])
    @pytest.mark.parametrize("prefix", ["", "a", "a/", "a/2", "wals/", "wals/0", "nothing"])
    def test_hold_in_all_what_the_storage_lists(
        self, prefix: str, delimiter: str, max_keys: int, s3_client: "S3Client", planted: str
    ) -> None:
        pages = s3_client.get_paginator("list_objects_v2").paginate(
            Bucket=planted, Prefix=prefix, Delimiter=delimiter
        )
        expected = [
            name
            for page in pages
            for name in [
                *(each["Key"] for each in page.get("Contents", [])),
                *(each["Prefix"] for each in page.get("CommonPrefixes", [])),
            ]
        ]

        found = self._walk(prefix, delimiter, max_keys)

        assert sorted(found) == sorted(expected)
        assert found == sorted(found)

    def _walk(self, prefix: str, delimiter: str, max_keys: int) -> list[str]:
        refs = {name: ObjectRef(key=name, size=1, etag="x") for name in NAMES}
        found: list[str] = []
        query = {"list-type": "2", "prefix": prefix, "delimiter": delimiter}
        query["max-keys"] = str(max_keys)
        while True:
            page = cut(sorted(refs), refs, Asked.parse(query))
            names = sorted([*(ref.key for ref in page.objects), *page.prefixes])
            assert len(names) <= max_keys
            found += names
            if not page.is_truncated:
                return found
            query["continuation-token"] = page.next_token

    def test_begin_after_a_key(self) -> None:
        refs = {name: ObjectRef(key=name, size=1, etag="x") for name in "abc"}

        for query in ({"list-type": "2", "start-after": "a"}, {"marker": "a"}):
            page = cut("abc", refs, Asked.parse(query))
            assert [ref.key for ref in page.objects] == ["b", "c"]

    @pytest.mark.parametrize(
        "query",
        [
            {"max-keys": "many"},
            {"encoding-type": "base64"},
            {"list-type": "2", "continuation-token": "not ours"},
        ],
    )
    def test_are_refused_for_what_nobody_can_mean(self, query: dict[str, str]) -> None:
        with pytest.raises(S3Error) as refused:
            cut([], {}, Asked.parse(query))

        assert (refused.value.code, refused.value.status) == ("InvalidArgument", 400)
