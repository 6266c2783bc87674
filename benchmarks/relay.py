"""The relay beside the storage itself: what it costs when all is well, what it saves otherwise.

Four tables, each alternating in one run, the best round of each counting:
a whole restore by barman's programs, directly and through the relay (target: at most 1.05);
PostgreSQL's replay of the same log from local files, through ``barman-cloud-wal-restore`` with and
without the relay, and through Highwater's own guard while the log is being fetched (target: at most
1.2 times the local files); the base backup through faults, finished or failed; and, where their
programs are installed, the same for other clients.
"""

import gzip
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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

from backups.engines.barman_cloud import BarmanCloud  # noqa: E402
from backups.engines.base import Source as Cluster  # noqa: E402
from backups.engines.base import WalFile  # noqa: E402
from backups.engines.postgres import Postgres, bundled_bin_dir  # noqa: E402
from backups.engines.wal_stage import WalStage  # noqa: E402
from backups.storage.fetch import MIB, FetchItem, Source, Sources, fetch  # noqa: E402
from backups.storage.relay import Relay  # noqa: E402
from backups.storage.s3 import Bucket, Credentials, Place  # noqa: E402
from config.embedded import addresses  # noqa: E402
from config.embedded.addresses import free_port  # noqa: E402
from config.embedded.fault_proxy import FaultProxy  # noqa: E402
from config.embedded.faults import Faults  # noqa: E402
from config.story.cluster import Production  # noqa: E402

ROUNDS = 3
TIMES_LIVED = 12
# What a client that cannot finish is given before it is stopped.
PATIENCE_SECONDS = 120
BUCKET = "benchmark-relay"
SERVER = "main"
PASSWORD = "only-for-the-benchmark"  # noqa: S105 - of a cluster that lives for minutes
PEERS = Path(settings.BASE_DIR) / ".venv-peers" / "bin"
PROFILES = {
    "clean": Faults(),
    "resets after 32 MiB": Faults(reset_after_bytes=32 * MIB),
    "503 on 30 %": Faults(error_share=0.3),
    "20 % silent for 60 s": Faults(stall_at_byte=1000, stall_share=0.2),
    "all of these": Faults(
        reset_after_bytes=32 * MIB, error_share=0.3, stall_at_byte=1000, stall_share=0.2
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A lost cluster's archive, and its log once more as local files."""

    known: addresses.Addresses
    backup_id: str
    files: Mapping[str, WalFile]
    log: Path

    @property
    def keys(self) -> Credentials:
        return Credentials(access_key=self.known.s3_access_key, secret_key=self.known.s3_secret_key)

    def sources(self, endpoint: str = "") -> Sources:
        place = Place(bucket=BUCKET, endpoint=endpoint or self.known.s3_endpoint)
        return Sources([Source(name="storage", place=place, credentials=lambda: self.keys)])

    def direct(self) -> "Way":
        return Way(
            endpoint=self.known.s3_endpoint,
            environment=_environment(self.known.s3_endpoint, self.keys),
        )

    @contextmanager
    def relayed(self, folder: Path, endpoint: str = "") -> Iterator["Way"]:
        """Open a relay with nothing in its cache."""
        sources = self.sources(endpoint)
        cache = Path(tempfile.mkdtemp(prefix="relay-", dir=folder))
        with Relay(sources, cache) as relay:
            yield Way(endpoint=relay.endpoint, environment=relay.environment())
        sources.close()
        shutil.rmtree(cache)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An endpoint, and what a client needs in its environment to use it."""

    endpoint: str
    environment: Mapping[str, str]

    def barman(self, program: str, *options: str) -> list[str]:
        place = ["--endpoint-url", self.endpoint, "--addressing-style", "path"]
        tool = str(Path(settings.BARMAN_BIN_DIR) / program)
        return [tool, *place, f"s3://{BUCKET}", SERVER, *options]

    def restore_command(self) -> str:
        words = self.barman("barman-cloud-wal-restore")
        return " ".join([*(shlex.quote(word) for word in words), "%f", "%p"])


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="highwater-bench-"))
    try:
        archive = _make_archive(folder)
        _compare_restores(folder, archive)
        _compare_replays(folder, archive)
        _compare_through_faults(folder, archive)
    finally:
        shutil.rmtree(folder)


# -- the archive


def _make_archive(folder: Path) -> Archive:
    known = addresses.load(start_for_tests())
    keys = Credentials(access_key=known.s3_access_key, secret_key=known.s3_secret_key)
    client = boto3.client(
        "s3", endpoint_url=known.s3_endpoint, region_name=known.s3_region,
        aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key,
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    bucket = Bucket(Place(bucket=BUCKET, endpoint=known.s3_endpoint), keys)
    engine = BarmanCloud(
        bin_dir=Path(settings.BARMAN_BIN_DIR), bucket=bucket, credentials=keys, server=SERVER
    )
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=folder / "production", port=free_port())
    production = Production(postgres=postgres, password=PASSWORD, log=folder / "production.log")
    production.begin(engine)
    source = Cluster(host="127.0.0.1", port=postgres.port, user="postgres", password=PASSWORD)
    list(engine.take_backup(source, label="benchmark"))
    for _time in range(TIMES_LIVED):
        production.live_on()
    production.damage()
    production.destroy()
    (record,) = engine.catalogue()
    files = {
        name: file
        for name, file in engine.wal_inventory().segments.items()
        if name >= record.begin_wal
    }
    log = folder / "log"
    log.mkdir()
    for name, file in files.items():
        (log / name).write_bytes(gzip.decompress(bucket.read(file.ref.key)))
    size = sum(ref.size for ref in engine.objects_of(record.backup_id))
    print(f"archive: a base backup of {size / MIB:.0f} MiB, {len(files)} segments of log")
    bucket.close()
    return Archive(known=known, backup_id=record.backup_id, files=files, log=log)


def _environment(endpoint: str, keys: Credentials) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "S3_ENDPOINT_URL": endpoint,
    }


# -- a whole restore


def _compare_restores(folder: Path, archive: Archive) -> None:
    direct, relayed = [], []
    for _round in range(ROUNDS):
        direct.append(_restore(folder, archive, archive.direct()))
        with archive.relayed(folder) as way:
            relayed.append(_restore(folder, archive, way))
    print("\nrestore by barman's programs, base and log, until the cluster is open")
    print(f"  directly           {min(direct):6.1f} s")
    print(f"  through the relay  {min(relayed):6.1f} s   ratio {min(relayed) / min(direct):.2f}"
          " (target 1.05)")  # fmt: skip


def _restore(folder: Path, archive: Archive, way: Way) -> float:
    began = time.monotonic()
    data = _base(folder, archive, way)
    _replay(folder, data, way.restore_command(), way.environment)
    return time.monotonic() - began


def _base(folder: Path, archive: Archive, way: Way) -> Path:
    data = folder / "restored"
    subprocess.run(
        way.barman("barman-cloud-restore", archive.backup_id, str(data)),
        env={**os.environ, **way.environment},
        check=True,
        timeout=600,
    )
    return data


def _replay(
    folder: Path, data: Path, restore_command: str, environment: Mapping[str, str]
) -> float:
    """Let PostgreSQL recover until it is open, and throw it away; return the seconds."""
    data.chmod(0o700)
    (data / "recovery.signal").touch()
    postgres = Postgres(bin_dir=bundled_bin_dir(), data_dir=data, port=free_port())
    began = time.monotonic()
    postgres.start(
        log=folder / "restored.log",
        settings={
            "restore_command": restore_command,
            "archive_mode": "off",
            "wal_recycle": "off",
            "recovery_target_timeline": "current",
            "max_connections": "60",
        },
        env=environment,
        wait_ready=False,
    )
    _wait_until_open(postgres)
    took = time.monotonic() - began
    postgres.stop(mode="immediate")
    shutil.rmtree(data)
    return took


def _wait_until_open(postgres: Postgres) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(
                host="127.0.0.1", port=postgres.port, user="postgres", password=PASSWORD,
                dbname="postgres", connect_timeout=2,
            ) as connection:  # fmt: skip
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    return
        except psycopg.OperationalError:
            pass
        time.sleep(0.05)
    raise TimeoutError("Recovery did not end within ten minutes.")


# -- the log alone


def _compare_replays(folder: Path, archive: Archive) -> None:
    base = _base(folder, archive, archive.direct()).rename(folder / "base")

    def replay(command: str, environment: Mapping[str, str]) -> float:
        return _replay(
            folder, Path(shutil.copytree(base, folder / "restored")), command, environment
        )

    def relayed() -> float:
        with archive.relayed(folder) as way:
            return replay(way.restore_command(), way.environment)

    direct = archive.direct()
    ways: dict[str, Callable[[], float]] = {
        "local files": lambda: replay(f"cp {shlex.quote(str(archive.log))}/%f %p", {}),
        "Highwater's guard": lambda: _guarded(folder, archive, replay),
        "barman": lambda: replay(direct.restore_command(), direct.environment),
        "barman and the relay": relayed,
    }
    best = {name: min(way() for _round in range(ROUNDS)) for name, way in ways.items()}
    print(f"\nreplay of {len(archive.files)} segments, until the cluster is open")
    for name, seconds in best.items():
        target = " (target 1.2)" if name.startswith("Highwater") else ""
        print(f"  {name:22} {seconds:6.1f} s   {seconds / best['local files']:5.2f} x{target}")
    shutil.rmtree(base)


def _guarded(
    folder: Path, archive: Archive, replay: Callable[[str, Mapping[str, str]], float]
) -> float:
    """Replay through the guard while the log is fetched in parallel, from nothing."""
    work = folder / "guarded"
    stage = WalStage(work / "wal", system_id=0)
    stage.set_listing(archive.files, budget_seconds=60)

    def take_in(item: FetchItem, path: Path) -> None:
        fault = stage.take_in(archive.files[item.to], path)
        assert not fault, fault

    items = [FetchItem(ref=file.ref, to=name) for name, file in sorted(archive.files.items())]
    sources = archive.sources()
    bringing = threading.Thread(
        target=lambda: list(fetch(sources, items, work / "stage", finish=take_in))
    )
    bringing.start()
    took = replay(stage.restore_command(), {})
    bringing.join()
    sources.close()
    shutil.rmtree(work)
    return took


# -- the base backup through faults, by several clients


def _compare_through_faults(folder: Path, archive: Archive) -> None:
    target = f"{SERVER}/base/{archive.backup_id}/data.tar"
    print(f"\nthe base backup's {target}, through a way that fails")
    for client, command in _clients(archive, target, folder / "brought").items():
        for profile, faults in PROFILES.items():
            told = []
            for through_relay in (False, True):
                with FaultProxy(target=archive.known.ports["s3"], faults=faults) as proxy:
                    told.append(_attempt(folder, archive, proxy, command, relayed=through_relay))
            print(f"  {client:22} {profile:22} directly {told[0]:16} relay {told[1]}")


def _clients(archive: Archive, key: str, to: Path) -> dict[str, Callable[[Way], list[str]]]:
    address = f"s3://{BUCKET}/{key}"
    clients: dict[str, Callable[[Way], list[str]]] = {
        "barman-cloud-restore": lambda way: way.barman(
            "barman-cloud-restore", archive.backup_id, str(to)
        )
    }
    peers: dict[str, Callable[[Way], list[str]]] = {
        "aws": lambda _way: ["s3", "cp", "--quiet", address, str(to)],
        "s5cmd": lambda way: ["--endpoint-url", way.endpoint, "cp", address, str(to)],
        "rclone": lambda way: [
            "copyto", f":s3,provider=Other,env_auth=true,endpoint='{way.endpoint}':{address[5:]}",
            str(to),
        ],
    }  # fmt: skip
    for name, arguments in peers.items():
        if (PEERS / name).exists():
            clients[name] = lambda way, name=name, arguments=arguments: [  # type: ignore[misc]
                str(PEERS / name),
                *arguments(way),
            ]
    return clients


def _attempt(
    folder: Path,
    archive: Archive,
    proxy: FaultProxy,
    command: Callable[[Way], list[str]],
    *,
    relayed: bool,
) -> str:
    """Run a client once, and say how it ended, after how long, and what went over the wire."""
    if relayed:
        with archive.relayed(folder, proxy.endpoint) as way:
            ended, seconds = _run(folder, command(way), way)
    else:
        way = Way(endpoint=proxy.endpoint, environment=_environment(proxy.endpoint, archive.keys))
        ended, seconds = _run(folder, command(way), way)
    return f"{ended} {seconds:.1f} s, {proxy.total().bytes_down / MIB:.0f} MiB"


def _run(folder: Path, command: list[str], way: Way) -> tuple[str, float]:
    to = folder / "brought"
    began = time.monotonic()
    try:
        code = subprocess.run(
            command,
            env={**os.environ, **way.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=PATIENCE_SECONDS,
        ).returncode
        ended = "ok" if code == 0 else f"FAILED {code}"
    except subprocess.TimeoutExpired:
        ended = "too slow"
    took = time.monotonic() - began
    if to.is_dir():
        shutil.rmtree(to)
    else:
        to.unlink(missing_ok=True)
    return ended, took


if __name__ == "__main__":
    main()
