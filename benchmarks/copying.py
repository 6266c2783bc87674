"""Copies against rclone, readings against the fetcher, listings of a million, and flipped bits.

One object of SIZE in parts and many small ones, from bucket to bucket of one server, by ourselves
and by rclone with its defaults, in turn; the best of each counts. The same object read for
verification against its manifest, and fetched. A listing of a million objects from a server that
makes its pages up, compared with another one: how much memory that takes at most. Objects of which
one bit was flipped, at random, each of which is to be found and named.

Targets: at least 0.9 x rclone's rate; at least 0.9 x the fetcher's; at most 100 MB; all bits.

    python -m benchmarks.copying [copy read list flips] [--short]
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig

from backups.storage.copier import Copier
from backups.storage.fetch import FetchItem, Sources, fetch
from backups.storage.hashing import recorded_hash
from backups.storage.manifest import read_manifest, record_manifest
from backups.storage.parts import Wanted
from backups.storage.patience import Patience
from backups.storage.proofreader import Subject, Verdict, read_objects
from backups.storage.s3 import Bucket, Credentials, ObjectRef, Place
from backups.storage.spool import Spool
from backups.storage.values import MIB
from benchmarks._peers import PEERS, environment
from config.embedded import addresses, servers
from config.embedded.addresses import Addresses

PARTS = ("copy", "read", "list", "flips")
SIZE, SMALL, SMALL_BYTES, ROUNDS = 512 * MIB, 200, 256 * 1024, 3
LISTED, PAGE = 1_000_000, 1000
FLIPS = 1000
MEMORY_LIMIT = 100_000_000
KEY, MANIFEST = "main/base/1/data.tar", "manifest.json"


@dataclass(frozen=True, slots=True)
class Bench:
    """The server, a folder, and how large it all is."""

    known: Addresses
    folder: Path
    size: int
    rounds: int

    def bucket(self, name: str) -> Bucket:
        keys = Credentials(access_key=self.known.s3_access_key, secret_key=self.known.s3_secret_key)
        return Bucket(Place(bucket=name, endpoint=self.known.s3_endpoint), keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", help=f"out of {', '.join(PARTS)}; all by default")
    parser.add_argument("--short", action="store_true", help="a quarter of it")
    given = parser.parse_args()
    parts = given.parts or PARTS
    if "list" in parts:
        _list()
    folder = Path(tempfile.mkdtemp(prefix="highwater-bench-"))
    try:
        with servers.in_use(frozenset({"storage"}), var_dir=folder / "var"):
            known = addresses.load(folder / "var")
            size = SIZE // 4 if given.short else SIZE
            bench = Bench(known, folder, size, 1 if given.short else ROUNDS)
            _store(bench)
            if "copy" in parts:
                _copy(bench)
            if "read" in parts:
                _read(bench)
            if "flips" in parts:
                _flips(bench)
    finally:
        shutil.rmtree(folder)


def _client(bench: Bench):  # type: ignore[no-untyped-def] # noqa: ANN202 - boto3 names no type
    return boto3.client(
        "s3",
        endpoint_url=bench.known.s3_endpoint,
        region_name=bench.known.s3_region,
        aws_access_key_id=bench.known.s3_access_key,
        aws_secret_access_key=bench.known.s3_secret_key,
    )


def _store(bench: Bench) -> None:
    client = _client(bench)
    client.create_bucket(Bucket="source")
    dice = random.Random(1)  # noqa: S311 - bytes that do not compress
    bulk = bench.folder / "bulk"
    with bulk.open("wb") as file:
        for _mib in range(bench.size // MIB):
            file.write(dice.randbytes(MIB))
    parts = TransferConfig(multipart_threshold=16 * MIB, multipart_chunksize=16 * MIB)
    client.upload_file(str(bulk), "source", KEY, Config=parts)
    for number in range(SMALL):
        content = dice.randbytes(SMALL_BYTES)
        client.put_object(Bucket="source", Key=f"main/wals/{number:06}", Body=content)
    with contextlib.closing(bench.bucket("source")) as bucket:
        list(record_manifest(bucket, MANIFEST, [bucket.head(KEY)]))


# -- copies


def _copy(bench: Bench) -> None:
    whole = bench.size + SMALL * SMALL_BYTES
    ours, theirs = [], []
    rclone = PEERS / "rclone"
    for number in range(bench.rounds):
        ours.append(_our_copy(bench, f"ours-{number}"))
        if rclone.exists():
            theirs.append(_their_copy(bench, rclone, f"theirs-{number}"))
    print(f"copied by highwater: {whole / min(ours) / MIB:.0f} MiB/s")
    if theirs:
        print(
            f"copied by rclone: {whole / min(theirs) / MIB:.0f} MiB/s, "
            f"ratio {min(theirs) / min(ours):.2f} (target 0.9)"
        )


def _our_copy(bench: Bench, name: str) -> float:
    _client(bench).create_bucket(Bucket=name)
    source, destination = bench.bucket("source"), bench.bucket(name)
    with contextlib.closing(source), contextlib.closing(destination):
        recorded = read_manifest(source, MANIFEST)
        began = time.monotonic()
        wanted = (
            Wanted(ref=ref, to=ref.key, part_hashes=recorded.hashes_of(ref))
            for ref in source.list("main/")
        )
        copier = Copier(source, destination, patience=Patience())
        *_steps, account = copier.copy(wanted)
        took = time.monotonic() - began
        if account.objects != SMALL + 1 or account.left_out:
            sys.exit(f"Not all of it was copied: {account}")
    _client(bench).delete_bucket(Bucket=name)
    return took


def _their_copy(bench: Bench, rclone: Path, name: str) -> float:
    remote = f":s3,provider=Other,env_auth,endpoint='{bench.known.s3_endpoint}'"
    began = time.monotonic()
    subprocess.run(
        [
            str(rclone), "--config", "/dev/null", "copy", "--s3-disable-checksum=false",
            f"{remote}:source/main", f"{remote}:{name}/main",
            # From one provider to another the server cannot copy by itself.
            "--disable", "copy",
        ],
        env=environment(bench.known), check=True, timeout=900,
    )  # fmt: skip
    took = time.monotonic() - began
    _client(bench).delete_bucket(Bucket=name)
    return took


# -- readings


def _read(bench: Bench) -> None:
    fetched, proven = [], []
    with contextlib.closing(bench.bucket("source")) as bucket:
        ref = bucket.head(KEY)
        hashes = read_manifest(bucket, MANIFEST).hashes_of(ref)
        for number in range(bench.rounds + 1):
            stage = bench.folder / f"stage-{number}"
            stage.mkdir()
            began = time.monotonic()
            item = FetchItem(ref=ref, to="data.tar", part_hashes=hashes)
            for _step in fetch(Sources.of(bucket), [item], stage):
                pass
            fetched.append(time.monotonic() - began)
            shutil.rmtree(stage)
            began = time.monotonic()
            (proof,) = read_objects(
                bucket, [Subject(ref=ref, part_hashes=hashes)], patience=Patience()
            )
            proven.append(time.monotonic() - began)
            if proof.verdict != Verdict.SOUND:
                sys.exit(f"A sound object is called {proof.verdict}.")
    rate = bench.size / min(proven) / MIB
    ratio = min(fetched) / min(proven)
    print(f"read for verification: {rate:.0f} MiB/s, {ratio:.2f} x the fetcher (target 0.9)")


# -- listings


class _Pages(BaseHTTPRequestHandler):
    """Answers for a bucket of a million objects, page by page, all of it made up."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        start = int(asked.get("continuation-token", ["0"])[0])
        stop = min(start + PAGE, LISTED)
        rows = "".join(
            f"<Contents><Key>main/wals/{number:024X}</Key><Size>16777216</Size>"
            f"<ETag>&quot;{number:032x}&quot;</ETag>"
            "<LastModified>2026-11-22T10:00:00.000Z</LastModified></Contents>"
            for number in range(start, stop)
        )
        goes_on = "true" if stop < LISTED else "false"
        body = (
            f"<ListBucketResult><IsTruncated>{goes_on}</IsTruncated>"
            f"<NextContinuationToken>{stop}</NextContinuationToken>{rows}</ListBucketResult>"
        ).encode()
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


@contextlib.contextmanager
def _made_up() -> Iterator[int]:
    """Serve the pages in a process of their own: what they take is not ours."""
    context = multiprocessing.get_context("fork")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    process = context.Process(target=server.serve_forever, daemon=True)
    process.start()
    try:
        yield server.server_port
    finally:
        process.terminate()
        process.join()
        server.server_close()


def _list() -> None:
    """Compare a million objects with a million others, and say how much memory that took."""
    peak, stop = [_resident()], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak.append(max(peak.pop(), _resident()))

    with _made_up() as port:
        before = _resident()
        place = Place(bucket="million", endpoint=f"http://127.0.0.1:{port}")
        keys = Credentials(access_key="a", secret_key="s")  # noqa: S106 - nobody's
        threading.Thread(target=watch, daemon=True).start()
        began, count, missing = time.monotonic(), 0, 0
        with contextlib.closing(Bucket(place, keys)) as bucket, Spool() as spool:
            count += sum(spool.add_there(bucket.list("main/")))
            count += sum(spool.add_here(bucket.list("main/")))
            missing = sum(pair.there is None for pair in spool.pairs())
        took = time.monotonic() - began
        stop.set()
    if count != 2 * LISTED or missing:
        sys.exit(f"{count} objects were listed, and {missing} missed.")
    whole = peak[0]
    print(
        f"listed and compared 2 x {LISTED:,}: {took:.0f} s, {whole / 1e6:.0f} MB at most, "
        f"{(whole - before) / 1e6:.0f} MB of it for this (target 100)"
    )
    if whole - before > MEMORY_LIMIT:
        sys.exit("That is more memory than a listing may take.")


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


# -- bits


def _flips(bench: Bench) -> None:
    """Flip one bit of each of a thousand objects, and of none of a hundred others."""
    dice = random.Random(2)  # noqa: S311 - places of bits
    client = _client(bench)
    client.create_bucket(Bucket="flipped")
    flipped: dict[str, int] = {}
    with contextlib.closing(bench.bucket("flipped")) as bucket:
        subjects = []
        for number in range(FLIPS + 100):
            content = bytearray(os.urandom(dice.randint(1, 3 * 64 * 1024)))
            recorded = recorded_hash(bytes(content))
            key = f"{number:04}"
            if number < FLIPS:
                at = dice.randrange(len(content) * 8)
                content[at // 8] ^= 1 << at % 8
                flipped[key] = at
            client.put_object(Bucket="flipped", Key=key, Body=bytes(content))
            ref = ObjectRef(key=key, size=len(content), etag="")
            subjects.append(Subject(ref=ref, part_hashes=[recorded]))
        found = {
            proof.ref.key
            for proof in read_objects(bucket, subjects, patience=Patience())
            if proof.verdict == Verdict.DAMAGED
        }
    wrong = len(found - set(flipped))
    print(f"flipped bits found: {len(found & set(flipped))} of {FLIPS}, {wrong} called by mistake")
    if found != set(flipped):
        sys.exit("Not every flipped bit was found, and nothing else.")


if __name__ == "__main__":
    main()
