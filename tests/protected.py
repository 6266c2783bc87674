"""A real cluster with customers in it, its backup and log, and what was in it when."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from backups import operations
from backups.engines.barman_cloud import BarmanCloud
from backups.engines.base import BackupRecord, Source
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.models import Database, RecoveryTarget, RestoreJob
from backups.storage.manifest import manifest_key, record_manifest
from backups.storage.s3 import Bucket, Credentials, Place
from config.embedded.addresses import Addresses
from tests.servers import s3_client_at

TENANTS = ("acme", "borealis", "cumulus")
PASSWORD = "only-for-tests"
SERVER = "main"


@dataclass(slots=True)
class Protected:
    """A cluster that was, and its archive. ``moments`` are times with the rows that were there."""

    place: Place
    credentials: Credentials
    cluster: Postgres
    backup: BackupRecord
    # When, and then the rows of each tenant's notes.
    moments: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)

    def bucket(self, endpoint: str = "") -> Bucket:
        place = Place(
            bucket=self.place.bucket,
            prefix=self.place.prefix,
            endpoint=endpoint or self.place.endpoint,
            region=self.place.region,
        )
        return Bucket(place, self.credentials, silence_seconds=5)

    def engine(self, bin_dir: Path, endpoint: str = "") -> BarmanCloud:
        return BarmanCloud(
            bin_dir=bin_dir,
            bucket=self.bucket(endpoint),
            credentials=self.credentials,
            server=SERVER,
        )

    def keys_file(self, folder: Path) -> str:
        """Write the keys down, and return the reference by which a row names them."""
        path = folder / "keys.json"
        path.write_text(
            json.dumps(
                {
                    "access_key": self.credentials.access_key,
                    "secret_key": self.credentials.secret_key,
                    "password": PASSWORD,
                }
            )
        )
        return f"file:{path}"


@pytest.fixture(scope="session")
def barman() -> Path:
    """Return where the barman-cloud programs are."""
    return Path(settings.BARMAN_BIN_DIR)


@pytest.fixture(scope="session")
def protected(
    s3_server: Addresses, barman: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Protected]:
    """Give a cluster that is lost, and the archive that is left of it. Made once: it is slow."""
    place = Place(
        bucket="planted-bucket-name",
        prefix="planted-prefix",
        endpoint=s3_server.s3_endpoint,
        region=s3_server.s3_region,
    )
    s3_client_at(s3_server.s3_endpoint, s3_server).create_bucket(Bucket=place.bucket)
    credentials = Credentials(
        access_key=s3_server.s3_access_key, secret_key=s3_server.s3_secret_key
    )
    folder = tmp_path_factory.mktemp("protected")
    with protected_cluster(
        folder, place=place, credentials=credentials, barman=barman, port=free_port()
    ) as found:
        yield found


@dataclass(slots=True)
class Rooms:
    """Registered rows for one test: the lost database, and an empty place to restore it to."""

    database: Database
    target: RecoveryTarget
    postgres: Postgres

    def request(self, **wishes: Any) -> RestoreJob:
        return operations.request_restore(
            database_id=self.database.pk,
            recovery_target_id=self.target.pk,
            by_worker=False,
            at=timezone.now(),
            **wishes,
        )


@contextmanager
def rooms_for(protected: Protected, folder: Path, *, endpoint: str) -> Iterator[Rooms]:
    """Register what a restore needs, reaching the storage through ``endpoint``."""
    at = timezone.now()
    storage = operations.register_storage_location(
        name="storage",
        bucket=protected.place.bucket,
        prefix=protected.place.prefix,
        endpoint=endpoint,
        credentials_reference=protected.keys_file(folder),
        at=at,
    )
    database = operations.register_database(
        name="planted-database-name",
        host="127.0.0.1",
        port=protected.cluster.port,
        storage_id=storage.pk,
        archive_name=SERVER,
        password_reference=storage.credentials_reference,
        tenants=[(tenant, f"customer-{tenant}") for tenant in TENANTS],
        at=at,
    )
    target = operations.register_recovery_target(
        name="target",
        port=free_port(),
        data_dir=str(folder / "restored"),
        work_dir=str(folder / "work"),
        at=at,
    )
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=Path(target.data_dir), port=target.port)
    yield Rooms(database, target, postgres)
    postgres.stop(mode="immediate")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connect(port: int, database: str = "postgres") -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host="127.0.0.1",
        port=port,
        user="postgres",
        password=PASSWORD,
        dbname=database,
        autocommit=True,
        connect_timeout=5,
    )


def rows_of(port: int) -> dict[str, int]:
    """Count each tenant's notes."""
    counts = {}
    for tenant in TENANTS:
        with connect(port, tenant) as connection:
            counts[tenant] = connection.execute("select count(*) from notes").fetchone()[0]  # type: ignore[index]
    return counts


@contextmanager
def protected_cluster(
    folder: Path, *, place: Place, credentials: Credentials, barman: Path, port: int
) -> Iterator[Protected]:
    """Run a cluster through a life: customers, a backup, changes at three moments; its end."""
    cluster = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "source", port=port)
    bucket = Bucket(place, credentials)
    engine = BarmanCloud(bin_dir=barman, bucket=bucket, credentials=credentials, server=SERVER)
    cluster.create(password=PASSWORD)
    cluster.start(
        log=folder / "source.log",
        settings={
            "archive_mode": "on",
            "archive_command": engine.archive_command(),
            "wal_level": "replica",
            "fsync": "off",
            "max_connections": "130",  # More than the default: recovery has to be told.
        },
        env=engine.archive_environment(),
    )
    try:
        _fill(port)
        source = Source(host="127.0.0.1", port=port, user="postgres", password=PASSWORD)
        list(engine.take_backup(source, label="nightly"))
        (backup,) = engine.catalogue()
        key = manifest_key(bucket, SERVER, backup.backup_id)
        list(record_manifest(bucket, key, engine.objects_of(backup.backup_id)))
        protected = Protected(place, credentials, cluster, backup)
        for _moment in range(3):
            _change(port)
            protected.moments.append((timezone.now(), rows_of(port)))
            time.sleep(0.05)
        _archive_everything(port)
    finally:
        # The cluster is lost.
        cluster.stop(mode="immediate")
    yield protected
    bucket.close()


def _fill(port: int) -> None:
    for tenant in TENANTS:
        with connect(port) as connection:
            connection.execute(f"create database {tenant}")
        with connect(port, tenant) as connection:
            connection.execute("create table notes (id bigserial primary key, words text)")
            connection.execute("create table blobs (id int, words text)")
            connection.execute("alter table blobs alter words set storage external")
            connection.execute(
                "insert into blobs select n, string_agg(md5(random()::text), '') "
                "from generate_series(1, 8) n, generate_series(1, 30000) group by n"
            )


def _change(port: int) -> None:
    for tenant in TENANTS:
        with connect(port, tenant) as connection:
            for _batch in range(3):
                connection.execute(
                    "insert into notes (words) "
                    "select md5(random()::text) from generate_series(1, 1000)"
                )
            connection.execute("update blobs set words = words || 'x' where id < 4")
    with connect(port) as connection:
        connection.execute("select pg_switch_wal()")


def _archive_everything(port: int) -> None:
    with connect(port) as connection:
        # Without a record in it, the segment would not be switched.
        connection.execute("select pg_create_restore_point('the end')")
        last = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
        assert last is not None
        for _try in range(300):
            archived = connection.execute(
                "select last_archived_wal from pg_stat_archiver"
            ).fetchone()
            if archived is not None and archived[0] is not None and archived[0] >= last[0]:
                return
            time.sleep(0.1)
    raise AssertionError("the log was not archived within half a minute")
