"""A cluster for each engine, protected by the real tool, and what was in it when."""

import os
import re
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from backups.engines import registry
from backups.engines.base import BackupRecord, Engine, Kind, Opening, Source
from backups.engines.postgres import Postgres, bin_dir_for, bundled_bin_dir
from backups.errors import ToolMissing
from backups.storage.s3 import Bucket, Credentials, Place
from config.embedded.addresses import Addresses
from tests.servers import s3_client_at
from tests.tls import tls_front

PASSWORD = "only-for-tests"
SERVER = "main"
TENANTS = ("acme", "borealis & co")
KNOWS_POSTGRESQL_17 = (2, 54)


@dataclass(slots=True)
class Life:
    """A cluster that an engine protects, and what was in it when."""

    engine: Engine
    opening: Opening
    cluster: Postgres
    source: Source
    full: BackupRecord
    rows: dict[str, int] = field(default_factory=dict)
    # A moment after more rows came, and these rows; the log has both and more.
    later_at: datetime | None = None
    later_rows: dict[str, int] = field(default_factory=dict)


class Lives:
    """A cluster for each engine, made when it is first asked for: that takes seconds."""

    def __init__(self, s3: Addresses, folder: Path, stack: ExitStack) -> None:
        self._s3 = s3
        self._folder = folder
        self._stack = stack
        self._made: dict[str, Life] = {}
        self._front = stack.enter_context(tls_front(s3.ports["s3"], folder))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("AWS_CA_BUNDLE", str(self._front.authority))

    def of(self, name: str) -> Life:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Life:
        folder = self._folder / name.lower()
        folder.mkdir()
        bucket = f"contract-{uuid.uuid4().hex[:12]}"
        s3_client_at(self._s3.s3_endpoint, self._s3).create_bucket(Bucket=bucket)
        place = Place(
            bucket=bucket,
            prefix="backups/of all",
            endpoint=self._front.endpoint if name == "PGBACKREST" else self._s3.s3_endpoint,
            region=self._s3.s3_region,
        )
        keys = Credentials(access_key=self._s3.s3_access_key, secret_key=self._s3.s3_secret_key)
        opening = opening_at(place, keys, folder / "scratch")
        self._stack.callback(opening.bucket.close)
        engine = registry.opened(name, opening)
        cluster = Postgres(bin_dir=programs_for(engine), data_dir=folder / "data", port=free_port())
        self._stack.callback(cluster.stop, mode="immediate")
        return lived(engine, opening, cluster, folder)


@pytest.fixture(scope="module")
def lives(s3_server: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    with ExitStack() as stack:
        yield Lives(s3_server, tmp_path_factory.mktemp("lives"), stack)


@pytest.fixture(params=sorted(registry.known_engines()))
def life(request: pytest.FixtureRequest, lives: Lives) -> Life:
    """Give one cluster to each engine, with a full backup, and rows that came after it."""
    return lives.of(request.param)


def opening_at(place: Place, keys: Credentials, scratch: Path) -> Opening:
    return Opening(
        bucket=Bucket(place, keys, silence_seconds=5),
        server=SERVER,
        programs={
            "BARMAN_BIN_DIR": str(settings.BARMAN_BIN_DIR),
            "PG_DUMP_BIN_DIR": "",
            "PGBACKREST_PROGRAM": settings.PGBACKREST_PROGRAM,
            "PGBACKREST_CONFIG": "",
        },
        scratch=scratch,
    )


def programs_for(engine: Engine) -> Path:
    """Return a PostgreSQL that the tool knows; without both, the engine's tests are skipped."""
    if engine.name != "PGBACKREST":
        return bundled_bin_dir()
    try:
        version = re.search(r"(\d+)\.(\d+)", engine.version())
    except ToolMissing:
        unavailable("there is no pgbackrest on this machine")
    assert version is not None
    if (int(version[1]), int(version[2])) >= KNOWS_POSTGRESQL_17:
        return bundled_bin_dir()
    if bin_dir_for(15) == bundled_bin_dir():
        unavailable("this pgbackrest is too old for PostgreSQL 17, and there is no 15")
    return bin_dir_for(15)


def unavailable(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{why}; .ci/find-pgbackrest installs it")
    pytest.skip(why)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def lived(engine: Engine, opening: Opening, cluster: Postgres, folder: Path) -> Life:
    cluster.create(password=PASSWORD)
    command = engine.archive_command()
    cluster.start(
        log=folder / "log",
        settings={
            "archive_mode": "on" if command else "off",
            "archive_command": command,
            "wal_level": "replica",
            "fsync": "off",
        },
        env=engine.archive_environment(),
    )
    source = Source(host="127.0.0.1", port=cluster.port, user="postgres", password=PASSWORD)
    (folder / "fast").mkdir(mode=0o700)
    run(cluster, f"create tablespace fast location '{folder / 'fast'}'")
    for tenant in TENANTS:
        run(cluster, f'create database "{tenant}"')
        run(cluster, "create table notes (id serial primary key, words text)", tenant)
        run(cluster, "create table plans (words text) tablespace fast", tenant)
        run(cluster, "insert into plans select 'a plan' from generate_series(1, 100)", tenant)
        add_rows(cluster, tenant)
    engine.prepare_archive(source)
    list(engine.take_backup(source, label="nightly", kind=Kind.FULL))
    (full,) = engine.catalogue()
    found = Life(engine, opening, cluster, source, full, rows=rows_of(cluster))
    if engine.capabilities.keeps_log:
        # Some engines know the end of a backup only to the second.
        while timezone.now() <= full.ended_at:
            time.sleep(0.05)
        for tenant in TENANTS:
            add_rows(cluster, tenant)
        found.later_at, found.later_rows = timezone.now(), rows_of(cluster)
        time.sleep(0.05)
        for tenant in TENANTS:
            add_rows(cluster, tenant)
        archive_log(cluster)
    return found


def connect(cluster: Postgres, database: str = "postgres") -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host="127.0.0.1", port=cluster.port, user="postgres", password=PASSWORD,
        dbname=database, autocommit=True, connect_timeout=5,
    )  # fmt: skip


def run(cluster: Postgres, statement: str, database: str = "postgres") -> None:
    with connect(cluster, database) as connection:
        connection.execute(statement)


def add_rows(cluster: Postgres, tenant: str) -> None:
    run(
        cluster,
        "insert into notes (words) select md5(n::text) from generate_series(1, 3000) n",
        tenant,
    )


def rows_of(cluster: Postgres) -> dict[str, int]:
    counts = {}
    for tenant in TENANTS:
        with connect(cluster, tenant) as connection:
            (counts[tenant],) = connection.execute("select count(*) from notes").fetchone() or (0,)
    return counts


def archive_log(cluster: Postgres) -> None:
    with connect(cluster) as connection:
        connection.execute("select pg_create_restore_point('the end')")
        row = connection.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
        assert row is not None
        for _try in range(300):
            done = connection.execute("select last_archived_wal from pg_stat_archiver").fetchone()
            if done is not None and (done[0] or "") >= row[0]:
                return
            time.sleep(0.1)
    raise AssertionError("the log was not archived within half a minute")
