"""An archive in a bucket, of objects such as barman makes them, and a second place for it."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from backups.models import Backup, Database, StorageLocation
from backups.runner.tools import place_of
from backups.storage.manifest import manifest_key, record_manifest
from backups.storage.s3 import Bucket, Credentials
from backups.storage.values import MIB
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from tests.backups.factories import BackupFactory, DatabaseFactory, StorageLocationFactory
from tests.factories import HOUR, NOON

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BACKUP = "20261122T100000"
SEGMENTS = 4


@dataclass(slots=True)
class Archive:
    """One database's archive under ``pg/main`` of a bucket, and an empty second place."""

    client: "S3Client"
    credentials: Credentials
    database: Database
    backup: Backup
    first: StorageLocation
    second: StorageLocation
    contents: dict[str, bytes] = field(default_factory=dict)

    def key(self, name: str) -> str:
        return f"pg/{name}"

    def store(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.first.bucket, Key=self.key(name), Body=content)
        self.contents[name] = content

    def remove(self, name: str) -> None:
        self.client.delete_object(Bucket=self.first.bucket, Key=self.key(name))
        self.contents.pop(name, None)

    def flip(self, name: str, at: int, *, location: StorageLocation | None = None) -> None:
        """Change one bit of an object in its place, as nobody should."""
        place = location or self.first
        key = f"{place.prefix}/{name}"
        content = bytearray(self.client.get_object(Bucket=place.bucket, Key=key)["Body"].read())
        content[at] ^= 1
        self.client.put_object(Bucket=place.bucket, Key=key, Body=bytes(content))

    def held(self, location: StorageLocation) -> dict[str, bytes]:
        """Return what a place holds, by names without its prefix."""
        with closing(Bucket(place_of(location), self.credentials)) as bucket:
            return {
                ref.key.removeprefix(location.prefix).lstrip("/"): bucket.read(ref.key)
                for ref in bucket.list("")
            }


@pytest.fixture
def archive(
    s3_server: Addresses,
    s3_client: "S3Client",
    s3_bucket: str,
    fault_proxy: FaultProxy,
    tmp_path: Path,
) -> Iterator[Archive]:
    """Give an archive of one backup with its manifest and some log."""
    other = f"{s3_bucket}-second"
    s3_client.create_bucket(Bucket=other)
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps({"access_key": s3_server.s3_access_key, "secret_key": s3_server.s3_secret_key})
    )

    def location(name: str, bucket: str, prefix: str) -> StorageLocation:
        made: StorageLocation = StorageLocationFactory.create(
            name=name, endpoint=fault_proxy.endpoint, region=s3_server.s3_region,
            bucket=bucket, prefix=prefix, credentials_reference=f"file:{keys}",
        )  # fmt: skip
        return made

    first, second = location("cellar", s3_bucket, "pg"), location("attic", other, "far/away")
    database = DatabaseFactory.create(storage=first, name="orders")
    backup = BackupFactory.create(
        database=database, engine_id=BACKUP, has_manifest=True,
        begin_wal="000000010000000000000001", ended_at=NOON - HOUR,
    )  # fmt: skip
    credentials = Credentials(
        access_key=s3_server.s3_access_key, secret_key=s3_server.s3_secret_key
    )
    made = Archive(s3_client, credentials, database, backup, first, second)
    made.store(f"main/base/{BACKUP}/data.tar", os.urandom(20 * MIB + 11))
    made.store(f"main/base/{BACKUP}/16384.tar", os.urandom(MIB + 3))
    made.store(f"main/base/{BACKUP}/backup.info", b"status=DONE")
    for number in range(1, SEGMENTS + 1):
        made.store(segment(number), os.urandom(50_000))
    with closing(Bucket(place_of(first), credentials)) as bucket:
        refs = [
            bucket.head(made.key(f"main/base/{BACKUP}/{name}.tar")) for name in ("data", "16384")
        ]
        manifest = manifest_key(bucket, "main", BACKUP)
        list(record_manifest(bucket, manifest, refs))
        made.contents[manifest.removeprefix("pg/")] = bucket.read(manifest)
    yield made
    s3_client.delete_bucket(Bucket=other)


def segment(number: int) -> str:
    return f"main/wals/0000000100000000/{1:08X}{0:08X}{number:08X}"
