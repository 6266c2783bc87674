"""No client of a relay ends well with wrong bytes: by a manifest, or by what the whole must be."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from backups.storage.items import MIB, PART_BYTES
from backups.storage.manifest import manifest_key_of, record_manifest
from backups.storage.relay import Relay
from backups.storage.relay.cache import Cache
from backups.storage.sources import Sources
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.relays import client_of, read, sources_at

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = bytes(range(256)) * (4096 * 40)  # 40 MiB
DATA = "pg/sub/main/base/20261123T000000/data.tar"
MANIFEST = "pg/sub/highwater/manifests/main/20261123T000000.json"
LABEL = "20261123-000000F_20261124-000000D"


@pytest.fixture
def sources(s3_bucket: str, s3_server: Addresses, fault_proxy: FaultProxy) -> Iterator[Sources]:
    # Without a prefix, as whoever starts it by hand gives the bucket only.
    with sources_at(fault_proxy.endpoint, s3_bucket, s3_server) as found:
        yield found


@pytest.fixture
def relay(
    sources: Sources, s3_client: "S3Client", s3_bucket: str, tmp_path: Path
) -> Iterator[Relay]:
    s3_client.put_object(Bucket=s3_bucket, Key=DATA, Body=LARGE)
    with Relay(sources, tmp_path / "relay") as opened:
        yield opened


def record(sources: Sources, *keys: str, manifest: str = MANIFEST) -> None:
    bucket = sources.channels[0].bucket
    list(record_manifest(bucket, manifest, [bucket.head(key) for key in keys]))


def read_or_broken(client: "S3Client", bucket: str, key: str) -> bytes | None:
    """Read an object whole; nothing if the answer breaks off."""
    try:
        return read(client, bucket, key)
    except (BotoCoreError, ClientError, HTTPError):
        return None


@pytest.mark.parametrize(
    ("key", "manifest"),
    [
        (DATA, MANIFEST),
        ("main/base/20261123T000000/data.tar.gz", "highwater/manifests/main/20261123T000000.json"),
        (
            f"a/backup/main/{LABEL}/pg_data/base/5/1259.gz",
            f"a/highwater/manifests/main/{LABEL}.json",
        ),
        (
            "a/main/dumps/20261123T000000/blobs/1.dat",
            "a/highwater/manifests/main/20261123T000000.json",
        ),
        ("a/main/wals/0000000100000000/000000010000000000000002.gz", ""),
        ("a/backup/main/backup.info", ""),
        ("data.tar", ""),
    ],
)
def test_a_manifest_is_where_an_objects_own_key_says(key: str, manifest: str) -> None:
    assert manifest_key_of(key) == manifest


@pytest.mark.faults
class TestWithAManifest:
    def test_flips_are_healed_without_a_prefix(
        self, relay: Relay, sources: Sources, s3_bucket: str, fault_proxy: FaultProxy,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        record(sources, DATA)
        fault_proxy.faults = Faults(flip_at_byte=MIB, flip_share=0.9, keys="*/data.tar")

        with (
            caplog.at_level(logging.INFO, "backups.storage.relay.catalogue"),
            client_of(relay) as client,
        ):
            assert read(client, s3_bucket, DATA) == LARGE

        assert fault_proxy.total().flips
        assert f"{MANIFEST} proves 1 objects" in caplog.text

    def test_it_is_read_once_for_all_objects_of_a_backup(
        self, relay: Relay, sources: Sources, s3_client: "S3Client", s3_bucket: str,
        fault_proxy: FaultProxy,
    ) -> None:  # fmt: skip
        folder = f"pg/backup/main/{LABEL}/pg_data/base/5"
        keys = [f"{folder}/{number}.gz" for number in range(12)]
        for key in keys:
            s3_client.put_object(Bucket=s3_bucket, Key=key, Body=key.encode())
        manifest = f"pg/highwater/manifests/main/{LABEL}.json"
        record(sources, *keys, manifest=manifest)
        before = fault_proxy.counts()[f"{s3_bucket}/{manifest}"].requests

        with client_of(relay) as client, ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda key: read(client, s3_bucket, key), keys))

        assert found == [key.encode() for key in keys]
        assert fault_proxy.counts()[f"{s3_bucket}/{manifest}"].requests == before + 1
        assert relay.status().counters["proven_by_manifest"] == len(keys)


@pytest.mark.faults
class TestWithoutAManifest:
    @pytest.fixture
    def flips_once(self, fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        """Flip a bit in every answer until all of the object was looked at for the first time."""
        fault_proxy.faults = Faults(flip_at_byte=MIB, keys="*/data.tar")
        look = Cache._is_sound

        def look_and_mend(cache: Cache, job: Any) -> bool:
            fault_proxy.faults = Faults()
            return look(cache, job)

        monkeypatch.setattr(Cache, "_is_sound", look_and_mend)

    @pytest.mark.usefixtures("flips_once")
    def test_a_damaged_answer_breaks_off_and_the_next_is_right(
        self, relay: Relay, s3_bucket: str, fault_proxy: FaultProxy,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        with client_of(relay) as client:
            with pytest.raises((BotoCoreError, HTTPError)):
                read(client, s3_bucket, DATA)

            assert read(client, s3_bucket, DATA) == LARGE

        assert fault_proxy.total().flips
        assert f"no {MANIFEST}" in caplog.text
        assert f"{DATA}: no manifest proves it" in caplog.text
        assert f"what came of {DATA} is not what its ETag says" in caplog.text

    @pytest.mark.parametrize("every", [10 * MIB, 40 * MIB, 160 * MIB])
    def test_no_answer_ends_well_with_wrong_bytes(
        self, every: int, relay: Relay, s3_bucket: str, fault_proxy: FaultProxy
    ) -> None:
        fault_proxy.faults = Faults(flip_every_bytes=every, keys="*/data.tar")
        with client_of(relay) as client:
            found = [read_or_broken(client, s3_bucket, DATA) for _time in range(4)]

            assert {body for body in found if body is not None} <= {LARGE}
            fault_proxy.faults = Faults()
            # What is left of the bad bytes breaks one more answer at most.
            again = [read_or_broken(client, s3_bucket, DATA) for _time in range(2)]
        assert again[1] == LARGE

    @pytest.mark.usefixtures("flips_once")
    def test_a_client_in_stretches_does_not_end_well_either(
        self, relay: Relay, s3_bucket: str, tmp_path: Path
    ) -> None:
        in_stretches = TransferConfig(
            multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=10
        )
        with client_of(relay) as client:
            with pytest.raises((BotoCoreError, ClientError)):
                client.download_file(s3_bucket, DATA, str(tmp_path / "got"), Config=in_stretches)
            # Whole, it comes at once.
            assert read(client, s3_bucket, DATA) == LARGE

        assert not (tmp_path / "got").exists()

    def test_an_end_alone_does_not_bring_the_whole(
        self, relay: Relay, s3_bucket: str, fault_proxy: FaultProxy,
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        with client_of(relay) as client:
            assert read(client, s3_bucket, DATA, Range="bytes=-100") == LARGE[-100:]

        assert fault_proxy.counts()[f"{s3_bucket}/{DATA}"].bytes_down <= PART_BYTES
        assert f"{DATA}: nothing proves it" in caplog.text

    def test_a_storage_whose_etags_are_no_checksums_breaks_no_answer(
        self, relay: Relay, s3_client: "S3Client", s3_bucket: str,
        caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr("backups.storage.etags.agrees", lambda *_given: False)
        with client_of(relay) as client:
            assert read(client, s3_bucket, DATA) == LARGE

        assert f"{DATA}: nothing proves it: its ETag is no checksum" in caplog.text

    def test_what_was_stored_in_parts_is_proven_before_its_end_is_given_out(
        self, relay: Relay, s3_client: "S3Client", s3_bucket: str
    ) -> None:
        s3_client.upload_fileobj(
            io.BytesIO(LARGE),
            s3_bucket,
            "parts",
            Config=TransferConfig(multipart_chunksize=8 * MIB),
        )
        with client_of(relay) as client:
            assert read(client, s3_bucket, "parts") == LARGE
            counters = relay.status().counters

        assert counters.get("proven_by_checksum", 0) + counters.get("proven_by_etag", 0) == 1
