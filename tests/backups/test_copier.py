"""Copies of objects from bucket to bucket, over a real S3 server and through one that fails."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from backups.errors import CredentialsRefused, ObjectMissing, StorageUnavailable
from backups.storage import uploads
from backups.storage.answers import PassingTrouble
from backups.storage.copier import Account, Copier
from backups.storage.hashing import recorded_hash
from backups.storage.items import BLOCK_BYTES
from backups.storage.parts import Wanted, parts_like
from backups.storage.patience import Patience
from backups.storage.proofreader import Subject, Verdict, read_objects
from backups.storage.s3 import Bucket, Credentials, ObjectRef, Place
from backups.storage.values import MIB
from backups.storage.wire import Exchange
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BIG = 40 * MIB + 7


@dataclass(slots=True)
class Places:
    """Two buckets: the source through a proxy that may fail, and the destination likewise."""

    client: "S3Client"
    source: Bucket
    destination: Bucket

    def store(self, key: str, content: bytes) -> ObjectRef:
        self.client.put_object(Bucket=self.source.place.bucket, Key=key, Body=content)
        return self.source.head(key)

    def store_in_parts(self, key: str, content: bytes, part: int) -> ObjectRef:
        name = self.source.place.bucket
        begun = self.client.create_multipart_upload(Bucket=name, Key=key)
        named = {"Bucket": name, "Key": key, "UploadId": begun["UploadId"]}
        parts = []
        for number, start in enumerate(range(0, len(content), part), start=1):
            said = self.client.upload_part(
                **named,  # type: ignore[arg-type]
                PartNumber=number,
                Body=content[start : start + part],
            )
            parts.append({"PartNumber": number, "ETag": said["ETag"]})
        self.client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})  # type: ignore[arg-type,typeddict-item]
        return self.source.head(key)

    def held(self, key: str) -> bytes:
        said = self.client.get_object(Bucket=self.destination.place.bucket, Key=key)
        return said["Body"].read()

    def copy(self, *wanted: Wanted, patience: Patience | None = None) -> Account:
        copier = Copier(
            self.source,
            self.destination,
            patience=patience or Patience(outage_seconds=20),
            step_seconds=0.05,
        )
        *_steps, account = copier.copy(wanted)
        return account


@pytest.fixture
def places(
    s3_server: Addresses, s3_client: "S3Client", s3_bucket: str, fault_proxy: FaultProxy
) -> Iterator[Places]:
    other = f"{s3_bucket}-copy"
    s3_client.create_bucket(Bucket=other)
    keys = Credentials(access_key=s3_server.s3_access_key, secret_key=s3_server.s3_secret_key)

    def bucket(name: str) -> Bucket:
        place = Place(bucket=name, endpoint=fault_proxy.endpoint, region=s3_server.s3_region)
        return Bucket(place, keys, silence_seconds=2)

    with closing(bucket(s3_bucket)) as source, closing(bucket(other)) as destination:
        yield Places(s3_client, source, destination)
    s3_client.delete_bucket(Bucket=other)


def hashes(content: bytes) -> list[str]:
    return [
        recorded_hash(content[at : at + BLOCK_BYTES])
        for at in range(0, max(len(content), 1), BLOCK_BYTES)
    ]


def wanted(ref: ObjectRef, *part_hashes: str) -> Wanted:
    return Wanted(ref=ref, to=ref.key, part_hashes=part_hashes)


class Keyed(Bucket):
    """A bucket that encrypts with a key service's keys: its ETags say nothing of the bytes.

    They come reversed from here, and are turned round again where they are told to the storage.
    """

    def ask(
        self, exchange: Exchange, method: str, key: str, what: str, *, query: str = "",
        headers: Mapping[str, str] | None = None, body: bytes | bytearray = b"",
    ) -> None:  # fmt: skip
        turned = {name: turned_round(value) for name, value in (headers or {}).items()}
        if method == "POST" and body:
            body = turned_round(body.decode()).encode()
        super().ask(exchange, method, key, what, query=query, headers=turned, body=body)
        exchange.headers = {
            **exchange.headers,
            "etag": turned_round(exchange.headers.get("etag", "")),
            "x-amz-server-side-encryption": "aws:kms",
        }


class Forgetful(Bucket):
    """A bucket whose answer is lost when it has put an object together, and the upload with it."""

    has_forgotten = False

    def ask(
        self, exchange: Exchange, method: str, key: str, what: str, *, query: str = "",
        headers: Mapping[str, str] | None = None, body: bytes | bytearray = b"",
    ) -> None:  # fmt: skip
        is_last = method == "POST" and query.startswith("uploadId=")
        if is_last and self.has_forgotten:
            raise ObjectMissing("404 NoSuchUpload")
        super().ask(exchange, method, key, what, query=query, headers=headers, body=body)
        if is_last:
            self.has_forgotten = True
            exchange.read_all()
            raise PassingTrouble("reset", "the answer was lost")


def turned_round(text: str) -> str:
    return re.sub(r"[0-9a-f]{32}", lambda found: found[0][::-1], text)


def of_kind(kind: type[Bucket], bucket: Bucket) -> Bucket:
    return kind(bucket.place, bucket.credentials, silence_seconds=2)


class TestACopy:
    def test_holds_the_same_bytes_whatever_the_size_and_the_name(self, places: Places) -> None:
        contents = {
            "empty": b"",
            "a b+c/é.txt": b"hello",
            "exactly": os.urandom(16 * MIB),
            "big": os.urandom(BIG),
        }
        refs = [places.store(key, content) for key, content in contents.items()]

        account = places.copy(*(wanted(ref) for ref in refs))

        assert {key: places.held(key) for key in contents} == contents
        assert account.objects == len(contents)
        assert account.bytes == sum(map(len, contents.values()))
        assert account.left_out == {}

    def test_keeps_the_parts_of_the_source_and_so_its_etag(self, places: Places) -> None:
        content = os.urandom(BIG)
        ref = places.store_in_parts("big", content, 8 * MIB)

        places.copy(wanted(ref))

        assert places.held("big") == content
        assert places.destination.head("big").etag == ref.etag

    def test_says_of_what_it_is_a_copy(self, places: Places) -> None:
        ref = places.store("big", os.urandom(BIG))

        places.copy(wanted(ref))

        found = uploads.metadata_of(places.destination, "big")
        assert found["highwater-from-etag"] == ref.etag != found["etag"]

    def test_is_of_parts_that_s3_allows(self) -> None:
        ref = ObjectRef(key="k", size=5 * 1024**4, etag="0" * 32)

        assert ref.size / parts_like(ref, None, 0) <= 10_000
        small = ObjectRef(key="k", size=BIG, etag=f"{'0' * 32}-9")
        assert parts_like(small, 5 * MIB, 0) == 5 * MIB
        # Blocks of a manifest are not cut through.
        assert parts_like(small, 5 * MIB, 2 * MIB) == 16 * MIB
        # Nor is a storage believed that tells the length of the whole.
        assert parts_like(small, BIG, 0) == 16 * MIB


class TestWhatIsWrongInTheSource:
    def test_a_damaged_object_is_left_out_and_the_others_come(self, places: Places) -> None:
        content = bytearray(os.urandom(BIG))
        recorded = hashes(bytes(content))
        content[20 * MIB] ^= 1
        damaged, good = places.store("damaged", bytes(content)), places.store("good", b"good")

        account = places.copy(wanted(damaged, *recorded), wanted(good))

        assert account.left_out == {"damaged": "damaged"}
        assert [ref.key for ref in places.destination.list("")] == ["good"]

    def test_what_is_gone_or_other_by_now_is_left_out(self, places: Places) -> None:
        gone, other = places.store("gone", b"1"), places.store("other", b"2")
        places.client.delete_object(Bucket=places.source.place.bucket, Key="gone")
        places.store("other", b"something else")

        account = places.copy(wanted(gone), wanted(other))

        assert account.left_out == {"gone": "gone", "other": "changed"}


class TestEncryptionWithKeys:
    """There an ETag looks like a checksum, and is none."""

    CONTENTS = {"small": b"s" * 1000, "big": (bytes(range(251)) * (BIG // 251 + 1))[:BIG]}

    def test_of_the_source_is_no_damage(self, places: Places) -> None:
        for key, content in self.CONTENTS.items():
            places.store_in_parts(key, content, 8 * MIB)
        places.store("plain", b"x" * 1000)
        places.source = of_kind(Keyed, places.source)
        refs = [places.source.head(key) for key in ("small", "big", "plain")]

        with closing(places.source):
            account = places.copy(*(wanted(ref) for ref in refs))
            proofs = list(
                read_objects(places.source, [Subject(ref=ref) for ref in refs], patience=Patience())
            )

        assert account.left_out == {}
        assert {key: places.held(key) for key in self.CONTENTS} == self.CONTENTS
        assert {proof.verdict for proof in proofs} == {Verdict.UNRECORDED}

    def test_of_the_destination_is_read_back_instead(self, places: Places) -> None:
        refs = [places.store(key, content) for key, content in self.CONTENTS.items()]
        parts = places.store_in_parts("parts", self.CONTENTS["big"], 8 * MIB)
        places.destination = of_kind(Keyed, places.destination)

        with closing(places.destination):
            account = places.copy(*(wanted(ref) for ref in (*refs, parts)))

        assert account.left_out == {}
        assert {key: places.held(key) for key in self.CONTENTS} == self.CONTENTS
        assert places.held("parts") == self.CONTENTS["big"]


class TestReading:
    def test_of_one_that_is_not_as_long_as_recorded_keeps_no_other_from_it(
        self, places: Places
    ) -> None:
        longer, good = places.store("longer", bytes(3 * MIB)), places.store("good", b"good")
        subjects = [
            Subject(ref=longer, part_hashes=hashes(bytes(2 * MIB))),
            Subject(ref=good, part_hashes=hashes(b"good")),
        ]

        proofs = read_objects(places.source, subjects, patience=Patience())

        assert [proof.verdict for proof in proofs] == [Verdict.DAMAGED, Verdict.SOUND]


class TestAStorageThatFails:
    def test_and_flips_a_bit_of_a_small_object_in_parts_is_found_out(
        self, places: Places, fault_proxy: FaultProxy
    ) -> None:
        ref = places.store_in_parts("log", os.urandom(12 * MIB), 6 * MIB)
        usual = places.store_in_parts("usual", os.urandom(12 * MIB), 8 * MIB)
        fault_proxy.faults = Faults(flip_at_byte=5000)

        account = places.copy(wanted(ref), wanted(usual))

        fault_proxy.faults = Faults()
        assert account.left_out == {"log": "damaged", "usual": "damaged"}
        assert list(places.destination.list("")) == []

    def test_and_loses_the_answer_to_the_last_question_has_the_object(self, places: Places) -> None:
        content = os.urandom(BIG)
        ref = places.store("big", content)
        places.destination = of_kind(Forgetful, places.destination)

        with closing(places.destination):
            account = places.copy(wanted(ref))

        assert (account.left_out, account.objects) == ({}, 1)
        assert places.held("big") == content

    def test_costs_time_and_no_byte(self, places: Places, fault_proxy: FaultProxy) -> None:
        content = os.urandom(BIG)
        ref = places.store_in_parts("big", content, 5 * MIB)
        small = places.store("small", b"small")
        # Longer than any run of bad luck on a busy machine: it is not the limit that is tried here.
        patience = Patience(outage_seconds=600)
        fault_proxy.faults = Faults(
            error_share=0.2, reset_after_bytes=2 * MIB, reset_share=0.3, silent_share=0.03
        )

        places.copy(wanted(ref), wanted(small), patience=patience)

        fault_proxy.faults = Faults()
        assert places.held("big") == content
        assert places.held("small") == b"small"
        assert patience.counters["busy"] > 0

    def test_bits_that_flip_on_the_way_are_read_again(
        self, places: Places, fault_proxy: FaultProxy
    ) -> None:
        content = os.urandom(BIG)
        ref = places.store("big", content)
        fault_proxy.faults = Faults(flip_every_bytes=24 * MIB)

        patience = Patience(outage_seconds=20)
        account = places.copy(wanted(ref, *hashes(content)), patience=patience)

        fault_proxy.faults = Faults()
        assert account.left_out == {}
        assert places.held("big") == content

    def test_that_stays_away_ends_the_copy(self, places: Places, fault_proxy: FaultProxy) -> None:
        ref = places.store("small", b"small")
        fault_proxy.faults = Faults(down=True)

        with pytest.raises(StorageUnavailable):
            places.copy(wanted(ref), patience=Patience(outage_seconds=0.5))

    def test_that_refuses_the_keys_ends_it_at_once(self, places: Places) -> None:
        ref = places.store("small", b"small")
        wrong = Credentials(access_key="wrong", secret_key="wrong")
        places.destination = Bucket(places.destination.place, wrong)

        with pytest.raises(CredentialsRefused):
            places.copy(wanted(ref))


class TestACopyThatWasBrokenOff:
    def test_goes_on_with_the_parts_that_are_there(
        self, places: Places, fault_proxy: FaultProxy
    ) -> None:
        content = os.urandom(BIG)
        ref = places.store("big", content)
        begun = Copier(places.source, places.destination, patience=Patience(), lanes=1)
        steps = begun.copy([wanted(ref)])
        fault_proxy.faults = Faults(bytes_per_second=30 * MIB)
        while next(steps).bytes < 16 * MIB:
            pass
        steps.close()
        fault_proxy.faults = Faults()

        account = places.copy(wanted(ref))

        assert account.bytes_resumed >= 16 * MIB
        assert account.bytes == BIG
        assert places.held("big") == content
        assert uploads.uploads_of(places.destination, "big") == []

    def test_takes_no_parts_of_another_object_for_its_own(self, places: Places) -> None:
        content = os.urandom(BIG)
        ref = places.store("big", content)
        upload = uploads.begin(places.destination, "big", {})
        uploads.put_part(places.destination, "big", upload, 1, bytes(16 * MIB))

        first = places.copy(wanted(ref))
        assert first.left_out == {"big": "changed"}
        places.copy(wanted(ref))

        assert places.held("big") == content

    def test_begins_anew_where_parts_are_of_another_length(self, places: Places) -> None:
        content = os.urandom(BIG)
        ref = places.store("big", content)
        upload = uploads.begin(places.destination, "big", {})
        uploads.put_part(places.destination, "big", upload, 1, bytes(5 * MIB))

        account = places.copy(wanted(ref))

        assert account.bytes_resumed == 0
        assert places.held("big") == content
