"""The relay as a program: storage that fails in, an S3 endpoint on loopback that does not out.

    python -m backups.storage.relay --source URL,BUCKET[,PREFIX] [--source ...] --folder CACHE

The keys for the sources are read as ``python -m backups.storage.fetch`` reads them; the relay's own
are printed, with everything else that a client needs in its environment.
"""

import argparse
import logging
import shlex
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from backups.errors import BucketMissing, EngineFailed
from backups.storage.answers import PassingTrouble
from backups.storage.items import MIB, Manner
from backups.storage.program import HOPELESS, by_hand, place_given, size_of, source_of
from backups.storage.relay import catalogue
from backups.storage.relay.relay import DEFAULT_LIMIT, Relay, RelayStatus
from backups.storage.sources import Sources

TOLD_EVERY_SECONDS = 5.0
DONE, FAILED = 0, 1
LAST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal, and return the exit code: see ``--help``."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    # Which backups a manifest proves is told as well.
    logging.getLogger(catalogue.__name__).setLevel(logging.INFO)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    sources = Sources(
        [
            source_of(number, url=url, bucket=bucket, prefix=prefix)
            for number, (url, bucket, prefix) in enumerate(given.source, start=1)
        ]
    )
    try:
        with Relay(
            sources,
            given.folder,
            port=given.port,
            limit_bytes=given.limit,
            tls=given.tls,
            manner=Manner(outage_seconds=given.patience, bytes_per_second=given.rate),
        ) as relay:
            relay.require_room()
            _require_buckets(sources)
            _serve(relay, ended)
    except EngineFailed as failure:
        _say(by_hand(failure))
        return HOPELESS if isinstance(failure, BucketMissing) else FAILED
    except OSError as error:
        _say(f"The relay cannot start: {error}. Name another --port or --folder.")
        return FAILED
    finally:
        sources.close()
    return DONE


def _require_buckets(sources: Sources) -> None:
    """Make sure that the buckets are there, as far as their storages say so now.

    :raises BucketMissing: if one says that it is not
    """
    for channel in sources.channels:
        place = channel.bucket.place
        try:
            channel.bucket.list_page(place.prefix, limit=1)
        except BucketMissing as missing:
            raise BucketMissing(f"{place.bucket} at {place.endpoint}") from missing
        except (EngineFailed, PassingTrouble) as trouble:
            # It may come, and keys may be made to read objects and name none.
            _say(f"{place.bucket} at {place.endpoint} could not be listed just now: {trouble}.")


def _serve(relay: Relay, ended: threading.Event) -> None:
    print(f"# The bucket {relay.bucket}, read-only, at {relay.endpoint}")  # noqa: T201 - its purpose
    for name, value in relay.environment().items():
        print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - the same
    sys.stdout.flush()
    before = relay.status()
    while not ended.wait(TOLD_EVERY_SECONDS):
        now = relay.status()
        if now != before:
            _say(_told(now, relay.limit_bytes))
        before = now
    _say("The relay has ended. Started with the same folder, it goes on from what it has.")


def _told(status: RelayStatus, limit: int) -> str:
    fetched = status.counters.get("bytes_wire", 0)
    said = (
        f"{status.requests} requests, {status.served_bytes // MIB} MiB served, "
        f"{fetched // MIB} MiB fetched, {status.held_bytes // MIB} of {limit // MIB} MiB in use"
    )
    if status.waiting:
        said += f"; {status.waiting} wait for the storage"
    return f"{said}; last: {status.last_key}" if status.last_key else said


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"give a port from 0 (any) to {LAST_PORT}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backups.storage.relay",
        description="A read-only S3 endpoint on loopback, in front of a storage that resets, "
        "stalls and refuses.",
        epilog="Exit codes: 0 ended by a signal; 1 could not start; 2 wrong usage; 3 a bucket "
        "does not exist.",
    )
    parser.add_argument(
        "--source", action="append", required=True, type=place_given,
        metavar="URL,BUCKET[,PREFIX]",
        help="where the backups lie; again for a replica or a cache, the preferred one first",
    )  # fmt: skip
    parser.add_argument("--folder", required=True, type=Path, help="where the cache is kept")
    parser.add_argument("--port", type=_port, default=0, help="the port on 127.0.0.1 (any)")
    parser.add_argument(
        "--limit", type=size_of, default=DEFAULT_LIMIT, metavar="SIZE",
        help="how much disk the cache may take, as 20g (20g)",
    )  # fmt: skip
    parser.add_argument(
        "--tls", action="store_true", help="serve https, by an authority of its own"
    )
    parser.add_argument(
        "--rate", type=size_of, default=0, metavar="SIZE", help="bytes a second from the storage"
    )
    parser.add_argument(
        "--patience", type=float, default=3600, metavar="SECONDS",
        help="how long to wait for a storage that does not answer (3600)",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
