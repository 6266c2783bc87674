"""The fetch as a program: one object from one storage or several, into one file.

    python -m backups.storage.fetch --source URL,BUCKET,KEY [--source ...] DEST

Keys come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or from the profile
AWS_PROFILE of the file AWS_SHARED_CREDENTIALS_FILE, which is read again whenever they are refused.
For the second source AWS_ACCESS_KEY_ID_2 and so on come first, for the third those with _3. The
region is AWS_REGION or AWS_DEFAULT_REGION, likewise.

What came is kept in DEST.highwater/ until all of it is there; the same command goes on from it.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeVar

from backups.errors import (
    BucketMissing,
    CredentialsMissing,
    CredentialsRefused,
    EngineFailed,
    ObjectChanged,
    ObjectDamaged,
    ObjectMissing,
    StorageUnavailable,
)
from backups.steps import Step
from backups.storage import etags
from backups.storage.answers import PassingTrouble
from backups.storage.fetcher import Fetcher
from backups.storage.items import MIB, FetchItem, Manner
from backups.storage.jobs import is_file_as_recorded
from backups.storage.manifest import read_manifest
from backups.storage.sources import Source, Sources
from backups.storage.values import Credentials, Place

DONE, FAILED, HOPELESS, REFUSED, INTERRUPTED = 0, 1, 3, 4, 130
HOPELESS_KINDS = (ObjectMissing, ObjectChanged, ObjectDamaged, BucketMissing)
REFUSED_KINDS = (CredentialsRefused, CredentialsMissing)
UNITS = {"k": 1024, "m": MIB, "g": 1024 * MIB}

T = TypeVar("T")


class DestinationTaken(EngineFailed):
    """Something else lies where the object is to go."""

    code = "destination-taken"
    advice = (
        "The destination exists and does not hold this object. Remove it or name another place."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line, read."""

    sources: Sequence[tuple[str, str, str]]
    destination: Path
    manifest: str
    limit: int
    patience: float
    as_json: bool

    @property
    def stage(self) -> Path:
        return self.destination.with_name(f"{self.destination.name}.highwater")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its exit code: see ``--help``."""
    asked = _read(arguments)
    telling = _Telling(asked)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _fetch(asked, telling)
    except KeyboardInterrupt:
        telling.end(f"Stopped. The same command goes on: what came is in {asked.stage}.")
        return INTERRUPTED
    except EngineFailed as failure:
        telling.fail(failure)
        return (
            HOPELESS
            if isinstance(failure, HOPELESS_KINDS)
            else REFUSED
            if isinstance(failure, REFUSED_KINDS)
            else FAILED
        )
    return DONE


def _fetch(asked: Asked, telling: "_Telling") -> None:
    sources = Sources(
        [
            source_of(number, url=url, bucket=bucket, prefix=key)
            for number, (url, bucket, key) in enumerate(asked.sources, start=1)
        ]
    )  # fmt: skip
    try:
        item = _item(asked, sources, telling)
        if asked.destination.exists():
            telling.finish(_require_same(asked.destination, item), item.ref.size)
            return
        manner = Manner(bytes_per_second=asked.limit, outage_seconds=asked.patience)
        with Fetcher(sources, asked.stage, manner=manner) as fetcher:
            for step in fetcher.steps([item]):
                telling.step(step)
            counters = fetcher.counters()
            fetcher.path_of(item).rename(asked.destination)
        _remove(asked.stage)
        telling.finish(_proof(asked.destination, item, counters), item.ref.size)
    finally:
        sources.close()


def _item(asked: Asked, sources: Sources, telling: "_Telling") -> FetchItem:
    ref = _patiently(lambda: sources.head(asked.sources[0][2]), asked, telling)
    if not asked.manifest:
        return FetchItem(ref=ref, to="data")
    manifest = _patiently(lambda: read_manifest(sources, asked.manifest), asked, telling)
    hashes = manifest.hashes_of(ref)
    if not hashes:
        raise ObjectMissing(f"{asked.manifest}: no manifest, or none that speaks of {ref.key}")
    return FetchItem(ref=ref, to="data", part_hashes=hashes)


def _patiently(ask: Callable[[], T], asked: Asked, telling: "_Telling") -> T:
    began = time.monotonic()
    while True:
        try:
            return ask()
        except PassingTrouble as trouble:
            if time.monotonic() - began > asked.patience:
                raise StorageUnavailable(str(trouble)) from trouble
            telling.step(Step(done=0, waiting="storage"))
            time.sleep(0.1)


def _proof(destination: Path, item: FetchItem, counters: Mapping[str, int]) -> str:
    """Return what proves what was fetched, be it that an earlier process had proven it already."""
    for each in ("manifest", "checksum", "etag", "nothing"):
        if counters.get(f"proven_by_{each}"):
            return each
    try:
        return _require_same(destination, item)
    except DestinationTaken:
        return "nothing"


def _require_same(destination: Path, item: FetchItem) -> str:
    """Make sure that a file that is there already is the object, and say what proves it.

    :raises DestinationTaken: if it is not, or nothing can tell
    """
    if destination.is_file() and destination.stat().st_size == item.ref.size:
        descriptor = os.open(destination, os.O_RDONLY)
        try:
            if item.part_hashes:
                if is_file_as_recorded(descriptor, item):
                    return "manifest"
            elif etags.agrees(descriptor, item.ref.size, item.ref.etag, None):
                return "etag"
        finally:
            os.close(descriptor)
    raise DestinationTaken(str(destination))


class _Telling:
    """What the program says of its progress: a line on a terminal, or JSON once a second."""

    def __init__(self, asked: Asked) -> None:
        self._as_json = asked.as_json
        self._stage = asked.stage
        self._destination = asked.destination
        self._is_terminal = sys.stderr.isatty() and not asked.as_json
        self._began = self._told_at = time.monotonic()
        self._began_with = -1
        self._last = Step(done=0)

    def step(self, step: Step) -> None:
        self._last = step
        now = time.monotonic()
        if self._began_with < 0:
            self._began_with = step.done
        if now - self._told_at < (1.0 if self._as_json else 0.2):
            return
        self._told_at = now
        rate = (step.done - self._began_with) / max(now - self._began, 0.1)
        if self._as_json:
            self._say_json(state="running", rate=int(rate))
        elif self._is_terminal:
            waits = f", waiting for the {step.waiting}" if step.waiting else ""
            line = f"{step.done // MIB} of {(step.total or 0) // MIB} MiB, {rate / MIB:.0f} MiB/s"
            sys.stderr.write(f"\r\033[K{line}{waits}")
            sys.stderr.flush()

    def finish(self, proof: str, size: int) -> None:
        seconds = time.monotonic() - self._began
        self._last = Step(done=size, total=size, counters=self._last.counters)
        if self._as_json:
            self._say_json(state="finished", proven_by=proof)
            return
        proven = {
            "nothing": "nothing could be compared",
            "etag": "its ETag agrees",
            "checksum": "the checksum that the storage keeps of it agrees",
        }.get(proof, "every block agrees with the manifest")
        self.end(f"{self._destination}: {size // MIB} MiB in {seconds:.1f} s; {proven}.")

    def fail(self, failure: EngineFailed) -> None:
        if self._as_json:
            self._say_json(state="failed", code=failure.code, detail=str(failure))
        self.end(by_hand(failure))

    def end(self, sentence: str) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\033[K")
        sys.stderr.write(f"{sentence}\n")

    def _say_json(self, **more: object) -> None:
        step = self._last
        said = {
            "done": step.done,
            "total": step.total,
            "waiting": step.waiting,
            "seconds": round(time.monotonic() - self._began, 1),
            "counters": dict(step.counters),
            **more,
        }
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


def _read(arguments: Sequence[str] | None) -> Asked:
    parser = argparse.ArgumentParser(
        prog="python -m backups.storage.fetch",
        description="Fetch one object through a storage that resets, stalls and refuses.",
        epilog="Exit codes: 0 all is there; 1 gave up, the same command goes on; 2 wrong usage; "
        "3 the object is missing, changed or damaged; 4 the keys are refused; 130 interrupted.",
    )
    parser.add_argument(
        "--source", action="append", required=True, type=_source, metavar="URL,BUCKET,KEY",
        help="where the object lies; again for a replica or a cache, the preferred one first",
    )  # fmt: skip
    parser.add_argument("destination", type=Path, metavar="DEST", help="the file to write")
    parser.add_argument("--manifest", default="", metavar="KEY", help="recorded hashes to compare")
    parser.add_argument("--limit", type=size_of, default=0, help="bytes a second, as 20m")
    parser.add_argument(
        "--patience", type=float, default=3600, metavar="SECONDS",
        help="how long to wait for a storage that does not answer (3600)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object a second")
    given = parser.parse_args(arguments)
    if not given.destination.absolute().parent.is_dir():
        parser.error(f"There is no folder {given.destination.absolute().parent}.")
    return Asked(
        sources=given.source,
        destination=given.destination,
        manifest=given.manifest,
        limit=given.limit,
        patience=given.patience,
        as_json=given.json,
    )


def _source(text: str) -> tuple[str, str, str]:
    url, bucket, key = place_given(text)
    if not key:
        raise argparse.ArgumentTypeError("give URL,BUCKET,KEY, as https://host:9000,backups,a/b")
    return url, bucket, key


def place_given(text: str) -> tuple[str, str, str]:
    """Read where something lies from a command line: URL,BUCKET or URL,BUCKET,PREFIX.

    :raises ArgumentTypeError: if it is none
    """
    url, bucket, prefix = [*text.split(",", 2), "", ""][:3]
    if not url.startswith(("http://", "https://")) or not bucket:
        raise argparse.ArgumentTypeError(
            "give URL,BUCKET or URL,BUCKET,PREFIX, as https://host:9000,backups,pg"
        )
    return url, bucket, prefix


def size_of(text: str) -> int:
    """Read a number of bytes from a command line.

    :raises ArgumentTypeError: if it is none
    """
    number, unit = (text[:-1], text[-1:].lower()) if text[-1:].isalpha() else (text, "")
    if not number.isdecimal() or (unit and unit not in UNITS):
        raise argparse.ArgumentTypeError("give bytes, with k, m or g, as 20m")
    return int(number) * UNITS.get(unit, 1)


def source_of(number: int, *, url: str, bucket: str, prefix: str) -> Source:
    """Return the source of that number on a command line; its keys come from the environment."""
    region = _said("REGION", number) or _said("DEFAULT_REGION", number) or "us-east-1"
    return Source(
        name=f"source-{number}",
        place=Place(endpoint=url, bucket=bucket, prefix=prefix, region=region),
        credentials=partial(_credentials, number),
    )


def _said(name: str, number: int) -> str:
    own = os.environ.get(f"AWS_{name}_{number}", "") if number > 1 else ""
    return own or os.environ.get(f"AWS_{name}", "")


def _credentials(number: int) -> Credentials:
    access_key, secret_key = _said("ACCESS_KEY_ID", number), _said("SECRET_ACCESS_KEY", number)
    if access_key and secret_key:
        return Credentials(
            access_key=access_key,
            secret_key=secret_key,
            session_token=_said("SESSION_TOKEN", number),
        )
    path = Path(_said("SHARED_CREDENTIALS_FILE", number) or "~/.aws/credentials").expanduser()
    profile = _said("PROFILE", number) or "default"
    # Only where the environment holds no keys: a fetch that goes on is not to wait for it.
    import configparser  # noqa: PLC0415 - see above

    file = configparser.ConfigParser(interpolation=None)
    file.read(path, encoding="utf-8")
    if not file.has_option(profile, "aws_access_key_id"):
        raise CredentialsMissing(
            f"neither AWS_ACCESS_KEY_ID nor the profile {profile} in {path}",
            advice="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile.",
        )
    return Credentials(
        access_key=file.get(profile, "aws_access_key_id"),
        secret_key=file.get(profile, "aws_secret_access_key", fallback=""),
        session_token=file.get(profile, "aws_session_token", fallback=""),
    )


# What the product's advice calls by its own names, for whoever has but a command line.
_BY_HAND = {
    " (the attempt's log names it)": "",
    "then resume the job": "then run the same command again",
    "Resume the job when it does": "Run the same command again when it does",
    "Resume the job;": "Run the same command again;",
    "Resume in a minute": "Run the same command again in a minute",
    "Another worker is still busy with this job's files": "Another process is at work there",
    "Correct the entry that the storage location names": "Correct AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or the profile",
    "The credentials are not where the registration says. Put them there": "There are no keys. Set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile",
    "The bucket of the storage location does not exist. Correct the location": "The bucket does "
    "not exist. Correct --source",
    "Correct the storage location": "Correct AWS_REGION or --source",
    "correct the endpoint": "correct --source",
    "An object of this backup": "The object",
    "Bring it back and resume, or restore from another backup": "Bring it back, or correct "
    "--source, then run the same command again",
    "Bring back a good copy and resume, or restore from another backup": "Bring back a good copy, "
    "then run the same command again",
    "then ask for a new restore": "then run the same command again",
    "at the recovery target": "there",
    "Look at the attempt's log, mend": "Mend",
}


def by_hand(failure: EngineFailed) -> str:
    """Say what failed and what to do, to whoever has typed the command, with its details once."""
    advice, detail = failure.advice, str(failure)
    said = advice
    for ours, theirs in _BY_HAND.items():
        said = said.replace(ours, theirs)
    return said if detail in {"", advice} else f"{said} ({detail})"


def _remove(stage: Path) -> None:
    """Remove a folder of files."""
    for file in stage.iterdir():
        file.unlink()
    stage.rmdir()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
