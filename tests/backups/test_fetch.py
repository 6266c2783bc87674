"""Objects come whole through a way that fails, and nothing comes twice."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backups.errors import (
    CredentialsRefused,
    ObjectChanged,
    ObjectDamaged,
    ObjectMissing,
    StorageUnavailable,
)
from backups.storage.fetch import MIB, PART_BYTES, FetchItem, Manner, fetch
from backups.storage.journal import boot_id
from backups.storage.manifest import read_manifest, record_manifest
from backups.storage.s3 import Bucket, Credentials, ObjectRef, Place
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGE = bytes(range(256)) * (4096 * 40)  # 40 MiB
SMALL = b"small" * 1000


@pytest.fixture
def bucket(s3_bucket: str, s3_server: Addresses, fault_proxy: FaultProxy) -> Iterator[Bucket]:
    place = Place(bucket=s3_bucket, endpoint=fault_proxy.endpoint)
    keys = Credentials(access_key=s3_server.s3_access_key, secret_key=s3_server.s3_secret_key)
    found = Bucket(place, keys, silence_seconds=1)
    yield found
    found.close()


@pytest.fixture
def refs(bucket: Bucket, s3_client: "S3Client", s3_bucket: str) -> list[ObjectRef]:
    s3_client.put_object(Bucket=s3_bucket, Key="large", Body=LARGE)
    for number in range(10):
        s3_client.put_object(Bucket=s3_bucket, Key=f"small/{number}", Body=SMALL)
    return list(bucket.list(""))


def items(
    refs: list[ObjectRef], hashes: dict[str, tuple[str, ...]] | None = None
) -> list[FetchItem]:
    return [
        FetchItem(ref=ref, to=ref.key, part_hashes=(hashes or {}).get(ref.key, ())) for ref in refs
    ]


def assert_whole(stage: Path) -> None:
    assert (stage / "large").read_bytes() == LARGE
    for number in range(10):
        assert (stage / "small" / str(number)).read_bytes() == SMALL


class TestFetch:
    @pytest.mark.parametrize(
        "faults",
        [
            Faults(),
            Faults(reset_after_bytes=3 * MIB),
            Faults(error_share=0.4),
            Faults(stall_at_byte=1000, stall_share=0.3),
        ],
        ids=["clean", "resets", "refusals", "stalls"],
    )
    def test_brings_everything(
        self, faults: Faults, bucket: Bucket, refs: list[ObjectRef], fault_proxy: FaultProxy,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        fault_proxy.faults = faults
        *_, last = fetch(bucket, items(refs), tmp_path)

        assert_whole(tmp_path)
        assert last.done == last.total == len(LARGE) + 10 * len(SMALL)

    def test_goes_on_where_it_was_closed(
        self, bucket: Bucket, refs: list[ObjectRef], fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        fault_proxy.faults = Faults(bytes_per_second=20 * MIB)
        steps = fetch(bucket, items(refs), tmp_path)
        for step in steps:
            if step.done > 20 * MIB:
                break
        steps.close()  # type: ignore[attr-defined]
        assert not [t for t in threading.enumerate() if t.name.startswith("fetch")]
        fault_proxy.faults = Faults()

        first, *_ = list(fetch(bucket, items(refs), tmp_path))

        assert_whole(tmp_path)
        assert first.done > 16 * MIB
        assert fault_proxy.total().bytes_down < len(LARGE) + PART_BYTES

    def test_fetches_again_what_the_disk_lost(
        self, bucket: Bucket, refs: list[ObjectRef], fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        fault_proxy.faults = Faults(bytes_per_second=20 * MIB)
        steps = fetch(bucket, items(refs), tmp_path)
        for step in steps:
            if step.done > 12 * MIB:
                break
        steps.close()  # type: ignore[attr-defined]
        with (tmp_path / "large").open("r+b") as file:
            file.seek(100)
            file.write(b"torn")
        fault_proxy.faults = Faults()

        list(fetch(bucket, items(refs), tmp_path))

        assert_whole(tmp_path)

    def test_believes_no_finished_file_after_the_machine_was_started_anew(
        self, bucket: Bucket, refs: list[ObjectRef], tmp_path: Path
    ) -> None:
        list(fetch(bucket, items(refs), tmp_path))
        journal = tmp_path / "journal.jsonl"
        journal.write_text(journal.read_text().replace(boot_id(), "an earlier start"))
        # The size came to the disk before the crash, some of the bytes did not.
        (tmp_path / "large").write_bytes(bytes(len(LARGE)))

        list(fetch(bucket, items(refs), tmp_path))

        assert_whole(tmp_path)

    def test_fetches_a_damaged_part_again(
        self, bucket: Bucket, refs: list[ObjectRef], fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        list(record_manifest(bucket, "manifest.json", refs))
        hashes = {
            ref.key: tuple(read_manifest(bucket, "manifest.json").hashes_of(ref)) for ref in refs
        }
        fault_proxy.faults = Faults(flip_at_byte=MIB, flip_share=0.5, keys="*/large")

        list(fetch(bucket, items(refs, hashes), tmp_path, manner=Manner(tries_of_damaged=30)))

        assert_whole(tmp_path)

    def test_gives_up_on_an_object_that_stays_damaged_and_names_it(
        self, bucket: Bucket, refs: list[ObjectRef], fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        list(record_manifest(bucket, "manifest.json", refs))
        hashes = {
            ref.key: tuple(read_manifest(bucket, "manifest.json").hashes_of(ref)) for ref in refs
        }
        fault_proxy.faults = Faults(flip_at_byte=1000, keys="*/large")

        with pytest.raises(ObjectDamaged, match="large, bytes"):
            list(fetch(bucket, items(refs, hashes), tmp_path))

    def test_refuses_an_object_that_was_replaced(
        self, bucket: Bucket, refs: list[ObjectRef], s3_client: "S3Client", s3_bucket: str,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        s3_client.put_object(Bucket=s3_bucket, Key="small/3", Body=b"other" * 1000)

        with pytest.raises(ObjectChanged):
            list(fetch(bucket, items(refs), tmp_path))

    def test_names_an_object_that_is_gone(
        self, bucket: Bucket, refs: list[ObjectRef], s3_client: "S3Client", s3_bucket: str,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        s3_client.delete_object(Bucket=s3_bucket, Key="small/3")

        with pytest.raises(ObjectMissing, match="small/3"):
            list(fetch(bucket, items(refs), tmp_path))

    def test_says_at_once_that_the_keys_are_wrong(
        self, refs: list[ObjectRef], bucket: Bucket, tmp_path: Path
    ) -> None:
        stranger = Bucket(bucket.place, Credentials(access_key="nobody", secret_key="nothing"))

        with pytest.raises(CredentialsRefused):
            list(fetch(stranger, items(refs), tmp_path))

    def test_says_that_it_waits_and_gives_up_after_the_outage_that_is_allowed(
        self, bucket: Bucket, refs: list[ObjectRef], fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        fault_proxy.faults = Faults(down=True)
        manner = Manner(outage_seconds=3, waiting_after_seconds=1)
        said: set[str] = set()

        with pytest.raises(StorageUnavailable):
            said.update(s.waiting for s in fetch(bucket, items(refs), tmp_path, manner=manner))

        assert said == {"", "storage"}
