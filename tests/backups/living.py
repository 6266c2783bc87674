"""A small cluster that lives and archives, and a place to keep a standby of it."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from backups import operations, runner
from backups.engines.barman_cloud import BarmanCloud
from backups.engines.base import Source
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import Database, RecoveryTarget, Standby
from backups.storage.s3 import Bucket, Credentials, Place
from config.embedded.addresses import Addresses
from tests.protected import PASSWORD, SERVER, connect, free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TENANT = "acme"


@dataclass(slots=True)
class Living:
    """A cluster with one tenant, its archive, and its registered rows."""

    cluster: Postgres
    engine: BarmanCloud
    client: "S3Client"
    bucket: str
    database: Database
    target: RecoveryTarget

    def write(self, rows: int = 500) -> datetime:
        """Write rows and have them archived; return a moment after that."""
        with connect(self.cluster.port, TENANT) as connection:
            connection.execute(
                "insert into notes (words) select md5(random()::text) from generate_series(1, %s)",
                [rows],
            )
            row = connection.execute("select clock_timestamp()").fetchone()
        assert row is not None
        self.archive()
        moment: datetime = row[0]
        return moment

    def archive(self) -> None:
        """Have everything archived that was written so far."""
        with connect(self.cluster.port) as connection:
            connection.execute("select pg_create_restore_point('here')")
            last = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
            assert last is not None
            for _try in range(1200):
                done = connection.execute(
                    "select last_archived_wal from pg_stat_archiver"
                ).fetchone()
                if done is not None and done[0] is not None and done[0] >= last[0]:
                    return
                time.sleep(0.1)
        raise AssertionError("the log was not archived within two minutes")

    def start(self) -> None:
        self.cluster.start(
            log=Path(f"{self.cluster.data_dir}.log"),
            settings={
                "archive_mode": "on",
                "archive_command": self.engine.archive_command(),
                "wal_level": "replica",
                "fsync": "off",
            },
            env=self.engine.archive_environment(),
        )

    def turn(self) -> None:
        """Let it go on as another timeline, as after a failover."""
        self.cluster.stop(mode="fast")
        (self.cluster.data_dir / "standby.signal").touch(mode=0o600)
        self.start()
        with connect(self.cluster.port) as connection:
            connection.execute("select pg_promote()")

    def back_up(self, label: str) -> None:
        source = Source(
            host="127.0.0.1", port=self.cluster.port, user="postgres", password=PASSWORD
        )
        list(self.engine.take_backup(source, label=label))

    def sync(self) -> None:
        operations.sync_backups(database_id=self.database.pk, at=timezone.now())

    def segments(self) -> list[str]:
        """Name the objects of the archived log, in order."""
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"pg/{SERVER}/wals/")
        return sorted(each["Key"] for each in found.get("Contents", ()))

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    @property
    def postgres(self) -> Postgres:
        """The server at the recovery target."""
        return Postgres(
            bin_dir=bundled_bin_dir(),
            data_dir=Path(self.target.data_dir),
            port=self.target.port,
        )

    def keep(self) -> Standby:
        """Keep a standby, with its base restored already."""
        runner.probe_target(target_id=self.target.pk, at=timezone.now())
        standby = operations.keep_warm(
            database_id=self.database.pk,
            target_id=self.target.pk,
            at=timezone.now(),
            by_worker=False,
        )
        runner.run_restore(restore_id=standby.base_id, now=timezone.now)
        return standby


def digest_of(port: int) -> str:
    """Return what a tenant's rows come to, each of them."""
    with connect(port, TENANT) as connection:
        rows = connection.execute("select id, words from notes order by id").fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


@contextmanager
def living_cluster(
    folder: Path, *, endpoint: str, s3: Addresses, client: "S3Client", bucket: str
) -> Iterator[Living]:
    """Run a cluster with a backup, which goes on living; register it, and an empty target."""
    keys = Credentials(access_key=s3.s3_access_key, secret_key=s3.s3_secret_key)
    place = Place(bucket=bucket, prefix="pg", endpoint=s3.s3_endpoint, region=s3.s3_region)
    engine = BarmanCloud(
        bin_dir=Path(settings.BARMAN_BIN_DIR),
        bucket=Bucket(place, keys),
        credentials=keys,
        server=SERVER,
    )
    cluster = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "source", port=free_port())
    cluster.create(password=PASSWORD)
    living = _registered(folder, cluster, engine, client, bucket, endpoint=endpoint, keys=keys)
    living.start()
    try:
        with connect(cluster.port) as connection:
            connection.execute(f"create database {TENANT}")
        with connect(cluster.port, TENANT) as connection:
            connection.execute("create table notes (id bigserial primary key, words text)")
        living.back_up("nightly")
        living.archive()
        living.sync()
        yield living
    finally:
        living.postgres.stop(mode="immediate")
        cluster.stop(mode="immediate")


def _registered(
    folder: Path,
    cluster: Postgres,
    engine: BarmanCloud,
    client: "S3Client",
    bucket: str,
    *,
    endpoint: str,
    keys: Credentials,
) -> Living:
    at, path = timezone.now(), folder / "keys.json"
    path.write_text(
        json.dumps(
            {
                "access_key": keys.access_key,
                "secret_key": keys.secret_key,
                "password": PASSWORD,
            }
        )
    )
    storage = operations.register_storage_location(
        name="storage",
        bucket=bucket,
        prefix="pg",
        endpoint=endpoint,
        credentials_reference=f"file:{path}",
        at=at,
    )
    database = operations.register_database(
        name="shop",
        host="127.0.0.1",
        port=cluster.port,
        storage_id=storage.pk,
        archive_name=SERVER,
        password_reference=f"file:{path}",
        tenants=[(TENANT, "customer-acme")],
        at=at,
    )
    target = operations.register_recovery_target(
        name="beside",
        port=free_port(),
        data_dir=str(folder / "restored"),
        work_dir=str(folder / "work"),
        at=at,
    )
    return Living(cluster, engine, client, bucket, database, target)
