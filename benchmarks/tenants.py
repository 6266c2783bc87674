"""Fifty tenants brought back one after the other, and several at once; ten thousand in the queue.

Two clusters: the recovered one holds fifty databases of 39 MiB, the open one is empty. Each tenant
is dumped, restored beside, compared by the rows of every table, and put in its place: once with one
lane, once with as many as there are processors, and once more each, alternating; the best of each
counts. Target: with two processors at least 1.6 times as quick. Beside it, what the machine gives
at all: the same databases by pg_dump and pg_restore alone, without a look at what came back.

The queue is measured without restoring: how long it takes to choose the next of ten thousand and to
write down what came of it, in how many queries, and what telling all of them costs.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from config.embedded.testing import start_for_tests

start_for_tests()
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402
from psycopg import sql  # noqa: E402

from backups import operations  # noqa: E402
from backups.engines.dumps import Server, counts_of  # noqa: E402
from backups.engines.postgres import Postgres, bundled_bin_dir  # noqa: E402
from backups.estimate import Remaining  # noqa: E402
from backups.models import (  # noqa: E402
    Database,
    RestoreJob,
    TenantRestore,
    TenantRestoreState,
)
from backups.models.tenants import TenantRestoreQuerySet  # noqa: E402
from backups.runner.lanes import bring_back  # noqa: E402
from backups.runner.recovered import RecoveredCluster  # noqa: E402
from backups.runner.turns import Turns  # noqa: E402
from config.embedded.addresses import free_port  # noqa: E402

TENANTS = 50
MANY = 10_000
CHOSEN = 1_000
ROUNDS = 2
PASSWORD = "only-for-the-benchmark"  # noqa: S105 - of clusters that live for minutes


def main() -> None:
    call_command("migrate", interactive=False, verbosity=0)
    _many(_registered("many", MANY))
    folder = Path(tempfile.mkdtemp(prefix="highwater-bench-"))
    clusters = [
        Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / name, port=free_port())
        for name in ("recovered", "open")
    ]
    try:
        recovered, opened = (_running(cluster) for cluster in clusters)
        _fill(recovered)
        _compare(_registered("few", TENANTS), recovered, opened, folder / "dumps")
    finally:
        for cluster in clusters:
            cluster.stop(mode="immediate")
        shutil.rmtree(folder)


def _registered(name: str, count: int) -> Database:
    at = timezone.now()
    storage = operations.register_storage_location(
        name=name, bucket=name, credentials_reference="env:BENCH", at=at
    )
    return operations.register_database(
        name=name,
        host="127.0.0.1",
        port=5432,
        storage_id=storage.pk,
        archive_name=name,
        password_reference="env:BENCH",  # noqa: S106 - the name of one
        tenants=[(f"t{number}", f"{name}-{number}") for number in range(count)],
        at=at,
    )


def _job(database: Database, *, lanes: int | None = None) -> RestoreJob:
    at = timezone.now()
    number = RestoreJob.objects.count()
    target = operations.register_recovery_target(
        name=f"target {number}",
        port=free_port(),
        data_dir=f"/nowhere/data-{number}",
        work_dir=f"/nowhere/work-{number}",
        at=at,
    )
    return RestoreJob.objects.create(
        database=database, target=target, lanes=lanes, requested_at=at, queued_at=at
    )


def _running(cluster: Postgres) -> Server:
    cluster.create(password=PASSWORD)
    cluster.start(log=cluster.data_dir.with_suffix(".log"), settings={"shared_buffers": "512MB"})
    return Server(
        host="127.0.0.1",
        port=cluster.port,
        user="postgres",
        password=PASSWORD,
        bin_dir=cluster.bin_dir,
    )


def _fill(server: Server) -> None:
    """Make the first tenant's database, of 39 MiB, and copy it for the others."""
    with server.connect() as control:
        control.execute("create database t0")
    with server.connect("t0") as inside:
        inside.execute(
            "create table accounts as select n as id, n % 100 as branch, "
            "rpad(md5(n::text), 84) as filler from generate_series(1, 200000) n"
        )
        inside.execute("alter table accounts add primary key (id)")
        inside.execute("create table branches as select n as id from generate_series(1, 100) n")
        size = inside.execute("select pg_database_size('t0')").fetchone()
        inside.execute("vacuum analyze")
    with server.connect() as control:
        for number in range(1, TENANTS):
            control.execute(
                sql.SQL("create database {} template t0 strategy file_copy").format(
                    sql.Identifier(f"t{number}")
                )
            )
        control.execute("checkpoint")
    print(f"{TENANTS} databases of {size[0] / (1 << 20):.0f} MiB" if size else "")


def _compare(database: Database, recovered: Server, opened: Server, folder: Path) -> None:
    lanes = os.cpu_count() or 1
    alone: list[tuple[float, float]] = []
    together: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        for count, times in ((1, alone), (lanes, together)):
            times.append(_brought(_job(database, lanes=count), recovered, opened, folder))
        print(
            f"  round {number + 1}: {alone[-1][0]:.1f} s one by one, "
            f"{together[-1][0]:.1f} s with {lanes} lanes"
        )
    plain = [
        min(_piped(recovered, opened, count) for _round in range(ROUNDS)) for count in (1, lanes)
    ]
    print(
        f"pg_dump and pg_restore alone: {plain[0]:.1f} s one by one, {plain[1]:.1f} s with {lanes} "
        f"at once, ratio {plain[0] / plain[1]:.2f}"
    )
    one, many = min(alone), min(together)
    print(
        f"tenants: {one[0]:.1f} s one by one, {many[0]:.1f} s with {lanes} lanes, ratio "
        f"{one[0] / many[0]:.2f} (target 1.6 with 2 processors); first tenant usable after "
        f"{one[1]:.2f} s and {many[1]:.2f} s"
    )


def _brought(
    job: RestoreJob, recovered: Server, opened: Server, folder: Path
) -> tuple[float, float]:
    """Bring all of them back; return how long that took, and how long the first one took."""
    began_at, began = timezone.now(), time.monotonic()
    source = RecoveredCluster(recovered, folder, until=began_at)
    for _step in bring_back(
        job, source, opened, folder=folder, data_dir=folder.parent, now=timezone.now
    ):
        pass
    took = time.monotonic() - began
    rows = TenantRestore.objects.filter(job=job, state=TenantRestoreState.VERIFIED)
    if rows.count() != TENANTS or counts_of(opened, "t7") != counts_of(recovered, "t7"):
        sys.exit("Not every tenant came back.")
    first = rows.order_by("ended_at").values_list("ended_at", flat=True).first()
    assert first is not None
    with opened.connect() as control:
        for number in range(TENANTS):
            control.execute(sql.SQL("drop database {}").format(sql.Identifier(f"t{number}")))
    return took, (first - began_at).total_seconds()


def _piped(recovered: Server, opened: Server, count: int) -> float:
    """Bring all of them back by PostgreSQL's own programs, so many at once; return the seconds."""
    began = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(partial(_pipe, recovered, opened), range(TENANTS)))
    took = time.monotonic() - began
    with opened.connect() as control:
        for number in range(TENANTS):
            control.execute(sql.SQL("drop database {}").format(sql.Identifier(f"t{number}")))
    return took


def _pipe(recovered: Server, opened: Server, number: int) -> None:
    name = f"t{number}"
    with tempfile.NamedTemporaryFile(prefix="dump-") as dump:
        for server, words in (
            (recovered, ["pg_dump", "-Fc", "--compress=lz4", "-f", dump.name]),
            (opened, ["createdb"]),
            (opened, ["pg_restore", "--exit-on-error", "-d", name, dump.name]),
        ):
            program, *options = words
            whom = [] if program == "pg_restore" else [name]
            place = ["-h", server.host, "-p", str(server.port), "-U", server.user]
            subprocess.run(
                [str(server.bin_dir / program), *place, *options, *whom],
                env={**os.environ, "PGPASSWORD": server.password},
                check=True,
                timeout=300,
            )


def _many(database: Database) -> None:
    """Choose from ten thousand, and tell them, without restoring anything."""
    job = _job(database)
    TenantRestore.objects.bulk_create(
        TenantRestore(job=job, tenant=tenant, place=place, size_bytes=39 << 20)
        for place, tenant in enumerate(database.tenants.order_by("pk"), start=1)
    )
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze backups_tenantrestore")
    rows = TenantRestore.objects.filter(job=job)
    began = time.perf_counter()
    for _time in range(CHOSEN):
        _choose(rows)
    took = (time.perf_counter() - began) / CHOSEN
    with CaptureQueriesContext(connection) as asked:
        _choose(rows)
    turns, left = Turns(job), Remaining(low_seconds=60, high_seconds=90, basis="last:60")
    timed = []
    for everything in (True, False):
        began = time.perf_counter()
        turns.news(at=timezone.now(), left=left, everything=everything)
        timed.append(time.perf_counter() - began)
    print(
        f"queue of {MANY}: {took * 1000:.1f} ms and {len(asked)} queries to choose the next and "
        f"write down its end; reading all that is to be told {timed[0] * 1000:.0f} ms, "
        f"what moved since {timed[1] * 1000:.0f} ms"
    )


def _choose(rows: TenantRestoreQuerySet) -> None:
    at = timezone.now()
    row = rows.claim_next(at=at, most_bytes=1 << 40)
    assert row is not None
    rows.note(row, state=TenantRestoreState.VERIFIED, ended_at=at, data_until_at=at)


if __name__ == "__main__":
    main()
