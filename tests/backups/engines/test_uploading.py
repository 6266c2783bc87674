"""Large files reach the storage whole, through faults as well."""

import hashlib
import random
from collections.abc import Generator
from pathlib import Path

import pytest

from backups.engines.uploading import MIB, PART_BYTES, upload
from backups.storage.s3 import Bucket, Credentials, Place
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy


@pytest.fixture
def bucket(s3_server: Addresses, s3_bucket: str, fault_proxy: FaultProxy) -> Bucket:
    place = Place(bucket=s3_bucket, endpoint=fault_proxy.endpoint, region=s3_server.s3_region)
    keys = Credentials(access_key=s3_server.s3_access_key, secret_key=s3_server.s3_secret_key)
    return Bucket(place, keys, silence_seconds=2)


def file_of(path: Path, size: int) -> str:
    content = random.Random(size).randbytes(size)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, 2 * PART_BYTES + 5 * MIB + 1])
def test_stores_a_file_whole(bucket: Bucket, tmp_path: Path, size: int) -> None:
    digest = file_of(tmp_path / "file", size)

    steps = list(upload(bucket, {"a folder/file & co": tmp_path / "file"}))

    assert hashlib.sha256(bucket.read("a folder/file & co")).hexdigest() == digest
    assert steps[-1].done == steps[-1].total == size


def test_stores_many_at_once(bucket: Bucket, tmp_path: Path) -> None:
    files = {f"{number:02}": tmp_path / str(number) for number in range(30)}
    for number, path in enumerate(files.values()):
        file_of(path, number * 1000)

    list(upload(bucket, files))

    stored = {ref.key: ref.size for ref in bucket.list("")}
    assert stored == {key: path.stat().st_size for key, path in files.items()}


def test_closing_it_leaves_no_object(bucket: Bucket, tmp_path: Path) -> None:
    file_of(tmp_path / "file", 4 * PART_BYTES)
    steps = upload(bucket, {"file": tmp_path / "file"})

    next(steps)
    assert isinstance(steps, Generator)
    steps.close()

    assert list(bucket.list("")) == []
