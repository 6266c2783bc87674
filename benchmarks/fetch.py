"""A fetch through every kind of broken storage, and the common tools beside it.

One archive of 512 MiB behind a fault proxy, fetched by ``python -m backups.storage.fetch`` with its
manifest and by each peer with its defaults, in turn, under each profile of ``_profiles``. What came
is compared byte by byte, and the proxy counts what went over the wire. A peer that has not ended
after PATIENCE seconds is stopped. Then the clean fetch against the peers, in turn, the best of each
counts, and what each costs the processor; and a fetch that is killed ten times against one that is
not.

Targets: right bytes under every profile, at most 1.1 × the object on the wire, at most 1.3 × the
time that the profile's bandwidth allows; clean at least 0.9 × s5cmd's rate; killed ten times at
most 1.1 × the unkilled.

    python -m benchmarks.fetch [--without-peers] [PROFILE ... race killed]
"""

import argparse
import filecmp
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig

from backups.storage.manifest import record_manifest
from backups.storage.s3 import Bucket, Credentials, Place
from benchmarks import _profiles
from benchmarks._peers import BACKUP_ID, BACKUP_INFO, SERVER, Peer, environment, peers
from benchmarks._profiles import MIB, PROFILES, Profile, Way, Ways
from config.embedded import addresses, servers
from config.embedded.addresses import Addresses
from config.embedded.faults import Faults

SIZE = 512 * MIB
PATIENCE = 45.0
ROUNDS = 5
KILLS = 10
KILLED_SPEED = 25 * MIB
BUCKETS = ("benchmark", "replica")
KEY = f"{SERVER}/base/{BACKUP_ID}/data.tar"
MANIFEST = "manifest.json"
TITLE = f"{'profile':20} {'tool':22} {'result':22} {'seconds':>8} {'allowed':>8} {'wire':>6}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The archive, and where it is served."""

    folder: Path
    known: Addresses

    @property
    def archive(self) -> Path:
        return self.folder / "data.tar"

    @property
    def bulk(self) -> Path:
        return self.folder / "bulk"

    @property
    def port(self) -> int:
        return self.known.ports["s3"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "profiles", nargs="*", help="parts of names of profiles, race, killed; all by default"
    )
    parser.add_argument("--without-peers", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="highwater-bench-"))
    try:
        with servers.in_use(frozenset({"storage"}), var_dir=folder / "var"):
            bench = Bench(folder=folder, known=addresses.load(folder / "var"))
            _store(bench)
            print(TITLE)
            for profile in PROFILES:
                if not given.profiles or any(each in profile.name for each in given.profiles):
                    _run_profile(bench, profile, with_peers=not given.without_peers)
            if not given.profiles or "race" in given.profiles:
                _race(bench)
            if not given.profiles or "killed" in given.profiles:
                _kill(bench)
    finally:
        shutil.rmtree(folder)


def _store(bench: Bench) -> None:
    dice = random.Random(1)  # noqa: S311 - bytes that do not compress
    with bench.bulk.open("wb") as file:
        for _mib in range(SIZE // MIB):
            file.write(dice.randbytes(MIB))
    with tarfile.open(bench.archive, "w") as tar:
        tar.add(bench.bulk, "bulk")
    client = boto3.client(
        "s3",
        endpoint_url=bench.known.s3_endpoint,
        region_name=bench.known.s3_region,
        aws_access_key_id=bench.known.s3_access_key,
        aws_secret_access_key=bench.known.s3_secret_key,
    )
    keys = Credentials(access_key=bench.known.s3_access_key, secret_key=bench.known.s3_secret_key)
    parts = TransferConfig(multipart_threshold=16 * MIB, multipart_chunksize=16 * MIB)
    for name in BUCKETS:
        client.create_bucket(Bucket=name)
        client.upload_file(str(bench.archive), name, KEY, Config=parts)
        client.put_object(
            Bucket=name, Key=KEY.replace("data.tar", "backup.info"), Body=BACKUP_INFO.encode()
        )
        bucket = Bucket(Place(bucket=name, endpoint=bench.known.s3_endpoint), keys)
        list(record_manifest(bucket, MANIFEST, [bucket.head(KEY)]))
        bucket.close()


def _run_profile(bench: Bench, profile: Profile, *, with_peers: bool) -> None:
    names = [None, *(range(4) if with_peers else ())]
    for number in names:
        place = Path(tempfile.mkdtemp(dir=bench.folder))
        with _profiles.ways(profile, bench.port, place / "ways") as ways:
            if number is None:
                peer = _ours(ways, place)
            else:
                found = peers(ways.first.endpoint, BUCKETS[0], KEY, place)
                if number >= len(found):
                    continue
                peer = found[number]
            ways.begin()
            # Until the proxy has read its faults.
            time.sleep(0.15)
            took, result = _run(bench, peer)
            ways.end()
            wire = ways.bytes_down("data.tar") / bench.archive.stat().st_size
            _tell(bench, profile, peer, result=result, took=took, wire=wire)
        shutil.rmtree(place)


def _ours(ways: Ways, place: Path) -> Peer:
    both = [each for each in (ways.first, ways.second) if each is not None]
    return Peer(name="highwater", command=_command(both, place / "copy"), result=place / "copy")


def _command(ways: Sequence[Way], destination: Path) -> list[str]:
    sources = [
        word
        for way, bucket in zip(ways, BUCKETS, strict=False)
        for word in ("--source", f"{way.endpoint},{bucket},{KEY}")
    ]
    module = [sys.executable, "-m", "backups.storage.fetch"]
    return [*module, *sources, "--manifest", MANIFEST, str(destination)]


def _run(bench: Bench, peer: Peer) -> tuple[float, str]:
    """Run a tool, and say how long it took and what came of it."""
    began = time.monotonic()
    try:
        ended = subprocess.run(
            peer.command, env=environment(bench.known), cwd=bench.folder, timeout=PATIENCE,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return time.monotonic() - began, "not ended"
    took = time.monotonic() - began
    if ended.returncode:
        return took, f"failed ({ended.returncode})"
    whole = bench.bulk if peer.unpacks else bench.archive
    same = peer.result.exists() and filecmp.cmp(peer.result, whole, shallow=False)
    return took, "whole" if same else "WRONG BYTES, no error"


def _tell(
    bench: Bench, profile: Profile, peer: Peer, *, result: str, took: float, wire: float
) -> None:
    allowed = profile.seconds_allowed(bench.archive.stat().st_size)
    ratio = f"{took / allowed:7.2f}×" if allowed and result == "whole" else f"{'-':>8}"
    print(f"{profile.name:20} {peer.name:22} {result:22} {took:8.1f} {ratio} {wire:5.2f}×")


def _race(bench: Bench) -> None:
    """Measure the clean rate, and what it costs, against the peers, without a proxy between."""
    best: dict[str, float] = {}
    costs: dict[str, float] = {}
    direct = Way.direct(bench.known.s3_endpoint)
    for number in range(ROUNDS):
        place = Path(tempfile.mkdtemp(dir=bench.folder))
        mine = Peer(
            name="highwater", command=_command([direct], place / "mine"), result=place / "mine"
        )
        tools = [mine, *peers(direct.endpoint, BUCKETS[0], KEY, place)]
        # To and fro, so that nobody always finds the machine as the same one has left it.
        for peer in tools if number % 2 else reversed(tools):
            before = _processor_seconds()
            took, result = _run(bench, peer)
            cost = _processor_seconds() - before
            if result != "whole":
                sys.exit(f"{peer.name} did not fetch through a clean connection: {result}")
            best[peer.name] = min(best.get(peer.name, took), took)
            costs[peer.name] = min(costs.get(peer.name, cost), cost)
            peer.result.unlink()
        shutil.rmtree(place)
    size = bench.archive.stat().st_size / MIB
    rates = {name: size / took for name, took in best.items()}
    for name, rate in sorted(rates.items(), key=lambda each: -each[1]):
        print(
            f"clean, directly: {name:22} {rate:6.0f} MiB/s, {rates['highwater'] / rate:.2f}×, "
            f"{costs[name] * 1024 / size:.2f} s of processor for 1 GiB"
        )


def _processor_seconds() -> float:
    """Return what all processes took that were run and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _kill(bench: Bench) -> None:
    profile = Profile(name="killed", first=Faults(bytes_per_second=KILLED_SPEED))
    took, wire = {}, {}
    for kills in (0, KILLS):
        place = Path(tempfile.mkdtemp(dir=bench.folder))
        with _profiles.ways(profile, bench.port, place / "ways") as ways:
            ways.begin()
            began = time.monotonic()
            _fetch_killed(bench, ways, place, kills)
            took[kills] = time.monotonic() - began
            wire[kills] = ways.bytes_down("data.tar") / bench.archive.stat().st_size
        if not filecmp.cmp(place / "copy", bench.archive, shallow=False):
            sys.exit("A fetch that was killed did not come whole.")
        shutil.rmtree(place)
    print(
        f"killed {KILLS} times: {took[KILLS]:.1f} s, unkilled {took[0]:.1f} s, "
        f"ratio {took[KILLS] / took[0]:.2f} (target 1.1), wire {wire[KILLS]:.3f}×"
    )


def _fetch_killed(bench: Bench, ways: Ways, place: Path, kills: int) -> None:
    dice = random.Random(1)  # noqa: S311 - moments, not secrets
    usual = SIZE / KILLED_SPEED / (kills + 1)
    for _kill in range(kills + 1):
        process = subprocess.Popen(
            _command([ways.first], place / "copy"), env=environment(bench.known),
            stderr=subprocess.DEVNULL, cwd=bench.folder,
        )  # fmt: skip
        try:
            process.wait(dice.uniform(0.6, 1.2) * usual if _kill < kills else 300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode:
        sys.exit(f"A fetch that was killed did not end well: {process.returncode}")


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main()
