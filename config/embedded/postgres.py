"""The embedded PostgreSQL: the application's own database, under var/postgres/."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from backups.engines.postgres import HOST, Postgres, PostgresFailed, bundled_bin_dir
from config.embedded.addresses import NAME, Addresses
from config.embedded.daemon import ServerFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """The cluster of the application, made at its first start."""

    var_dir: Path
    addresses: Addresses
    # A test's data may be lost with the machine.
    durable: bool = True

    name = "postgres"
    port_names = ("postgres",)

    @property
    def cluster(self) -> Postgres:
        return Postgres(
            bin_dir=bundled_bin_dir(),
            data_dir=self.var_dir / "postgres" / "data",
            port=self.addresses.ports["postgres"],
        )

    def is_running(self) -> bool:
        return self.cluster.is_running()

    def start(self) -> None:
        """Start the server with the application's database in it.

        :raises ServerFailed: with what PostgreSQL said
        """
        try:
            self._make_cluster()
            settings = {"shared_buffers": "64MB", "max_connections": "200"}
            if not self.durable:
                settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            self.cluster.start(log=self.var_dir / "log" / "postgres.log", settings=settings)
            self._make_database()
        except PostgresFailed as failure:
            raise ServerFailed(str(failure)) from failure

    def stop(self) -> None:
        try:
            self.cluster.stop(timeout_seconds=30)
        except PostgresFailed as failure:
            raise ServerFailed(str(failure)) from failure

    def _make_cluster(self) -> None:
        if self.cluster.data_dir.exists():
            return
        # Made aside: a start that is killed half-way leaves nothing that looks like a cluster.
        draft = Postgres(
            bin_dir=self.cluster.bin_dir,
            data_dir=self.cluster.data_dir.with_name("data.new"),
            port=self.cluster.port,
        )
        shutil.rmtree(draft.data_dir, ignore_errors=True)
        draft.create(superuser=NAME, password=self.addresses.postgres_password)
        draft.data_dir.rename(self.cluster.data_dir)

    def _make_database(self) -> None:
        made = self.cluster.data_dir.with_name("database-made")
        if made.exists():
            return
        where = ("--host", HOST, "--port", str(self.cluster.port), "--username", NAME)
        secret = {"PGPASSWORD": self.addresses.postgres_password}
        question = f"select 1 from pg_database where datname = '{NAME}'"  # noqa: S608 - our own name
        there = self.cluster.run(
            "psql", *where, "--dbname", "postgres", "-Atqc", question, env=secret
        )
        if not there.stdout.strip():
            self.cluster.run("createdb", *where, NAME, env=secret)
        made.touch()
