"""A restore through Highwater against the same by hand, on a clean connection.

By hand: ``barman-cloud-restore`` into an empty directory, then PostgreSQL's own recovery with
``barman-cloud-wal-restore`` as its restore command, until it accepts connections for writing.
Through Highwater: from the request to the job's end, verification of every tenant included.
Same archive, same server, alternating; the best of each counts. Target: a ratio of at most 1.05.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from config.embedded.testing import start_for_tests, start_server

start_for_tests()
start_server("storage")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

import django  # noqa: E402

django.setup()

import boto3  # noqa: E402
import psycopg  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from backups import operations, runner  # noqa: E402
from backups.engines.postgres import Postgres, bundled_bin_dir  # noqa: E402
from backups.models import Database, JobState  # noqa: E402
from backups.runner.tools import opened_archive  # noqa: E402
from config.embedded import addresses  # noqa: E402
from config.embedded.addresses import free_port  # noqa: E402
from config.story.cluster import TENANTS, Production  # noqa: E402

ROUNDS = 3
TIMES_LIVED = 3
BUCKET = "benchmark"
PASSWORD = "only-for-the-benchmark"  # noqa: S105 - of a cluster that lives for minutes


def main() -> None:
    call_command("migrate", interactive=False, verbosity=0)
    folder = Path(tempfile.mkdtemp(prefix="highwater-bench-"))
    try:
        database = _make_archive(folder)
        by_hand, through = [], []
        for number in range(ROUNDS):
            by_hand.append(_by_hand(folder / f"hand-{number}", database))
            through.append(_through_highwater(folder / f"job-{number}", database))
            print(f"  round {number + 1}: {by_hand[-1]:.1f} s by hand, {through[-1]:.1f} s here")
        print(
            f"restore: {min(through):.1f} s through Highwater, {min(by_hand):.1f} s by hand, "
            f"ratio {min(through) / min(by_hand):.2f} (target 1.05)"
        )
    finally:
        shutil.rmtree(folder)


def _make_archive(folder: Path) -> Database:
    at = timezone.now()
    known = addresses.load(start_for_tests())
    os.environ.update(
        BENCH_ACCESS_KEY=known.s3_access_key,
        BENCH_SECRET_KEY=known.s3_secret_key,
        BENCH_PASSWORD=PASSWORD,
    )
    boto3.client(
        "s3",
        endpoint_url=known.s3_endpoint,
        region_name=known.s3_region,
        aws_access_key_id=known.s3_access_key,
        aws_secret_access_key=known.s3_secret_key,
    ).create_bucket(Bucket=BUCKET)
    storage = operations.register_storage_location(
        name="benchmark",
        bucket=BUCKET,
        endpoint=known.s3_endpoint,
        region=known.s3_region,
        credentials_reference="env:BENCH",
        at=at,
    )
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "production", port=free_port())
    database = operations.register_database(
        name="benchmark",
        host="127.0.0.1",
        port=postgres.port,
        storage_id=storage.pk,
        archive_name="main",
        password_reference="env:BENCH_PASSWORD",  # noqa: S106 - the name of one
        tenants=[(tenant, tenant) for tenant in TENANTS],
        at=at,
    )
    production = Production(postgres=postgres, password=PASSWORD, log=folder / "production.log")
    with opened_archive(database) as archive:
        production.begin(archive.engine)
    job = operations.take_backup(database_id=database.pk, at=at, by_worker=False)
    runner.run_backup(backup_id=job.pk, now=timezone.now)
    for _time in range(TIMES_LIVED):
        production.live_on()
    production.damage()
    production.destroy()
    operations.sync_backups(database_id=database.pk, at=timezone.now())
    size = database.backups.get().cluster_bytes
    with opened_archive(database) as archive:
        segments = len(archive.engine.wal_inventory().segments)
    print(f"archive: a cluster of {size / 1e6:.0f} MB, {segments} segments of log")
    return database


def _by_hand(folder: Path, database: Database) -> float:
    folder.mkdir()
    data_dir = folder / "data"
    backup_id = database.backups.get().engine_id
    with opened_archive(database) as archive:
        env = archive.engine.archive_environment()
        restore_command = _restore_command(archive.engine.archive_command())
    tool = Path(settings.BARMAN_BIN_DIR) / "barman-cloud-restore"
    began = time.monotonic()
    subprocess.run(
        [
            tool, "--endpoint-url", database.storage.endpoint, "--addressing-style", "path",
            f"s3://{BUCKET}", "main", backup_id, data_dir,
        ],
        env={**os.environ, **env},
        check=True,
        timeout=600,
    )  # fmt: skip
    data_dir.chmod(0o700)
    data_dir.joinpath("recovery.signal").touch()
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=data_dir, port=free_port())
    postgres.start(
        log=folder / "log",
        settings={"restore_command": restore_command, "archive_mode": "off",
                  "recovery_target_timeline": "current", "max_connections": "60"},
        env=env,
        wait_ready=False,
    )  # fmt: skip
    _wait_until_open(postgres)
    took = time.monotonic() - began
    postgres.stop(mode="immediate")
    shutil.rmtree(folder)
    return took


def _restore_command(archive_command: str) -> str:
    return (
        archive_command.replace("barman-cloud-wal-archive", "barman-cloud-wal-restore")
        .replace(" '--gzip'", "")
        .replace(" %p", " %f %p")
    )


def _wait_until_open(postgres: Postgres) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(
                host="127.0.0.1", port=postgres.port, user="postgres", password=PASSWORD,
                dbname="postgres", connect_timeout=2,
            ) as connection:  # fmt: skip
                row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
                if row is not None and not row[0]:
                    return
        except psycopg.OperationalError:
            pass
        time.sleep(0.1)
    raise TimeoutError("Recovery by hand did not end within ten minutes.")


def _through_highwater(folder: Path, database: Database) -> float:
    folder.mkdir()
    target = operations.register_recovery_target(
        name=folder.name,
        port=free_port(),
        data_dir=str(folder / "data"),
        work_dir=str(folder / "work"),
        at=timezone.now(),
    )
    began = time.monotonic()
    job = operations.request_restore(
        database_id=database.pk, recovery_target_id=target.pk, at=timezone.now(), by_worker=False
    )
    runner.run_restore(restore_id=job.pk, now=timezone.now)
    took = time.monotonic() - began
    job.refresh_from_db()
    if job.state != JobState.SUCCEEDED:
        sys.exit(f"The restore did not succeed: {job.failure_advice}")
    Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "data", port=target.port).stop()
    shutil.rmtree(folder)
    return took


if __name__ == "__main__":
    main()
