"""The cluster that the story loses: a dozen customers in it, archived as it should be."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any

import psycopg

from backups.engines.base import Engine
from backups.engines.postgres import Postgres

TENANTS = {
    "atelier_noord": "Atelier Noord",
    "blauwe_haven": "Blauwe Haven",
    "casa_lumiere": "Casa Lumière",
    "deichblick": "Deichblick",
    "elbe_rooms": "Elbe Rooms",
    "finca_sol": "Finca Sol",
    "grachtenhuis": "Grachtenhuis",
    "hofgarten": "Hofgarten",
    "isar_living": "Isar Living",
    "jardin_secret": "Jardin Secret",
    "kustlijn": "Kustlijn",
    "lindenhof": "Lindenhof",
}
# Panoramas a customer begins with, and how large one is: about 25 MB a customer.
PANORAMAS = 50
PANORAMA_HASHES = 16_000
TOURS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The cluster in production, and its customers' rows."""

    postgres: Postgres
    password: str
    log: Path

    def begin(self, engine: Engine) -> None:
        """Make the cluster, archive its log from the first segment on, and let customers in."""
        self.postgres.create(password=self.password)
        self.postgres.start(
            log=self.log,
            settings={
                "archive_mode": "on",
                "archive_command": engine.archive_command(),
                "wal_level": "replica",
                "max_connections": "60",
            },
            env=engine.archive_environment(),
        )
        for tenant in TENANTS:
            with self._connected() as connection:
                connection.execute(f'CREATE DATABASE "{tenant}"')
            with self._connected(tenant) as connection:
                _fill(connection)

    def live_on(self) -> None:
        """Let every customer work for a while: rows that only the log holds, not the backup."""
        for tenant in TENANTS:
            with self._connected(tenant) as connection:
                connection.execute(
                    "INSERT INTO tours (title) SELECT 'Tour ' || n FROM generate_series(1, 250) n"
                )
                connection.execute(
                    "INSERT INTO panoramas (picture) SELECT string_agg(md5(random()::text), '') "
                    "FROM generate_series(1, 4) p, generate_series(1, %s) n GROUP BY p",
                    [PANORAMA_HASHES],
                )

    def damage(self) -> None:
        """Let a maintenance script go wrong: it deletes tours, and the log records that too."""
        for tenant in TENANTS:
            with self._connected(tenant) as connection:
                connection.execute("DELETE FROM tours WHERE id % 3 = 0")
        self._archive_all()

    def destroy(self) -> None:
        """Lose the cluster: its processes and its directory."""
        self.postgres.stop(mode="immediate")
        rmtree(self.postgres.data_dir)

    def now(self) -> datetime:
        """Return the cluster's own time: commits are dated by it."""
        with self._connected() as connection:
            row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment

    def rows(self) -> dict[str, tuple[int, int]]:
        """Count each customer's tours and panoramas."""
        return {tenant: self._count(tenant) for tenant in TENANTS}

    def _count(self, tenant: str) -> tuple[int, int]:
        with self._connected(tenant) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM tours), (SELECT count(*) FROM panoramas)"
            ).fetchone()
        assert row is not None
        return row[0], row[1]

    def _archive_all(self) -> None:
        with self._connected() as connection:
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            assert row is not None
            for _tenth in range(600):
                archived = connection.execute(
                    "SELECT last_archived_wal >= %s FROM pg_stat_archiver", row
                ).fetchone()
                if archived is not None and archived[0]:
                    return
                time.sleep(0.1)
        raise RuntimeError("The log was not archived within a minute.")

    @contextmanager
    def _connected(self, database: str = "postgres") -> Iterator["psycopg.Connection[Any]"]:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.postgres.port,
            user="postgres",
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            yield connection


def _fill(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("CREATE TABLE tours (id serial PRIMARY KEY, title text NOT NULL)")
    connection.execute("CREATE TABLE panoramas (id serial PRIMARY KEY, picture text NOT NULL)")
    # Pictures do not compress.
    connection.execute("ALTER TABLE panoramas ALTER picture SET STORAGE EXTERNAL")
    connection.execute(
        "INSERT INTO tours (title) SELECT 'Tour ' || n FROM generate_series(1, %s) n", [TOURS]
    )
    connection.execute(
        "INSERT INTO panoramas (picture) SELECT string_agg(md5(random()::text), '') "
        "FROM generate_series(1, %s) p, generate_series(1, %s) n GROUP BY p",
        [PANORAMAS, PANORAMA_HASHES],
    )
