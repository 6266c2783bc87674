"""Barman's own programs, unchanged, restore through a storage that breaks them otherwise."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from backups.engines.barman_cloud import BarmanCloud
from backups.engines.postgres import Postgres, bundled_bin_dir
from backups.storage.items import MIB
from backups.storage.relay import Relay
from backups.storage.s3 import Bucket, Place
from config.embedded.addresses import Addresses
from config.embedded.fault_proxy import FaultProxy
from config.embedded.faults import Faults
from tests.backups.relays import sources_at
from tests.protected import PASSWORD, SERVER, Protected, free_port, rows_of

pytestmark = pytest.mark.faults

EVERYTHING = Faults(reset_after_bytes=4 * MIB, error_share=0.2, stall_at_byte=5000, stall_share=0.1)


@pytest.fixture
def relay(
    protected: Protected, s3_server: Addresses, fault_proxy: FaultProxy, tmp_path: Path
) -> Iterator[Relay]:
    with (
        sources_at(fault_proxy.endpoint, protected.place.bucket, s3_server) as sources,
        Relay(sources, tmp_path / "relay") as opened,
    ):
        yield opened


@contextmanager
def engine_at(relay: Relay, protected: Protected, barman: Path) -> Iterator[BarmanCloud]:
    """Give Barman, pointed at the relay by nothing but its endpoint and its keys."""
    place = Place(
        bucket=protected.place.bucket, prefix=protected.place.prefix, endpoint=relay.endpoint
    )
    bucket = Bucket(place, relay.credentials)
    yield BarmanCloud(bin_dir=barman, bucket=bucket, credentials=relay.credentials, server=SERVER)
    bucket.close()


def restore_base(engine: BarmanCloud, protected: Protected, folder: Path) -> int:
    return subprocess.run(
        [
            *engine._command("barman-cloud-restore"),
            protected.backup.backup_id,
            str(folder / "data"),
        ],
        env=engine._env(),
        check=False,
        timeout=200,
    ).returncode


def recover(engine: BarmanCloud, folder: Path) -> dict[str, int]:
    """Let PostgreSQL replay the whole log through Barman, and count what is there then."""
    data = folder / "data"
    data.chmod(0o700)
    (data / "recovery.signal").touch()
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=data, port=free_port())
    command = engine.archive_command().replace("wal-archive", "wal-restore")
    postgres.start(
        log=folder / "pg.log",
        settings={
            "restore_command": command.replace(" '--gzip'", "").replace(" %p", " %f %p"),
            "archive_mode": "off",
            "max_connections": "130",
        },
        env=engine.archive_environment(),
        wait_ready=False,
    )
    try:
        _wait_until_open(postgres)
        return rows_of(postgres.port)
    finally:
        postgres.stop(mode="immediate")


def _wait_until_open(postgres: Postgres) -> None:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        assert postgres.is_running()
        try:
            with psycopg.connect(
                host="127.0.0.1", port=postgres.port, user="postgres", password=PASSWORD
            ) as connection:
                if connection.execute("select pg_is_in_recovery()").fetchone() == (False,):
                    return
        except psycopg.OperationalError:
            pass
        time.sleep(0.1)
    raise AssertionError("the cluster did not open")


class TestBarman:
    def test_fails_without_the_relay(
        self, protected: Protected, barman: Path, fault_proxy: FaultProxy, tmp_path: Path
    ) -> None:
        fault_proxy.faults = EVERYTHING

        assert restore_base(protected.engine(barman, fault_proxy.endpoint), protected, tmp_path)

    def test_restores_everything_through_it(
        self, relay: Relay, protected: Protected, barman: Path, fault_proxy: FaultProxy,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        fault_proxy.faults = EVERYTHING
        with engine_at(relay, protected, barman) as engine:
            assert restore_base(engine, protected, tmp_path) == 0
            rows = recover(engine, tmp_path)

        assert rows == protected.moments[-1][1]

    def test_loses_nothing_when_the_storage_goes_away_during_replay(
        self, relay: Relay, protected: Protected, barman: Path, fault_proxy: FaultProxy,
        tmp_path: Path,
    ) -> None:  # fmt: skip
        with engine_at(relay, protected, barman) as engine:
            assert restore_base(engine, protected, tmp_path) == 0
            # Longer than a refused connection takes Barman to give up.
            fault_proxy.faults = Faults(down=True)
            timer = threading.Timer(30, lambda: setattr(fault_proxy, "faults", Faults()))
            timer.start()
            rows = recover(engine, tmp_path)
            timer.join()

        assert rows == protected.moments[-1][1]
