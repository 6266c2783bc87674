"""Two small clusters: one that is open, up to a backup, and beside it one with all that came later.

Made once and for several tests, each of which finds them as they were.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.utils import timezone

from backups.engines.dumps import Server
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.engines.writes import state_of
from backups.models import JobState, RestoreJob, RestorePoint, Tenant
from backups.runner.lanes import bring_back
from backups.runner.recovered import RecoveredCluster
from backups.steps import Step
from tests.backups.factories import (
    BackupFactory,
    DatabaseFactory,
    RecoveryTargetFactory,
    RestoreJobFactory,
)
from tests.factories import HOUR, NOON
from tests.protected import PASSWORD, TENANTS, free_port

EARLIER, LATER = 100, 250


@dataclass(slots=True)
class Pair:
    """The cluster that is ``open``, and the ``recovered`` one; both let us in by password."""

    open: Server
    recovered: Server
    folder: Path

    def connect(self, name: str = "postgres", *, recovered: bool = False) -> Any:
        server = self.recovered if recovered else self.open
        return psycopg.connect(
            server.conninfo(name), password=server.password, options="", autocommit=True
        )

    def rows(self) -> dict[str, int]:
        """Count the notes of each tenant in the cluster that is open."""
        counts = {}
        for tenant in TENANTS:
            with self.connect(tenant) as inside:
                counts[tenant] = inside.execute("select count(*) from notes").fetchone()[0]
        return counts

    def databases(self) -> set[str]:
        with self.connect() as control:
            found = control.execute("select datname from pg_database where not datistemplate")
            return {name for (name,) in found} - {"postgres"}

    def states(self) -> dict[str, dict[str, Any]]:
        """Take down how each tenant's database is: nobody has been let in since."""
        found = {}
        for tenant in TENANTS:
            with self.connect(tenant) as inside:
                state = state_of(inside, {"public.notes": EARLIER})
            assert state is not None
            found[tenant] = state.as_json()
        return found

    def make(self) -> None:
        """Make the tenants' databases anew, in both."""
        for recovered, count in ((False, EARLIER), (True, LATER)):
            with self.connect(recovered=recovered) as control:
                names = control.execute("select datname from pg_database where oid >= 16384")
                for (name,) in names.fetchall():
                    control.execute(f'alter database "{name}" allow_connections true')
                    control.execute(f'drop database "{name}" with (force)')
                for tenant in TENANTS:
                    control.execute(f"create database {tenant}")
            for tenant in TENANTS:
                with self.connect(tenant, recovered=recovered) as inside:
                    inside.execute("create table notes (id bigserial primary key, words text)")
                    inside.execute(
                        "insert into notes (words) select 'x' from generate_series(1, %s)", (count,)
                    )


@contextmanager
def two_clusters(folder: Path) -> Iterator[Pair]:
    """Run them, and stop them at the end."""
    clusters = [
        Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / name, port=free_port())
        for name in ("open", "recovered")
    ]
    servers = []
    try:
        for cluster in clusters:
            cluster.create(password=PASSWORD)
            cluster.start(log=folder / f"{cluster.data_dir.name}.log", settings={"fsync": "off"})
            servers.append(
                Server(
                    host="127.0.0.1",
                    port=cluster.port,
                    user="postgres",
                    password=PASSWORD,
                    bin_dir=cluster.bin_dir,
                )
            )
        opened, recovered = servers
        yield Pair(opened, recovered, folder)
    finally:
        for cluster in clusters:
            cluster.stop(mode="immediate")


def rest_of(states: Mapping[str, Mapping[str, Any]], **fields: Any) -> RestoreJob:
    """Return a restore that is to bring tenants forward into one that is open since noon."""
    database = DatabaseFactory.create()
    for priority, name in enumerate(TENANTS):
        Tenant.objects.create(
            database=database, name=name, public_code=f"customer-{name}", priority=priority,
            registered_at=NOON,
        )  # fmt: skip
    first = RestoreJobFactory.create(
        database=database,
        point=RestorePoint.BACKUP,
        backup=BackupFactory.create(database=database),
        state=JobState.SUCCEEDED,
        data_until_at=NOON,
        evidence={f"customer-{name}": {"reopened_as": state} for name, state in states.items()},
    )
    found: RestoreJob = RestoreJobFactory.create(
        database=database,
        target=RecoveryTargetFactory.create(port=5998),
        brings_forward=first,
        data_until_at=NOON + HOUR,
        **fields,
    )
    return found


def bringing(job: RestoreJob, pair: Pair) -> Iterator[Step]:
    """Bring them back as a worker does."""
    source = RecoveredCluster(pair.recovered, pair.folder / "dumps", until=NOON + HOUR)
    return bring_back(
        job,
        source,
        pair.open,
        folder=pair.folder / "dumps",
        data_dir=pair.folder / "open",
        now=timezone.now,
    )
